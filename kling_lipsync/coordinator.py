"""Takes many jobs to their end: every slot of the account full, each task paid once, one outcome for each job."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from anyio.abc import TaskGroup
from attrs import frozen

from . import _workflow
from ._tasks import task_group
from ._transport import HttpTransport
from ._workflow.standing import Standing, survey
from .abc import Callbacks, JobRow, Journal, Totals
from .client import KlingClient
from .errors import ConfigurationError, InvalidJob, KlingError
from .events import Event, Outcome
from .gateways import Gateway, load_gateway
from .models import CheckReport, FaceSession, Job, Problem, Status, Video
from .policies import Budget, Limits, PollPolicy, Timeouts


class _Reader:
    """What a journal tells, whether or not jobs run."""

    def __init__(self, journal: Journal, *, to_fetch: bool) -> None:
        self._journal = journal
        self._to_fetch = to_fetch

    def survey(self, jobs: Iterable[Job]) -> AsyncIterator[Standing]:
        """How each of ``jobs`` stands in the journal, in their order: what came back changed, and what needs no turn.

        Nothing is sent.
        """
        return survey(self._journal, jobs, to_fetch=self._to_fetch)

    async def changed(self, jobs: Iterable[Job]) -> list[str]:
        """The keys whose attempt is open, in doubt or succeeded, and that come back with other media or settings."""
        return [found.job.key async for found in self.survey(jobs) if found.changed]

    async def get(self, key: str) -> Outcome | None:
        """How a job stands in the journal, or ``None`` where it is unknown."""
        row = await self._journal.row(key)
        if row is None:
            return None
        return row.outcome or Outcome(key=key, status=Status.NOT_STARTED)

    async def totals(self) -> Totals:
        """The journal in numbers."""
        return await self._journal.totals()

    def rows(self) -> AsyncIterator[JobRow]:
        """Every job of the journal, in the order it was first given."""
        return self._journal.rows()

    async def events(self, *, after: int = 0) -> Sequence[Event]:
        """Up to 1000 events that follow ``seq`` ``after``, to catch up with what was missed."""
        return await self._journal.events(after=after)


@frozen
class _Working:
    """What a coordinator works with between its ``async with`` and the end of that."""

    context: _workflow.Context
    desk: _workflow.Desk
    admission: _workflow.Admission
    inbox: _workflow.Inbox


class Coordinator(_Reader):
    """Runs lip-sync jobs through Kling, many at once, and pays for each exactly once.

    ``journal`` is a file (made if missing; ``":memory:"`` keeps nothing) that belongs to the client's account: run the
    same jobs with the same journal again, and finished ones are not touched, the others go on. ``download_to`` is the
    folder for result files; ``None`` downloads nothing. ``fit`` trims a sound that is too long instead of refusing its
    job; ``remote=False`` does not look into the headers of remote media. ``on_event`` gets each ``Event`` once it is
    durable. ``reconcile_grace`` (seconds) is how long a task that may exist is looked for. ``retry_failed`` starts
    attempts that failed in earlier runs again, ``retry_in_doubt`` creates what no look finds, at the risk of paying
    twice. ``max_failures`` stops the batch after so many. ``callbacks`` is where Kling's news of tasks comes in (a
    ``CallbackReceiver``): a task is looked at as soon as there is news of it. Use it as an asynchronous context
    manager, in one event loop.
    """

    def __init__(
        self,
        client: KlingClient,
        *,
        journal: str | Path | Journal,
        download_to: str | Path | None = None,
        limits: Limits = Limits(),
        poll: PollPolicy = PollPolicy(),
        budget: Budget | None = None,
        fit: bool = False,
        remote: bool = True,
        on_event: _workflow.Observer | None = None,
        reconcile_grace: float = 30.0,
        retry_failed: bool = False,
        retry_in_doubt: bool = False,
        max_failures: int | None = None,
        callbacks: Callbacks | None = None,
    ) -> None:
        if budget is not None and client.gateway.prices is None:
            raise ConfigurationError(
                f"a budget needs prices, and the gateway {client.gateway.name} has none: give them with its profile"
            )
        self._clock = client.clock
        super().__init__(_journal(journal, client), to_fetch=download_to is not None)
        self._client = client.paced_by(self._journal.pacer(limits.requests_per_second))
        self._poll = poll
        self._remote = _workflow.RemoteLook(client.read_range) if remote else None
        self._limits = limits
        self._slots = _workflow.Slots(limits.running_tasks, self._clock)
        self._breaker = _workflow.Breaker(max_failures=max_failures)
        self._settings = _workflow.Settings(
            download_to=Path(download_to) if download_to is not None else None,
            fit=fit,
            reconcile_grace=reconcile_grace,
            retry_failed=retry_failed,
            retry_in_doubt=retry_in_doubt,
            threads=client.threads,
            retry=client.retry,
        )
        self._recorder = _workflow.Recorder(
            journal=self._journal,
            slots=self._slots,
            breaker=self._breaker,
            clock=self._clock,
            ends=self._settings.ends,
            budget=budget.units if budget else None,
            observer=on_event,
        )
        self._callbacks = callbacks
        self._stack = AsyncExitStack()
        self._working: _Working | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._journal.open(self._client.account)
            stack.push_async_callback(self._journal.aclose)
            group = await stack.enter_async_context(task_group())
            stack.callback(group.cancel_scope.cancel)
            totals = await self._journal.totals()
            self._recorder.begun_after = totals.last_seq
            context = self._make_context(group, totals)
            if self._callbacks is not None:
                relay = _workflow.Relay(self._journal, context.watcher)
                group.start_soon(relay.run)
                context.neighbours.listen(relay.hear)
                stack.callback(self._callbacks.subscribe(relay.wake))
            self._working = await self._begin(context, group)
            self._stack = stack.pop_all()
        return self

    async def _begin(self, context: _workflow.Context, group: TaskGroup) -> _Working:
        """Takes over what earlier runs left, and starts what goes on beside the jobs."""
        claims = _workflow.Claims(context)
        await claims.take_over()
        await context.neighbours.refresh()
        group.start_soon(context.watcher.run)
        group.start_soon(context.neighbours.run, claims.take_over)
        admission = _workflow.Admission(
            self._limits.prepared_ahead, self._slots, context.watcher.ends_within, self._clock
        )
        desk = _workflow.Desk(context, claims)
        inbox = _workflow.Inbox(context, desk, admission)
        group.start_soon(inbox.run)
        return _Working(context, desk, admission, inbox)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)

    @property
    def stopped(self) -> KlingError | None:
        """Why the batch takes no new jobs (an account fault, the budget, too many failures), or ``None``."""
        return self._breaker.reason

    @asynccontextmanager
    async def as_completed(self, jobs: _workflow.Jobs) -> AsyncIterator[_workflow.Outcomes]:
        """A stream of one ``Outcome`` for each job, in the order they end; ``jobs`` may be endless, or asynchronous.

        Leaving the block early, or cancelling it, detaches: a create in flight is awaited and recorded, running tasks
        stay in the journal. Raises ``JournalError`` where the journal fails.
        """
        work = self._opened()
        outcomes = _workflow.Outcomes()
        async with task_group() as group:
            group.start_soon(_workflow.feed, work.context, work.desk, work.admission, jobs, outcomes)
            yield outcomes
            group.cancel_scope.cancel()

    async def run(self, job: Job) -> Outcome:
        """How one job ended. Its failure is in the outcome; raises ``JournalError`` only."""
        return (await self.run_all([job]))[0]

    async def run_all(self, jobs: Iterable[Job]) -> list[Outcome]:
        """How each of ``jobs`` ended, in their order. Raises ``JournalError`` only."""
        wanted = list(jobs)
        ended: dict[str, Outcome] = {}
        async with self.as_completed(wanted) as outcomes:
            async for outcome in outcomes:
                ended[outcome.key] = outcome
        return [ended[job.key] for job in wanted]

    async def submit(self, job: Job) -> None:
        """Returns once the job is on disk; it is run from here on, and after a restart from ``resume`` on.

        ``get`` and ``events`` tell how it stands. The journal keeps all of the job, signed URLs included, until it has
        ended. Raises ``InvalidJob`` for a sound in memory (give a file or a URL) and for a key that is open, in doubt
        or succeeded with other media or settings; ``JournalError``.
        """
        inbox = self._opened().inbox
        if await self.changed([job]):
            message = f"job {job.key!r} was submitted before with other media or settings: give it a key of its own"
            raise InvalidJob(message, [Problem("changed", message)])
        await inbox.submit(job)

    async def resume(self) -> list[str]:
        """The keys of all submitted jobs that have not ended; they are run from here on, as when a service starts."""
        return await self._opened().inbox.resume()

    async def discard(self, key: str) -> bool:
        """Whether nothing will be bought for a job: it is unknown, or was taken back before its create was sent.

        ``False``: a task runs, ran or may run, and the job is left as it is. Raises ``ClaimLost`` while another process
        has the job.
        """
        return await self._opened().desk.discard(key)

    async def check(self, job: Job) -> CheckReport:
        """What is known of a job before it is sent: verdict, problems, plan, price. Nothing is sent to Kling."""
        return await _workflow.check_job(self._opened().context, job)

    async def faces(self, video: Video) -> FaceSession:
        """The faces of a video: identified once, kept in the journal.

        Raises the errors of ``KlingClient.identify_faces``.
        """
        return await self._opened().context.sessions.get(video)

    def _make_context(self, group: TaskGroup, before: Totals) -> _workflow.Context:
        return _workflow.Context(
            client=self._client,
            journal=self._journal,
            recorder=self._recorder,
            slots=self._slots,
            breaker=self._breaker,
            sessions=_workflow.Sessions(self._client, self._journal, self._clock, group),
            watcher=_workflow.Watcher(self._client, self._recorder, self._poll, self._clock),
            neighbours=_workflow.Neighbours(self._journal, self._slots, lambda: self._breaker.reason is not None),
            listed=_workflow.ListedIds(self._client, before.last_at),
            is_new=not before.jobs,
            remote=self._remote,
            settings=self._settings,
            clock=self._clock,
        )

    def _opened(self) -> _Working:
        if self._working is None:
            raise RuntimeError("a Coordinator is used inside 'async with'")
        return self._working


def _journal(journal: str | Path | Journal, client: KlingClient) -> Journal:
    if isinstance(journal, (str, Path)):
        from ._journal import SqliteJournal  # a caller's own journal needs none of it

        return SqliteJournal(journal, clock=client.clock, inline=not client.threads)
    return journal


async def check(
    job: Job, *, gateway: Gateway | str = "official", fit: bool = False, remote: bool = True
) -> CheckReport:
    """What is known of a job before it is sent: verdict, problems, plan, price. Needs no key; nothing is sent to Kling.

    ``remote=False`` does not look into the headers of remote media. Raises ``ConfigurationError`` for an unknown
    gateway.
    """
    profile = gateway if isinstance(gateway, Gateway) else load_gateway(gateway)
    transport = HttpTransport(None, timeouts=Timeouts())
    try:
        look = _workflow.RemoteLook(transport.read_range) if remote else None
        return await _workflow.inspect_job(job, profile, fit=fit, remote=look)
    finally:
        await transport.aclose()
