"""How many jobs are taken in at a time: as many as keep every slot busy while others are prepared, and no more."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, sqrt

import anyio
from attrs import define, field

from ..abc import Clock
from .slots import Slots
from .state import BEFORE_MONEY, Step

LEAST_AHEAD = 2
"""Jobs that are prepared ahead at least, however quickly that goes."""

SHORTEST_RETHINK = 0.05
"""Seconds after which, at the earliest, the jobs wanted are counted anew although nothing happened."""


@define
class PreparationTime:
    """Seconds from a job's admission until it waits for nothing but a slot, smoothed as TCP does its round trips."""

    mean: float | None = None
    deviation: float = 0.0

    def learn(self, seconds: float) -> None:
        """One job took so long."""
        if self.mean is None:
            self.mean, self.deviation = seconds, seconds / 2
            return
        self.deviation += (abs(seconds - self.mean) - self.deviation) / 4
        self.mean += (seconds - self.mean) / 8

    @property
    def most(self) -> float | None:
        """What hardly any job exceeds, or ``None`` before the first."""
        return None if self.mean is None else self.mean + 2 * self.deviation


@define(eq=False)
class Place:
    """One job's place among those taken in."""

    _admission: Admission
    _entered: float
    _preparing: bool = True
    _measured: bool = False

    def reached(self, step: Step) -> None:
        """The job goes on with ``step``: the one before its slot is where its preparation ends."""
        if step is Step.INTEND and not self._measured:
            self._measured = True
            self._admission.measure(self._entered)
        elif step not in BEFORE_MONEY:
            self.let_another_in()

    def leave(self) -> None:
        """The job's outcome was taken."""
        self.let_another_in()
        self._admission.inside -= 1
        self._admission.wake()

    def let_another_in(self) -> None:
        """The job has its slot, or needs none: another may be prepared."""
        if self._preparing:
            self._preparing = False
            self._admission.preparing -= 1
            self._admission.wake()


@define(eq=False)
class Admission:
    """Bounds the jobs that are prepared for a slot, and all jobs from their admission until their outcome is taken.

    Prepared are as many as there are free slots, and ahead of them those whose slots are expected to come free while
    one job is prepared: ``ends_within`` gives how many do in so many seconds. A reader that is slow to take outcomes
    slows the admission of new jobs.
    """

    bound: int
    slots: Slots
    ends_within: Callable[[float], float]
    clock: Clock
    preparing: int = 0
    inside: int = 0
    time: PreparationTime = field(factory=PreparationTime)
    _changed: anyio.Event = field(factory=anyio.Event, init=False)

    async def enter(self) -> Place:
        """A place for one more job, as soon as there is one."""
        while not self._has_room():
            if self._changed.is_set():
                self._changed = anyio.Event()
            with anyio.move_on_after(self._rethink()):
                await self._changed.wait()
        self.preparing += 1
        self.inside += 1
        return Place(self, self.clock.monotonic())

    def wake(self) -> None:
        """Lets whoever waits look again."""
        self._changed.set()

    def measure(self, entered: float) -> None:
        """A job that was let in at ``entered`` waits for nothing but a slot."""
        self.time.learn(self.clock.monotonic() - entered)

    def most_ahead(self) -> int:
        """The bound on the jobs prepared ahead of the slots that are free: the one given, or half the slots."""
        return max(self.bound, self.slots.allowance.limit // 2)

    def ahead(self) -> int:
        """How many jobs to prepare ahead of the slots that are free."""
        if self.slots.allowance.grows:
            return self.most_ahead()
        ends = self.ends_within(self.time.most or 0.0)
        return min(self.most_ahead(), max(LEAST_AHEAD, ceil(ends + 2 * sqrt(ends))))

    def _has_room(self) -> bool:
        if self._is_full():
            return False
        free = max(0, self.slots.allowance.limit - self.slots.running)
        return self.preparing < free or self.preparing < free + self.ahead()

    def _is_full(self) -> bool:
        return self.inside >= 2 * self.slots.allowance.limit + self.most_ahead()

    def _rethink(self) -> float | None:
        """Seconds until the running tasks have so aged that more ends may be near; ``None`` where that changes
        nothing.
        """
        seconds = (self.time.most or 0.0) / 4
        return None if self._is_full() or seconds < SHORTEST_RETHINK else seconds
