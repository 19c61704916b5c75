"""Time as the picture draws it: without the pauses between runs."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator

from attrs import define, field, frozen

PAUSE = 600.0
"""Seconds without a running task and without an event that are cut out."""

_MOST_TICKS = 8
_CLOSEST = 0.09
"""Share of the axis below which two labels would run into each other."""

_STEPS = (
    *(seconds * unit for unit in (1, 60) for seconds in (1, 2, 5, 10, 15, 30)),
    *(hours * 3600 for hours in (1, 2, 3, 6, 12, 24, 48, 168, 672)),
)


@frozen
class Stretch:
    """A time without a pause, from Unix time ``began`` on; ``offset`` is the seconds of all stretches before it."""

    began: float
    offset: float


@frozen
class Tick:
    """A label of the axis for Unix time ``at``, at ``share`` of its length; ``step`` is the seconds between two."""

    at: float
    share: float
    step: float


@define
class Axis:
    """Grows event by event; ``length`` is the seconds that it has, pauses not counted."""

    stretches: list[Stretch] = field(factory=list)
    until: float = 0.0
    length: float = 0.0

    def advance(self, at: float, *, busy: bool) -> float:
        """Goes on to Unix time ``at`` and gives the seconds that it grew by; a clock that was set back stands still.

        ``busy``: tasks run, so that this cannot be a pause.
        """
        passed = at - self.until
        if not self.stretches or (passed > PAUSE and not busy):
            self.stretches.append(Stretch(at, self.length))
            self.until = at
            return 0.0
        passed = max(0.0, passed)
        self.until += passed
        self.length += passed
        return passed

    @property
    def began(self) -> float:
        """The Unix time at which it begins."""
        return self.stretches[0].began if self.stretches else self.until

    def share(self, at: float) -> float:
        """Where Unix time ``at`` lies, from 0 to 1."""
        if not self.length:
            return 0.0
        stretch = self.stretches[max(0, bisect_right(self.stretches, at, key=lambda each: each.began) - 1)]
        return min(1.0, max(0.0, (stretch.offset + at - stretch.began) / self.length))

    def ticks(self) -> Iterator[Tick]:
        """Labels at round times and after each pause, as many as there is room for."""
        step = next((step for step in _STEPS if self.length <= _MOST_TICKS * step), self.length / _MOST_TICKS)
        last = -1.0
        for at in self._times(step):
            share = self.share(at)
            if share - last >= _CLOSEST:
                yield Tick(at, share, step)
                last = share

    def _times(self, step: float) -> Iterator[float]:
        lengths = (*(stretch.offset for stretch in self.stretches[1:]), self.length)
        for number, (stretch, end) in enumerate(zip(self.stretches, lengths, strict=True)):
            if number:
                yield stretch.began
            first = math.ceil(stretch.began / step)
            last = math.floor((stretch.began + end - stretch.offset) / step)
            yield from (count * step for count in range(first, last + 1))
