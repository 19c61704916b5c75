"""When the next request may leave, by a schedule that other processes may share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import anyio

from ..errors import JournalError

_BETWEEN_TRIES = 0.001
_TRIES = 30_000


class Turns(Protocol):
    """A schedule of departures."""

    def now(self) -> float:
        """The schedule's own clock, in seconds."""

    def take(self, interval: float) -> float | None:
        """The moment of the next departure; others follow ``interval`` seconds later at the earliest.

        ``None`` where somebody else is taking a turn at this very moment. Raises ``JournalError``.
        """


class JournalPacer:
    """Lets at most ``rate`` requests leave per second, evenly and in the order they asked; ``None`` does not pace.

    Turns lie ``1 / rate`` apart, whoever takes them; one that is late by as much, since its event loop was held up or
    its process stopped, is given up for another. So no second sees more than ``rate`` departures and one. Only the head
    of the queue has a turn, and leaves it to the next if it is cancelled.
    """

    def __init__(self, rate: float | None, turns: Callable[[], Turns]) -> None:
        self._interval = None if rate is None else 1 / rate
        self._turns = turns
        self._departure = -math.inf
        self._queue = anyio.Lock()

    async def wait(self) -> None:
        """Returns when it is this request's turn.

        Raises ``JournalError`` where the journal is not open, or its pace cannot be read or written.
        """
        if self._interval is None:
            return
        async with self._queue:
            while not 0 <= (late := self._turns().now() - self._departure) < self._interval:
                if late < 0:
                    await anyio.sleep(-late)
                else:
                    self._departure = await self._take(self._interval)
            self._departure = -math.inf

    async def _take(self, interval: float) -> float:
        for _ in range(_TRIES):
            departure = self._turns().take(interval)
            if departure is not None:
                return departure
            await anyio.sleep(_BETWEEN_TRIES)
        raise JournalError(
            "another process was stopped in the very moment of taking its turn to send: let it go on, or end it"
        )
