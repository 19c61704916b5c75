"""When the next request may leave: the generic cell rate algorithm, without bursts."""

from __future__ import annotations

import math

import anyio

from ..abc import Clock


def schedule(tat: float, now: float, interval: float) -> tuple[float, float]:
    """What one departure does to the schedule: the new ``tat``, and how long to wait for the departure (seconds).

    ``tat`` is the theoretical arrival time: the earliest moment for the next departure, ``-inf`` before the first.
    Departures come out at least ``interval`` apart, so that no second sees more than ``1 / interval + 1`` of them.
    """
    departure = max(tat, now)
    return departure + interval, departure - now


class GcraPacer:
    """Lets at most ``rate`` requests leave per second, evenly and in the order they asked (a ``Pacer`` in memory).

    One more than ``rate``, rounded up, may fall into a second, never two. ``None`` does not pace.
    Only the head of the queue sleeps. A departure that is a little late, as sleeps are, does not shift those behind it;
    one that is late by an interval does, so that an event loop that was held up lets nobody leave in a burst. A
    cancelled one leaves no gap.
    """

    def __init__(self, rate: float | None, clock: Clock) -> None:
        self._interval = None if rate is None else 1 / rate
        self._clock = clock
        self._tat = -math.inf
        self._queue = anyio.Lock()

    async def wait(self) -> None:
        """Returns when it is this request's turn."""
        if self._interval is None:
            return
        async with self._queue:
            now = self._clock.monotonic()
            tat, delay = schedule(self._tat, now, self._interval)
            await anyio.sleep(delay)
            woken = self._clock.monotonic()
            if woken >= now + delay + self._interval:
                tat, _ = schedule(self._tat, woken, self._interval)
            self._tat = tat
