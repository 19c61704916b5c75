"""A batch in numbers while it runs: what the progress shows and what the exit status is decided by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from decimal import Decimal

from attrs import define, field

from ..abc import JobRow, Totals
from ..events import NOTHING, Event, Outcome, TaskEnded
from ..models import Status

_FEWEST_FOR_RATE = 3
"""Tasks that must have ended before a rate is told."""


@define(kw_only=True)
class Tally:
    """Counts events and outcomes. ``total`` is the number of jobs, ``began`` the moment (monotonic seconds) it was
    made, ``started`` whether jobs were handed over; ``spent`` is what the journal has spent in its life, ``totals`` how
    it stood in the end, once that is known.
    """

    total: int
    began: float
    started: bool = False
    spent: Decimal = NOTHING
    totals: Totals | None = None
    counts: Counter[Status] = field(factory=Counter)
    unfetched: int = 0
    troubled: int = 0
    ended: int = 0
    _running: set[str] = field(factory=set)

    def inherit(self, totals: Totals, holders: Iterable[JobRow]) -> None:
        """Begins with what earlier runs have spent, and with the jobs that they left holding a slot."""
        self.spent = totals.spent
        self._running.update(row.key for row in holders)

    def observe(self, event: Event) -> None:
        """Takes one fact into account."""
        self.spent += event.spends
        if event.slot is True:
            self._running.add(event.key)
        elif event.slot is False:
            self._running.discard(event.key)
        self.ended += isinstance(event, TaskEnded)

    def add(self, outcome: Outcome) -> None:
        """Takes the end of a job's turn into account."""
        if outcome.status in (Status.SUCCEEDED, Status.FAILED):
            self._running.discard(outcome.key)  # another process may have seen its task end
        self.counts[outcome.status] += 1
        self.troubled += outcome.record is not None
        self.unfetched += outcome.status is Status.SUCCEEDED and outcome.record is not None

    @property
    def statuses(self) -> AbstractSet[Status]:
        """How the jobs that had their turn stand."""
        return frozenset(status for status, count in self.counts.items() if count)

    @property
    def done(self) -> int:
        """Jobs that had their turn in this run."""
        return self.counts.total()

    @property
    def running(self) -> int:
        """Tasks that hold a slot."""
        return len(self._running)

    def rate(self, now: float) -> float | None:
        """Tasks that ended in a second, or ``None`` where too few have."""
        passed = now - self.began
        return self.ended / passed if self.ended >= _FEWEST_FOR_RATE and passed > 0 else None

    def line(self, now: float) -> str:
        """All of it in one line, at the moment ``now`` (monotonic seconds)."""
        held = f"{self.running} slot{'' if self.running == 1 else 's'} held"
        spent = money(self.totals) if self.totals else [f"{units(self.spent)} spent"]
        parts = [f"{self.done}/{self.total} jobs", *self._by_status(), held, *spent]
        rate = self.rate(now)
        if rate is not None and self.done < self.total:
            parts += [f"{rate * 60:.1f} a minute", f"{span((self.total - self.done) / rate)} to go"]
        return ", ".join(parts)

    def _by_status(self) -> list[str]:
        parts = [f"{self.counts[status]} {in_words(status)}" for status in Status if self.counts[status]]
        return [*parts, f"{self.unfetched} not fetched"] if self.unfetched else parts


def in_words(status: Status) -> str:
    """A status for people to read."""
    return status.value.replace("_", " ")


def money(totals: Totals) -> list[str]:
    """What was spent, and where there is any, what is reserved for running tasks and what is in doubt: in words."""
    parts = ((totals.spent, "spent"), (totals.reserved, "reserved"), (totals.in_doubt, "in doubt"))
    return [f"{units(amount)} {word}" for amount, word in parts if amount or word == "spent"]


def units(amount: Decimal) -> str:
    """An amount of units for people to read."""
    return f"{amount.normalize():f} units"


def span(seconds: float) -> str:
    """A length of time for people to read: its two largest parts."""
    minutes, hours, days = round(seconds / 60), round(seconds / 3600), round(seconds / 86400, 1)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{hours} h" if hours < 72 else f"{days:g} days"
