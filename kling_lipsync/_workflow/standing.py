"""How jobs stand in the journal before they get their turn: what is done already, and what came back changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from functools import partial
from itertools import islice
from typing import Any

from attrs import frozen

from ..abc import JobRow, Journal
from ..events import Outcome
from ..models import Job, Status
from .settings_of import settings_of

AT_ONCE = 1000
"""Jobs that are looked up together."""

_LASTING = (Status.SUCCEEDED, Status.RUNNING, Status.IN_DOUBT)


@frozen
class Standing:
    """A job, and what the journal has of it: ``row`` is ``None`` where that is nothing.

    ``changed``: its attempt is open, in doubt or succeeded, and it came back with other media or settings.
    ``finished``: nothing is left to do for it.
    """

    job: Job
    row: JobRow | None
    changed: bool = False
    finished: bool = False

    def outcome(self) -> Outcome:
        """How the job stands, read from the journal when more is asked for than a batch counts."""
        row = self.row
        if row is None or not row.version:
            return Outcome(key=self.job.key, status=Status.NOT_STARTED, meta=self.job.meta)
        return Outcome.unread(row.key, row.status, self.job.meta, partial(_whole, row), error_free=not row.has_error)

    def plain(self) -> dict[str, Any] | None:
        """The same in values that JSON has, and far cheaper; ``None`` before the job's first event."""
        plain = None if self.row is None else self.row.read_plain()
        return None if plain is None else {**plain, "meta": dict(self.job.meta)}


def standing(job: Job, row: JobRow | None, *, to_fetch: bool) -> Standing:
    """The standing of a job with this row; ``to_fetch``: its result is wanted as a file."""
    if row is None or row.status not in _LASTING:
        return Standing(job, row)
    if row.settings != settings_of(job):
        return Standing(job, row, changed=True)
    fetched = row.file is not None or not to_fetch
    return Standing(job, row, finished=row.status is Status.SUCCEEDED and fetched)


async def survey(journal: Journal, jobs: Iterable[Job], *, to_fetch: bool) -> AsyncIterator[Standing]:
    """The standing of each of ``jobs``, in their order; some are taken from ``jobs`` at a time."""
    stream = iter(jobs)
    while chunk := list(islice(stream, AT_ONCE)):
        rows = await journal.rows_of([job.key for job in chunk])
        for job in chunk:
            yield standing(job, rows.get(job.key), to_fetch=to_fetch)


def _whole(row: JobRow) -> Outcome:
    if row.outcome is None:
        raise LookupError(f"job {row.key!r} is {row.status} without an event")
    return row.outcome
