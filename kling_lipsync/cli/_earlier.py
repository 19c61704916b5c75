"""What an earlier run left, looked at before anything is sent: its journal, and the results that it listed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import anyio.to_thread
from anyio import Path as AsyncPath

from .._journal import JournalView, peek
from .._workflow.context import journal_mark
from ..errors import ConfigurationError
from ..manifest import Listed, keep_beside, listed
from ._console import named

_AT_ONCE = 1000
_MOST_TOLD = 5


async def kept(journal: Path) -> JournalView | None:
    """What ``journal`` keeps, or ``None`` where there is none yet; a file that is empty holds none either.

    Raises JournalError.
    """
    path = AsyncPath(journal)
    if not await path.exists() or (await path.is_file() and not (await path.stat()).st_size):
        return None
    return await peek(journal)


async def keep_trace(
    results: Path, journal: Path, view: JournalView | None, *, new_journal: bool, adopts: bool
) -> Path | None:
    """Sees to it that no trace of a paid task is written over; ``view`` is what ``journal`` keeps.

    Jobs that ``results`` list as paid are in the journal of the run that wrote them. Where ``journal`` does not know
    one of them, the journal was lost, moved, or another one was given: the job would be paid again, and its line is
    all that is left of the first time. That is refused, unless ``new_journal``, or where the task bears the mark of
    this very journal, which was restored from a backup then, and the gateway ``adopts``: it lists its tasks, among
    which this one is found again. A copy of the results is kept, whose path is given back. Raises ConfigurationError,
    and JournalError.
    """
    unknown = await _unknown(results, view)
    if not unknown:
        return None
    mark = journal_mark(view.journal_id) if view and adopts else None
    lost = [key for key, external in unknown.items() if mark is None or not external.startswith(mark)]
    if lost and not new_journal:
        raise ConfigurationError(_refusal(results, journal, lost))
    return await anyio.to_thread.run_sync(keep_beside, results)


async def _unknown(results: Path, journal: JournalView | None) -> dict[str, str]:
    """The jobs that ``results`` list as paid and that the journal lacks, with their external ids; they alone are held
    in memory.
    """
    unknown: dict[str, str] = {}
    lines = listed(results)
    while page := await anyio.to_thread.run_sync(_page, lines):
        last = {job.key: job for job in page}
        known = await journal.known(list(last)) if journal else set()
        for key, job in last.items():
            if job.paid and key not in known:
                unknown[key] = job.external_task_id
            else:
                unknown.pop(key, None)
    return unknown


def _page(lines: Iterator[Listed]) -> list[Listed]:
    return list(islice(lines, _AT_ONCE))


def _refusal(results: Path, journal: Path, unknown: list[str]) -> str:
    jobs = "a paid job" if len(unknown) == 1 else f"{len(unknown)} paid jobs"
    return (
        f"{results} lists {jobs} that the journal {journal} does not know: {named(unknown, _MOST_TOLD)}; running on "
        "could pay again, and nothing was sent: give the journal of that run (--journal FILE), results of another name "
        "(--results FILE), or --new-journal to go on all the same; a copy of the results is kept then"
    )
