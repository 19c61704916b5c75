"""How long tasks take, as far as the ended ones tell, and how likely another has ended meanwhile. No clock, no I/O."""

from __future__ import annotations

from itertools import accumulate
from math import log2

from attrs import define, field

SHORTEST, OCTAVES, BINS_PER_OCTAVE = 0.05, 21, 8
"""The classes by which durations are counted: 8 to each doubling, from 0.05 s to some 29 hours."""

BINS = OCTAVES * BINS_PER_OCTAVE

DOCUMENTED = {(180.0, 480.0): 1.8, (480.0, 900.0): 0.2}
"""What counts before the first results: as if two tasks had taken Kling's 3 to 8 minutes, up to 15 at times."""

UNHEARD_OF = 0.1
"""The weight, in tasks, of the chance that a task takes any time at all, as in a world that is faster than Kling.

Spread evenly over all doublings: as long as nothing is known, it asks for a look at every half doubling of an age.
"""

REMEMBERED = 500
"""The durations of about so many tasks count; older ones fade."""


def _bin_of(seconds: float) -> float:
    """Where a duration falls on the scale of classes; the fraction is how far into its class."""
    return min(BINS - 1e-9, max(0.0, BINS_PER_OCTAVE * log2(max(seconds, SHORTEST) / SHORTEST)))


def _documented() -> list[float]:
    counts = [0.0] * BINS
    for (begin, end), weight in DOCUMENTED.items():
        first, last = int(_bin_of(begin)), int(_bin_of(end))
        for index in range(first, last):
            counts[index] += weight / (last - first)
    return counts


@define
class Durations:
    """A histogram of how long tasks took. Durations and ages are in seconds."""

    _counts: list[float] = field(factory=_documented, init=False)
    _ended: list[float] = field(init=False)

    @_ended.default
    def _summed(self) -> list[float]:
        """The share of tasks that end before each class, and 1 after the last."""
        spread = UNHEARD_OF / BINS
        sums = list(accumulate((count + spread for count in self._counts), initial=0.0))
        return [each / sums[-1] for each in sums]

    def learn(self, duration: float) -> None:
        """A task took so long."""
        keep = 1 - 1 / REMEMBERED
        self._counts = [count * keep for count in self._counts]
        self._counts[int(_bin_of(duration))] += 1
        self._ended = self._summed()

    def ended_by(self, age: float) -> float:
        """The share of tasks that have ended by this age, from 0 to 1."""
        if age <= SHORTEST:
            return 0.0
        place = _bin_of(age)
        index = int(place)
        before = self._ended[index]
        return before + (self._ended[index + 1] - before) * (place - index)

    def chance(self, since: float, age: float) -> float:
        """How likely a task that still ran at the age ``since`` has ended by ``age``, from 0 to 1."""
        if age <= since:
            return 0.0
        running = 1 - self.ended_by(since)
        return 1 - (1 - self.ended_by(age)) / running if running > 0 else 1.0
