"""``kling-lipsync check``: what can be known of a manifest's jobs before anything is sent, and their worst price."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from attrs import define, field
from cyclopts import Parameter

from .._journal import JournalView, peek
from .._transport import HttpTransport
from .._workflow.inspect import CheckReport, inspect_job
from .._workflow.remote import RemoteLook
from ..abc import JobRow
from ..events import NOTHING
from ..gateways import Gateway
from ..manifest import plan_object, units_number
from ..models import Job, Plan, Status, Verdict
from ..policies import Timeouts
from ._console import aligned, printable, say, say_json
from ._earlier import kept
from ._exits import Exit
from ._options import Account, Count, Output
from ._selection import Choice, Selection, journal_beside
from ._tally import money, span, units
from ._windows import in_windows

_AT_ONCE = 16
_TASK_SECONDS = 300.0
"""How long a task takes, roughly: users report 3 to 8 minutes."""
_WIDTHS = (24, 7, 9, 9, 8, 0)


@define
class _Sums:
    """What the rows add up to."""

    verdicts: Counter[Verdict] = field(factory=Counter)
    worst: Decimal = NOTHING
    left: Decimal = NOTHING
    jobs_left: int = 0
    unpriced: int = 0

    def add(self, report: CheckReport, row: JobRow | None) -> None:
        self.verdicts[report.verdict] += 1
        done = row is not None and row.status is Status.SUCCEEDED
        if report.verdict is Verdict.FAIL and not done:
            return
        self.jobs_left += not done
        if report.worst_case_units is None:
            self.unpriced += 1
            return
        paid = row.outcome.units if row is not None and row.outcome is not None else NOTHING
        self.worst += report.worst_case_units
        self.left += NOTHING if done else max(NOTHING, report.worst_case_units - paid)


async def check(
    jobs: Path,
    /,
    *,
    json: bool = False,
    fit: bool = False,
    no_remote: Annotated[bool, Parameter(name="--no-remote")] = False,
    running_tasks: Count = 5,
    journal: Path | None = None,
    choice: Choice = Choice(),
    account: Account = Account(),
    output: Output = Output(),
) -> int:
    """Checks every job of a manifest, plans it, and says what it would cost at most. Sends nothing to Kling.

    Writes a table to stdout and the sums to stderr. Exit status: 0 nothing fails, 1 some jobs would be refused, 2 the
    manifest is wrong.

    Parameters
    ----------
    jobs
        The manifest: .csv or .jsonl.
    json
        Write a JSON line for each job instead of a table.
    fit
        Trim a sound that is too long, as run --fit would.
    no_remote
        Do not look into the headers of remote media.
    running_tasks
        Tasks that the account may run at once, for the time it would take; default: 5.
    journal
        What it has paid already is taken off the price; default: the manifest's name + .journal, if there is one.
    """
    output.set_up()
    gateway = account.profile()
    selection = choice.of(jobs)
    sums = _Sums()
    paid = await _paid(journal, selection)
    if not json:
        say(aligned(("KEY", "VERDICT", "UNITS", "VIDEO", "SOUND", "PLAN"), _WIDTHS))
    async with _looking(no_remote) as remote:
        inspect = partial(inspect_job, gateway=gateway, fit=fit, remote=remote)
        async for window in in_windows(inspect, selection, _AT_ONCE):
            rows = await paid.rows_of([job.key for job, _ in window]) if paid else {}
            for job, report in window:
                sums.add(report, rows.get(job.key))
                _say(job, report, json=json)
    output.note(_summary(sums, gateway, running_tasks))
    if paid is not None:
        output.note(f"its journal so far: {', '.join(money(await paid.totals()))}")
    if not gateway.shows_tasks:
        output.note(
            f"the gateway {gateway.name} can show neither a list of tasks nor a task by its external id: should the "
            "answer to a create get lost, its job stays in doubt"
        )
    return Exit.UNSUCCESSFUL if sums.verdicts[Verdict.FAIL] else Exit.SUCCEEDED


@asynccontextmanager
async def _looking(no_remote: bool) -> AsyncIterator[RemoteLook | None]:
    """How remote media are looked at: without a key, and once each."""
    transport = HttpTransport(None, timeouts=Timeouts())
    try:
        yield None if no_remote else RemoteLook(transport.read_range)
    finally:
        await transport.aclose()


async def _paid(journal: Path | None, selection: Selection) -> JournalView | None:
    """The journal asked for, or the one beside the manifest if it is there."""
    if journal is not None:
        return await peek(journal)
    return await kept(journal_beside(selection.manifest.path))


def _say(job: Job, report: CheckReport, *, json: bool) -> None:
    if json:
        say_json(report_line(job.key, report))
        return
    times = (_seconds(report.video_duration_ms), _seconds(report.sound_duration_ms), _plan(report.plan))
    price = "?" if report.worst_case_units is None else f"{report.worst_case_units.normalize():f}"
    say(aligned((printable(job.key), report.verdict.value, price, *times), _WIDTHS))
    for problem in report.problems:
        say(f"    {problem.verdict.value}: {problem.message}")


def report_line(key: str, report: CheckReport) -> Mapping[str, Any]:
    """A report as its line of ``check --json``: names, order and types are a format that other programs read."""
    worst = report.worst_case_units
    return {
        "key": key,
        "verdict": report.verdict.value,
        "problems": [{"rule": p.rule, "verdict": p.verdict.value, "message": p.message} for p in report.problems],
        "plan": plan_object(report.plan),
        "sound_duration_ms": report.sound_duration_ms,
        "video_duration_ms": report.video_duration_ms,
        "worst_case_units": None if worst is None else units_number(worst),
    }


def _seconds(duration_ms: int | None) -> str:
    return "?" if duration_ms is None else f"{duration_ms / 1000:.3f} s"


def _plan(plan: Plan | None) -> str:
    if plan is None:
        return "-"
    return f"sound {plan.sound_start_ms}-{plan.sound_end_ms} ms at {plan.sound_insert_ms} ms"


def _summary(sums: _Sums, gateway: Gateway, slots: int) -> str:
    counts = ", ".join(f"{sums.verdicts[verdict]} {verdict.value}" for verdict in Verdict if sums.verdicts[verdict])
    time = f"about {span(sums.jobs_left * _TASK_SECONDS / slots)} at {slots} running tasks"
    if sums.unpriced:
        return f"{counts}; the prices of {gateway.name} are not known (--prices FILE gives them); {time}"
    paid = f", {units(sums.left)} of them still to be paid" if sums.left != sums.worst else ""
    return f"{counts}; at most {units(sums.worst)}{paid}; {time}"
