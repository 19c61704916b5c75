"""Where jobs have their turns, one at a time each, and where one is taken back in time."""

from __future__ import annotations

import anyio
from anyio import CancelScope
from attrs import define, evolve, field

from ..errors import ErrorRecord, InvalidJob
from ..events import AttemptStarted, JobChanged, JobDiscarded, Outcome
from ..models import Job, Problem, Status
from .admission import Place
from .claims import Claims
from .context import Context
from .recorder import Ticket
from .settings_of import settings_of
from .state import BEFORE_MONEY, JobState, Step
from .turn import take_turn


@define(eq=False)
class _Turn:
    scope: CancelScope = field(factory=CancelScope)
    over: anyio.Event = field(factory=anyio.Event)


class Desk:
    """Serves the jobs of a batch; ``claims`` are those of this process."""

    def __init__(self, context: Context, claims: Claims) -> None:
        self._context = context
        self._claims = claims
        self._turns: dict[str, _Turn] = {}

    async def serve(self, job: Job, place: Place) -> Outcome:
        """How the job stands after its turn. Raises ``JournalError`` only."""
        await self._claims.wait_while_busy(job.key)
        async with self._claims.alone_with(job.key):
            while True:
                outcome = await self._discardable(job, place)
                if outcome is not None:
                    return outcome
                if self._claims.before_money(job.key):
                    return Outcome(key=job.key, status=Status.NOT_STARTED, meta=job.meta)

    async def discard(self, key: str) -> bool:
        """Whether nothing will be bought for the job: it is unknown, or was taken back before its create was sent.

        Raises ``ClaimLost`` while another process has it.
        """
        while self._claims.is_busy(key):
            if not self._claims.before_money(key):
                return False
            if (turn := self._turns.get(key)) is None:
                await self._claims.wait_while_busy(key)
            else:
                turn.scope.cancel()
                await turn.over.wait()
        async with self._claims.alone_with(key):
            return await self._discard(key)

    async def _discard(self, key: str) -> bool:
        row = await self._context.journal.row(key)
        if row is None:
            return True
        ticket = await self._claims.of_row(row)
        await self._claims.after_crash(ticket)
        if ticket.state.next_step not in BEFORE_MONEY:
            return False
        await self._claims.write(ticket, JobDiscarded())
        await self._claims.let_go(ticket, ended=True)
        return True

    async def _discardable(self, job: Job, place: Place) -> Outcome | None:
        """The job's turn; ``None`` where ``discard`` ended it."""
        turn = self._turns[job.key] = _Turn()
        try:
            with turn.scope:
                return await self._serve(job, place)
        finally:
            turn.over.set()
            del self._turns[job.key]
        return None

    async def _serve(self, job: Job, place: Place) -> Outcome:
        ticket, changed = await self._claims.of_job(job, place)
        if ticket is None:
            return Outcome(key=job.key, status=Status.NOT_STARTED, meta=job.meta)
        ticket.meta = job.meta
        if changed and not await self._accept_changes(ticket, job):
            return _refuse_changes(ticket.state)
        await self._take_up(ticket)
        return await take_turn(self._context, ticket, job, place)

    async def _accept_changes(self, ticket: Ticket, job: Job) -> bool:
        """Whether a changed job may take its new settings: only where no task runs, succeeded, or is in doubt."""
        state = ticket.state
        if state.next_step in BEFORE_MONEY:
            await self._claims.write(ticket, JobChanged())
        elif state.status is not Status.FAILED:
            return False
        await self._context.journal.replace_settings(ticket.claim, settings_of(job))
        return True

    async def _take_up(self, ticket: Ticket) -> None:
        """Brings the job to the step from which this run goes on."""
        await self._claims.after_crash(ticket)
        if ticket.state.next_step is not Step.WATCH:
            self._context.watcher.forget(ticket.state.key)
        if self._context.settings.retry_failed and self._failed_before(ticket):
            await self._claims.write(ticket, AttemptStarted(attempt=ticket.state.attempt + 1))

    def _failed_before(self, ticket: Ticket) -> bool:
        state, earlier = ticket.state, ticket.seq <= self._context.recorder.begun_after
        return earlier and state.next_step is Step.DONE and state.status is Status.FAILED


def _refuse_changes(state: JobState) -> Outcome:
    message = (
        f"job {state.key!r} was given before with other media or settings, and it is {state.status}; "
        "give the changed job a key of its own, or the old media and settings"
    )
    error = InvalidJob(message, [Problem("changed", message)])
    return evolve(state.outcome(), status=Status.INVALID, record=ErrorRecord.of(error))
