"""``kling-lipsync run``: a batch from a manifest, or one job."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
from attrs import evolve, frozen

from .._journal import JournalView
from ..client import KlingClient
from ..coordinator import Coordinator
from ..errors import ConfigurationError, DownloadError, JournalError, KlingError
from ..events import Outcome
from ..manifest import ResultsFile
from ..models import Job, Status
from ._batch import Batch
from ._console import PROGRAM, named, say, tell
from ._earlier import keep_trace, kept
from ._exits import exit_of_batch
from ._interrupts import interruptible
from ._listening import Announced, Door, Jobs, make_door
from ._options import Account, Output
from ._places import refuse_file, refuse_folder
from ._progress import shown
from ._selection import Choice, Selection, journal_beside
from ._single import Single, next_key, state_folder
from ._stock import Stock
from ._tally import Tally, in_words, money

_MOST_TOLD = 20


@frozen(kw_only=True)
class _Work:
    """What a run works on."""

    jobs: Jobs
    journal: Path
    download_to: Path | None
    selection: Selection | None = None
    door: Door | None = None


async def run(
    jobs: Path | None = None,
    /,
    *,
    download: Path | None = None,
    single: Single = Single(),
    choice: Choice = Choice(),
    batch: Batch = Batch(),
    account: Account = Account(),
    output: Output = Output(),
) -> int:
    """Runs the jobs of a manifest, each paid exactly once; run it again to go on where it was left.

    With --video instead of JOBS it runs one job and writes its file's name to stdout. Exit status: 0 all succeeded, 1
    some did not, 2 nothing was sent, 3 stopped, 4 some are in doubt, 130 interrupted, 143 terminated.

    Parameters
    ----------
    jobs
        The manifest: .csv or .jsonl.
    download
        Fetch the results of the manifest's jobs into this folder.
    """
    output.set_up()
    if jobs is None and not single.given:
        raise ConfigurationError("give a manifest (.csv or .jsonl), or --video and --audio for one job")
    client = account.client()
    door = make_door(batch.callback_listen, batch.callback_url)
    if jobs is None:
        _refuse("a manifest", [*_given(download=download), *_given(limit=choice.limit, only=choice.only)])
        work = await _one_job(single, batch, client)
    else:
        _refuse("one job", single.given)
        work = _manifest(choice.of(jobs), batch, download)
    _refuse_places(work, batch)
    return await _run(_announced(work, door), client, batch, output)


def _given(**options: object) -> list[str]:
    return [f"--{name}" for name, value in options.items() if value]


def _refuse(whose: str, given: list[str]) -> None:
    if given:
        raise ConfigurationError(f"{', '.join(given)}: only with {whose} (see: {PROGRAM} run --help)")


def _manifest(selection: Selection, batch: Batch, download: Path | None) -> _Work:
    journal = batch.journal or journal_beside(selection.manifest.path)
    return _Work(jobs=selection, journal=journal, download_to=download, selection=selection)


def _announced(work: _Work, door: Door | None) -> _Work:
    return work if door is None else evolve(work, jobs=Announced(work.jobs, door.url), door=door)


async def _one_job(single: Single, batch: Batch, client: KlingClient) -> _Work:
    job = single.job(client.gateway)
    journal = batch.journal or state_folder() / f"{job.key}.journal"
    key = await next_key(job.key, journal, again=single.again)
    path = Path.cwd() / (job.output or "")
    if path.is_dir():
        raise ConfigurationError(f"--output {single.output}: it is a folder: name a file")
    return _Work(jobs=[evolve(job, key=key, output=path.name)], journal=journal, download_to=path.parent)


def _refuse_places(work: _Work, batch: Batch) -> None:
    """Nothing is paid where it is known that what is bought cannot be written."""
    if work.download_to is not None:
        refuse_folder("--download" if work.selection else "--output", work.download_to)
    if batch.results is not None:
        refuse_file("--results", batch.results)


async def _run(work: _Work, client: KlingClient, batch: Batch, output: Output) -> int:
    tally = Tally(total=len(work.jobs), began=anyio.current_time())
    stopped: KlingError | None = None
    async with interruptible() as interruption:
        try:
            stopped = await _work_off(work, client, batch, output, tally)
        except* (JournalError, ConfigurationError) as errors:  # several jobs may meet the broken journal at once
            stopped = _first(errors)
    if stopped is not None and not tally.started:
        raise stopped
    if not isinstance(stopped, JournalError):
        await _settle(tally, work.journal)
    if stopped is not None:
        tell(f"stopped: {stopped}")
    output.note(tally.line(anyio.current_time()))
    if interruption.exit is not None:
        tell(f"to go on: {PROGRAM} {shlex.join(sys.argv[1:])}")
        return interruption.exit
    return exit_of_batch(tally.statuses, whole=not tally.unfetched, stopped=stopped is not None)


def _first(errors: ExceptionGroup[KlingError]) -> KlingError:
    inner: Exception = errors
    while isinstance(inner, ExceptionGroup):
        inner = inner.exceptions[0]
    return inner if isinstance(inner, KlingError) else KlingError(str(inner))


async def _settle(tally: Tally, journal: Path) -> None:
    """Lets the last line say what the journal says of its money, now that nothing is written to it."""
    after = await kept(journal)
    if after is not None:
        tally.totals = await after.totals()


async def _work_off(work: _Work, client: KlingClient, batch: Batch, output: Output, tally: Tally) -> KlingError | None:
    """Takes the jobs to their ends; why the batch stopped before, or ``None``."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(client)
        before = await kept(work.journal)
        if batch.results is not None:
            adopts = client.gateway.lists_tasks
            copy = await keep_trace(batch.results, work.journal, before, new_journal=batch.new_journal, adopts=adopts)
            _tell_of_copy(copy, batch.results, output)
        far = await _inherit(tally, before)
        address = await stack.enter_async_context(work.door.open()) if work.door is not None else None
        coordinator = await stack.enter_async_context(
            batch.coordinator(
                client,
                journal=work.journal,
                download_to=work.download_to,
                on_event=tally.observe,
                callbacks=work.door.receiver if work.door is not None else None,
            )
        )
        output.note(f"journal {work.journal}: {far}")
        if address is not None:
            output.note(f"callbacks come in at {address}{_if_any(client)}")
        stock = Stock(coordinator=coordinator, jobs=work.jobs, selection=work.selection, tally=tally)
        results = None
        if batch.results is not None:
            results = await stack.enter_async_context(ResultsFile(batch.results, stock.outcomes()))
        else:
            await stock.take()
        await stack.enter_async_context(shown(tally, output.mode))
        outcome = await _watch(stock.waiting(), coordinator, results, tally)
        if work.selection is None and outcome is not None:
            await _hand_over(work, client, outcome, tally)
    return coordinator.stopped


