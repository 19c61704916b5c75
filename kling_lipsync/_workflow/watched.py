"""What is known of one running task between looks, and of looks that fail. Decided without I/O."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
from attrs import define, field

from ..errors import KlingError
from ..models import Task
from .durations import Durations
from .recorder import Ticket

LONGEST_UNSEEN = 60.0
"""Seconds after which a running task is worth a look, whatever is known of durations."""

RARELY = 120.0
"""The same for a task past its time limit, which is worth none before."""

LONGEST_PAUSE = 60.0
"""Seconds between looks that keep failing; each failure doubles the pause until then."""

GIVE_UP_AFTER = 900.0
"""Seconds of looks that all fail, after which those who wait are told so."""


Then = Callable[[str], Awaitable[None]]
"""What is called with a job's key once it is watched no longer."""


@define(kw_only=True, eq=False)
class Watched:
    """A task, or a slot that a doubt holds.

    ``begun`` and ``seen`` are moments of the monotonic clock: the job's last intent, and the last look that told of its
    task. ``woken`` is set when whoever waits for its end is to look again.
    """

    ticket: Ticket
    begun: float
    seen: float
    woken: anyio.Event = field(factory=anyio.Event)
    then: Then | None = None

    def chance(self, durations: Durations, until: float) -> float:
        """How likely the task ends by the moment ``until``, if it has not been seen to end."""
        return durations.chance(self.seen - self.begun, until - self.begun)

    def urgency(self, durations: Durations, now: float) -> float:
        """The chance that a look now would show its end; 1 where it has gone unseen for too long."""
        holds_slot = self.ticket.state.holds_slot
        if now - self.seen >= (LONGEST_UNSEEN if holds_slot else RARELY):
            return 1.0
        return self.chance(durations, now) if holds_slot else 0.0

    def duration(self, task: Task, now: float) -> float | None:
        """How long the task took that was seen to have ended, as Kling tells it, or between the last look and this
        one; ``None`` where that would be a guess.
        """
        told = 0.0
        if task.created_ms is not None and task.updated_ms is not None:
            told = (task.updated_ms - task.created_ms) / 1000
        if 0 < told <= now - self.begun:
            return told
        told_closely = now - self.seen < self.seen - self.begun
        return (now + self.seen) / 2 - self.begun if told_closely else None


@define(kw_only=True)
class LookFailures:
    """The failures of looks in a row: how long to pause, and when to tell those who wait."""

    interval: float
    count: int = 0
    last: KlingError | None = None
    _since: float = 0.0

    def note(self, error: KlingError | None, now: float) -> None:
        """A look has failed, or has not."""
        self._since = now if not self.count else self._since
        self.count = 0 if error is None else self.count + 1
        self.last = error

    def lasting(self, now: float) -> float:
        """Seconds since the first of them."""
        return now - self._since if self.count else 0.0

    @property
    def pause(self) -> float:
        """Seconds from the last look to the next at the earliest."""
        return min(max(LONGEST_PAUSE, self.interval), self.interval * 2.0 ** min(self.count, 20))
