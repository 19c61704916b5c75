"""The jobs that did not succeed, and what to do about each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from attrs import define, field

from ..abc import JobRow, JournalReader
from ..models import Status
from .batch import Trouble

MOST_LISTED = 200

_NEXT: Mapping[Status, str] = {
    Status.IN_DOUBT: "Run it again: its task is looked for. --retry-in-doubt creates what no look finds, and may pay "
    "a second time.",
    Status.FAILED: "Run it with --retry-failed: a fresh attempt, paid anew.",
    Status.SUCCEEDED: "It is paid: run it again with --download, and the video is fetched.",
    Status.INVALID: "Change what the error names, and run it again; no task was paid.",
    Status.RUNNING: "Run it again: its task is watched to its end.",
}
"""What to do about a job of each status, the most pressing first."""

_GOES_ON = "Run it again: it is taken up where it stands; no task was paid."


@define
class Troubles:
    """Collects the rows of jobs in trouble: all are counted, the first of each status are kept.

    ``at_work`` are the keys of open jobs that somebody is at work on: they are in no trouble.
    """

    at_work: AbstractSet[str]
    count: int = 0
    _kept: dict[Status, list[JobRow]] = field(factory=lambda: {status: [] for status in _NEXT})

    def look_at(self, row: JobRow) -> None:
        """Takes a job into account. Raises ``JournalError`` where its outcome cannot be read."""
        if not self._concerns(row):
            return
        self.count += 1
        if len(self._kept[row.status]) < MOST_LISTED:
            self._kept[row.status].append(row)

    def _concerns(self, row: JobRow) -> bool:
        if row.status is Status.SUCCEEDED:
            return row.file is None and row.outcome is not None and row.outcome.record is not None
        return row.status in _NEXT and row.key not in self.at_work

    @property
    def first(self) -> Sequence[JobRow]:
        """The most pressing, up to ``MOST_LISTED``."""
        return [row for rows in self._kept.values() for row in rows][:MOST_LISTED]


async def troubles_of(journal: JournalReader, rows: Sequence[JobRow]) -> Sequence[Trouble]:
    """The jobs of ``rows`` in words. Raises ``JournalError``."""
    return [await _trouble(journal, row) for row in rows]


async def _trouble(journal: JournalReader, row: JobRow) -> Trouble:
    outcome = row.outcome
    goes_on = row.status is Status.FAILED and await _is_paused(journal, row.key)
    return Trouble(
        key=row.key,
        status=row.status,
        attempts=row.attempt,
        error=str(outcome.error or "") if outcome else "",
        next=_GOES_ON if goes_on else _NEXT[row.status],
    )


async def _is_paused(journal: JournalReader, key: str) -> bool:
    """Whether the job's last event left it to the next run."""
    paused, after = False, 0
    while page := await journal.events(after=after, key=key):
        paused, after = page[-1].pauses, page[-1].seq
    return paused