def _if_any(client: KlingClient) -> str:
    return "" if client.gateway.honours_callbacks else f", although {client.gateway.name} is not known to send any"


def _tell_of_copy(copy: Path | None, results: Path, output: Output) -> None:
    if copy is not None:
        output.note(f"{results} lists paid jobs that the journal does not know: a copy is kept as {copy}")


async def _inherit(tally: Tally, before: JournalView | None) -> str:
    """How far earlier runs came, in words; the tally goes on from there."""
    if before is None:
        return "new"
    totals = await before.totals()
    tally.inherit(totals, await before.holders())
    counts = [f"{totals.jobs[status]} {in_words(status)}" for status in Status if totals.jobs.get(status)]
    return ", ".join([*(counts or ["no jobs yet"]), *money(totals)])


async def _watch(
    jobs: Iterable[Job], coordinator: Coordinator, results: ResultsFile | None, tally: Tally
) -> Outcome | None:
    """Takes the outcomes as they come, and tells of the first that have an error; gives back the last one."""
    outcome = None
    tally.started = True
    async with coordinator.as_completed(jobs) as outcomes:
        async for outcome in outcomes:
            tally.add(outcome)
            if results is not None:
                results.append(outcome)
            if outcome.record is not None and tally.troubled <= _MOST_TOLD:
                unfetched = ", but not fetched" if outcome.status is Status.SUCCEEDED else ""
                tell(f"job {named([outcome.key])}: {in_words(outcome.status)}{unfetched}: {outcome.error}")
    return outcome


async def _hand_over(work: _Work, client: KlingClient, outcome: Outcome, tally: Tally) -> None:
    """Sees to it that the one job's result lies where it was asked for, and says where."""
    if outcome.status is not Status.SUCCEEDED or outcome.record is not None or work.download_to is None:
        return
    (job,) = work.jobs
    path = work.download_to / (job.output or "")
    if not path.exists() or outcome.file is None or not outcome.file.exists() or not outcome.file.samefile(path):
        try:
            await client.download(outcome.result().task, path)
        except DownloadError as error:
            tell(f"{error}; the result is paid and stays at Kling: run it again to fetch it")
            tally.unfetched += 1
            return
    say(str(path))
