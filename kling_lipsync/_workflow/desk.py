"""Where a run's jobs are claimed, taken up where the journal left them, and given back."""

from __future__ import annotations

import anyio
from attrs import evolve

from ..abc import Admission
from ..errors import AnswerLost, ErrorRecord, InvalidJob
from ..events import AttemptStarted, CreateUnanswered, Event, JobChanged, Outcome, SendFailed
from ..models import Job, Problem, Status
from .admission import Place
from .context import Context
from .recorder import Ticket
from .settings_of import settings_of
from .state import BEFORE_MONEY, JobState, Step
from .turn import take_turn


class Desk:
    """The jobs that this process has claimed: each has one turn at a time, and an open one keeps its ticket after
    it.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._tickets: dict[str, Ticket] = {}
        self._busy: dict[str, anyio.Event] = {}

    async def take_over(self) -> None:
        """Claims every job that holds a slot from an earlier run, so that its task is watched, waited for or not."""
        for row in await self._context.journal.holders():
            ticket = self._keep(await self._context.journal.admit(row.key, row.settings))
            self._context.slots.change(False, True)
            await self._after_crash(ticket)
            self._context.watcher.watch(ticket)

    async def serve(self, job: Job, place: Place) -> Outcome:
        """How the job stands after its turn. Raises ``JournalError`` only."""
        while job.key in self._busy:
            await self._busy[job.key].wait()
        done = self._busy[job.key] = anyio.Event()
        try:
            return await self._serve(job, place)
        finally:
            self._give_back(job.key)
            del self._busy[job.key]
            done.set()

    async def _serve(self, job: Job, place: Place) -> Outcome:
        ticket = self._tickets.get(job.key)
        admission = None
        if ticket is None:
            admission = await self._context.journal.admit(job.key, settings_of(job))
            ticket = self._keep(admission)
        ticket.job = job
        if admission is not None and admission.changed and not await self._accept_changes(ticket, job):
            return _refuse_changes(ticket.state)
        await self._take_up(ticket)
        return await take_turn(self._context, ticket, job, place)

    def _keep(self, admission: Admission) -> Ticket:
        key = admission.claim.key
        ticket = Ticket(claim=admission.claim, state=JobState.replay(key, admission.events))
        self._tickets[key] = ticket
        return ticket

    async def _accept_changes(self, ticket: Ticket, job: Job) -> bool:
        """Whether a changed job may take its new settings: only where no task runs, succeeded, or is in doubt."""
        state = ticket.state
        if state.next_step in BEFORE_MONEY:
            await self._write(ticket, JobChanged())
        elif state.status is not Status.FAILED:
            return False
        await self._context.journal.replace_settings(ticket.claim, settings_of(job))
        return True

    async def _take_up(self, ticket: Ticket) -> None:
        """Brings the job to the step from which this run goes on."""
        await self._after_crash(ticket)
        if ticket.state.next_step is not Step.WATCH:
            self._context.watcher.forget(ticket.state.key)
        if self._context.settings.retry_failed and self._failed_before(ticket.state):
            await self._write(ticket, AttemptStarted(attempt=ticket.state.attempt + 1))

    async def _after_crash(self, ticket: Ticket) -> None:
        """An intent without an answer: the run that wrote it ended in between, so nobody knows what became of it."""
        if ticket.state.next_step is Step.CREATE:
            error = AnswerLost("the run that sent the create ended before its answer was recorded")
            await self._write(ticket, CreateUnanswered(error=ErrorRecord.of(error)))
        elif ticket.state.sending:
            error = AnswerLost("the run that sent the request ended before its answer was recorded")
            await self._write(ticket, SendFailed(error=ErrorRecord.of(error), units=ticket.state.reserved))

    def _failed_before(self, state: JobState) -> bool:
        first = self._context.recorder.first_seq
        earlier = first is None or state.seq < first
        return earlier and state.next_step is Step.DONE and state.status is Status.FAILED

    async def _write(self, ticket: Ticket, event: Event) -> None:
        attempt = event.attempt if isinstance(event, AttemptStarted) else ticket.state.attempt
        await self._context.recorder.append(ticket, evolve(event, key=ticket.state.key, attempt=attempt))

    def _give_back(self, key: str) -> None:
        ticket = self._tickets.get(key)
        if ticket is None:
            return
        if ticket.state.holds_slot or ticket.state.next_step is Step.WATCH:
            self._context.watcher.watch(ticket)
            return
        del self._tickets[key]
        self._context.journal.release(ticket.claim)


def _refuse_changes(state: JobState) -> Outcome:
    message = (
        f"job {state.key!r} was given before with other media or settings, and it is {state.status}; "
        "give the changed job a key of its own, or the old media and settings"
    )
    error = InvalidJob(message, [Problem("changed", message)])
    return evolve(state.outcome(), status=Status.INVALID, record=ErrorRecord.of(error))
