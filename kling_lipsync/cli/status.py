"""``kling-lipsync status``: a journal in numbers, also while a run is writing it."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from .._journal import JournalView, peek
from ..abc import Totals
from ..manifest import units_number
from ..models import Status
from ._console import say, say_json
from ._exits import Exit
from ._options import Output
from ._tally import in_words, span, units

_ENOUGH = 1000
"""Tasks by which the mean duration is told; more add nothing to it."""


@frozen(kw_only=True)
class _Standing:
    """How a journal stands; ``eta`` is in seconds."""

    journal: Path
    account: str | None
    totals: Totals
    eta: float | None


async def status(journal: Path, /, *, json: bool = False, output: Output = Output()) -> int:
    """Shows what a journal has done, spent, reserved and in doubt, and when the jobs it knows will be done.

    Parameters
    ----------
    journal
        The journal's file.
    json
        Write one JSON object.
    """
    output.set_up()
    kept = await peek(journal)
    totals = await kept.totals()
    eta = _eta(totals, await _mean_elapsed(kept))
    standing = _Standing(journal=journal, account=kept.account, totals=totals, eta=eta)
    _say_json(standing) if json else _say(standing)
    return Exit.SUCCEEDED


async def _mean_elapsed(kept: JournalView) -> float | None:
    """How many seconds a task took, on average; ``None`` where none has ended."""
    elapsed: list[float] = []
    async for row in kept.rows():
        if row.outcome is not None and row.outcome.elapsed is not None:
            elapsed.append(row.outcome.elapsed)
        if len(elapsed) == _ENOUGH:
            break
    return sum(elapsed) / len(elapsed) if elapsed else None


def _eta(totals: Totals, mean: float | None) -> float | None:
    """Seconds until the jobs that are open will be done, at the slots held now; ``None`` where none runs."""
    jobs_open = totals.jobs.get(Status.RUNNING, 0) + totals.jobs.get(Status.NOT_STARTED, 0)
    if jobs_open == 0:
        return 0.0
    return None if mean is None or totals.slots == 0 else jobs_open * mean / totals.slots


def _say_json(standing: _Standing) -> None:
    totals = standing.totals
    say_json(
        {
            "journal": str(standing.journal),
            "account": standing.account,
            "jobs": {status.value: totals.jobs.get(status, 0) for status in Status},
            "running_tasks": totals.slots,
            "units_spent": units_number(totals.spent),
            "units_reserved": units_number(totals.reserved),
            "units_in_doubt": units_number(totals.in_doubt),
            "eta_s": standing.eta,
        }
    )


def _say(standing: _Standing) -> None:
    totals = standing.totals
    say(f"{standing.journal}: {sum(totals.jobs.values())} jobs")
    for name in Status:
        if totals.jobs.get(name):
            say(f"  {in_words(name):<12} {totals.jobs[name]}")
    say(f"  spent {units(totals.spent)}, reserved {units(totals.reserved)}, in doubt {units(totals.in_doubt)}")
    if standing.eta:
        say(f"  {totals.slots} tasks are running; the jobs it knows are done in about {span(standing.eta)}")
