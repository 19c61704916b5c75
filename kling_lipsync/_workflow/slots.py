"""Who may start a task next: the account's allowance as far as it is known, and the queue before it.

The journal counts the slots; this decides when to ask it for one. Kling answers 1303 where more tasks would run than
the account's pack allows, and the allowance cannot be asked for, so it is found by being refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio
from attrs import define, field

from ..abc import Clock

FIRST_LIMIT = 5
"""The smallest pack in Kling's documentation runs 5 tasks at once: begin there, and grow as creates are accepted."""

SHORTEST_PROBE, LONGEST_PROBE = 1.0, 60.0
"""Seconds between two creates that try whether the allowance has grown.

Kling's documentation of 1303: wait 1 s or more.
"""


@define(kw_only=True)
class Allowance:
    """How many tasks may run at once: a given ceiling, and below it what Kling's refusals teach. No clock, no I/O."""

    ceiling: int | None = None
    limit: int = field()
    refused_once: bool = False
    probing: bool = False
    probe_wait: float = SHORTEST_PROBE
    probe_at: float = 0.0

    @limit.default
    def _first_limit(self) -> int:
        return self.ceiling if self.ceiling is not None else FIRST_LIMIT

    @property
    def grows(self) -> bool:
        """Whether the limit is still to be found: each create that is accepted raises it."""
        return self.ceiling is None and not self.refused_once

    def may_start(self, held: int, now: float) -> bool:
        """Whether one more task may start beside ``held`` others: below the limit, or as the one probe."""
        if held < self.limit:
            return True
        return self.may_probe(held) and now >= self.probe_at

    def may_probe(self, held: int) -> bool:
        """Whether a create beyond the limit may try the allowance, once its time has come."""
        below_ceiling = self.ceiling is None or held < self.ceiling
        return self.refused_once and not self.probing and below_ceiling

    def started(self, held: int) -> None:
        """A task starts beside ``held`` others."""
        self.probing = self.probing or held >= self.limit

    def accepted(self, held: int, now: float) -> None:
        """Kling took a task; ``held`` run now, this one among them."""
        if held > self.limit or not self.refused_once:
            self.limit = max(self.limit + (not self.refused_once), held)
            if self.ceiling is not None:
                self.limit = min(self.limit, self.ceiling)
            self.probing, self.probe_wait, self.probe_at = False, SHORTEST_PROBE, now

    def refused(self, held: int, now: float) -> None:
        """Kling refused one because of the others: ``held`` run now."""
        self.refused_once = True
        self.limit = min(self.limit, held)
        self.probe_at = now + self.probe_wait
        if self.probing:
            self.probe_wait = min(LONGEST_PROBE, self.probe_wait * 2)
        self.probing = False


class Slots:
    """The queue before the account's slots, first come, first served."""

    def __init__(self, ceiling: int | None, clock: Clock) -> None:
        self.allowance = Allowance(ceiling=ceiling)
        self.held = 0
        self.others = 0
        self._starting = 0
        self._queue: deque[anyio.Event] = deque()
        self._clock = clock

    @property
    def running(self) -> int:
        """Slots held on the journal: those of this process, and as far as is known those of others."""
        return self.held + self.others

    @property
    def journal_ceiling(self) -> int:
        """What the journal is to hold at most as the next intent is written: the limit, or one more for a probe."""
        return max(self.allowance.limit, self.running + 1) if self.allowance.probing else self.allowance.limit

    async def turn(self, stopped: Callable[[], bool]) -> None:
        """Returns when it is the caller's turn to write an intent, or as soon as ``stopped()``; then call
        ``turn_over``.
        """
        await self._wait(stopped)
        self.allowance.started(self.running + self._starting)
        self._starting += 1

    def turn_over(self) -> None:
        """The intent is written, or will not be."""
        self._starting -= 1
        self.wake()

    def change(self, before: bool, after: bool) -> None:
        """A job's hold on a slot went from ``before`` to ``after``."""
        self.held += after - before
        if before and not after:
            self.wake()

    def accepted(self) -> None:
        """Kling took a task."""
        self.allowance.accepted(self.running, self._clock.monotonic())
        self.wake()

    def refused(self) -> None:
        """Kling refused a task with 1303, and its slot was given back."""
        self.allowance.refused(self.running, self._clock.monotonic())
        self.wake()

    def probe_failed(self) -> None:
        """A create ended without an answer about the allowance, so another may try it."""
        self.allowance.probing = False
        self.wake()

    def wake(self) -> None:
        """Lets the first in the queue look again."""
        if self._queue:
            self._queue[0].set()

    def wake_all(self) -> None:
        """Lets everyone in the queue look again, as when the batch stops."""
        for waiting in self._queue:
            waiting.set()

    async def _wait(self, stopped: Callable[[], bool]) -> None:
        if not self._queue and self._free():
            return
        place = anyio.Event()
        self._queue.append(place)
        try:
            while not stopped() and not (self._queue[0] is place and self._free()):
                place = await self._look_again(place)
        finally:
            self._queue.remove(place)
            self.wake()

    async def _look_again(self, place: anyio.Event) -> anyio.Event:
        with anyio.move_on_after(self._until_probe()):
            await place.wait()
        if not place.is_set():
            return place
        fresh = anyio.Event()
        self._queue[self._queue.index(place)] = fresh
        return fresh

    def _free(self) -> bool:
        return self.allowance.may_start(self.running + self._starting, self._clock.monotonic())

    def _until_probe(self) -> float | None:
        if not self.allowance.may_probe(self.running + self._starting):
            return None
        return max(0.001, self.allowance.probe_at - self._clock.monotonic())
