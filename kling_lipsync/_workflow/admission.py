"""How many jobs are taken in at a time: enough to keep every slot busy, and no more."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from attrs import define, field


@define(eq=False)
class Place:
    """One job's place among those taken in."""

    _admission: Admission
    _preparing: bool = True

    def prepared(self) -> None:
        """The job has its slot, or needs none: another may be prepared."""
        if self._preparing:
            self._preparing = False
            self._admission.preparing -= 1
            self._admission.wake()

    def leave(self) -> None:
        """The job's outcome was taken."""
        self.prepared()
        self._admission.inside -= 1
        self._admission.wake()


@define(eq=False)
class Admission:
    """Bounds the jobs being prepared for a slot, and all jobs from their admission until their outcome is taken.

    ``running`` gives how many tasks may run now; so a reader that is slow to take outcomes slows the admission of new
    jobs.
    """

    ahead: int
    running: Callable[[], int]
    preparing: int = 0
    inside: int = 0
    _changed: anyio.Event = field(factory=anyio.Event, init=False)

    async def enter(self) -> Place:
        """A place for one more job, as soon as there is one."""
        while not self._has_room():
            if self._changed.is_set():
                self._changed = anyio.Event()
            await self._changed.wait()
        self.preparing += 1
        self.inside += 1
        return Place(self)

    def wake(self) -> None:
        """Lets whoever waits look again."""
        self._changed.set()

    def _has_room(self) -> bool:
        running = self.running()
        ahead = max(self.ahead, running // 4)
        return self.preparing < ahead and self.inside < 2 * running + ahead
