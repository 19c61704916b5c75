"""The jobs that this process has claimed: each is taken up where the journal left it, and given back in the end."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import anyio
from anyio import CancelScope
from attrs import evolve

from .._tasks import task_group
from ..abc import Admission, JobRow
from ..errors import AnswerLost, ClaimLost, ErrorRecord
from ..events import AttemptStarted, CreateUnanswered, Event, JobChanged, SendFailed
from ..models import Job
from .admission import Place
from .context import Context
from .recorder import Ticket
from .sessions import video_name
from .settings_of import settings_of
from .state import BEFORE_MONEY, JobState, Step

logger = logging.getLogger("kling_lipsync")


class Claims:
    """A ticket for each claimed job: one that is open stays when its turn is over, since its task is watched."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._tickets: dict[str, Ticket] = {}
        self._busy: dict[str, anyio.Event] = {}
        self._told_of_others = False

    async def take_over(self) -> None:
        """Claims every open job that no living process has, so that its task is watched, waited for or not."""
        async with task_group() as group:
            for row in await self._context.journal.dead_claims():
                if row.key not in self._busy:  # else its turn claims it
                    group.start_soon(self._inherit, row)

    async def _inherit(self, row: JobRow) -> None:
        async with self.alone_with(row.key):
            with suppress(ClaimLost):  # another survivor was faster
                await self.after_crash(await self.of_row(row))

    def before_money(self, key: str) -> bool:
        """Whether no task exists for the job, as far as is known here, and none may exist."""
        ticket = self._tickets.get(key)
        return ticket is None or ticket.state.next_step in BEFORE_MONEY

    def is_busy(self, key: str) -> bool:
        """Whether somebody here works on the job."""
        return key in self._busy

    async def wait_while_busy(self, key: str) -> None:
        """Returns once nobody here works on the job."""
        while key in self._busy:
            await self._busy[key].wait()

    @asynccontextmanager
    async def alone_with(self, key: str) -> AsyncIterator[None]:
        """Nobody else here works on the job meanwhile; at the end it is given back, or its task watched."""
        done = self._busy[key] = anyio.Event()
        try:
            yield
        finally:
            del self._busy[key]
            done.set()
            await self._settle(key)

    async def of_job(self, job: Job, place: Place) -> tuple[Ticket | None, bool]:
        """The job's ticket, and whether its settings have changed; waits while another process has the job.

        There is no ticket where the batch is stopped meanwhile.
        """
        settings, video = settings_of(job), video_name(job.video)
        while job.key not in self._tickets:
            try:
                admission = await self._context.journal.admit(job.key, settings, video)
            except ClaimLost as error:
                self._tell_of_others(error)
                place.let_another_in()  # other jobs may be prepared while this one waits
                await self._context.neighbours.gives_back(job.key)
                if self._context.breaker.reason is not None:
                    return None, False
            else:
                if not admission.events:  # else it may be long until the job needs one
                    self._context.sessions.note(video, admission.session)
                return await self._current(self._keep(admission, job.meta), admission), admission.changed
        row = await self._context.journal.row(job.key)
        return self._tickets[job.key], row is not None and row.settings != settings

    async def of_row(self, row: JobRow) -> Ticket:
        """The ticket of a job that the journal knows, as it was given. Raises ``ClaimLost``."""
        if row.key not in self._tickets:
            admission = await self._context.journal.admit(row.key, row.settings)
            return self._keep(admission, row.outcome.meta if row.outcome else {})
        return self._tickets[row.key]

    async def after_crash(self, ticket: Ticket) -> None:
        """An intent without an answer: the run that wrote it ended in between, so nobody knows what became of it."""
        if ticket.state.next_step is Step.CREATE:
            error = AnswerLost("the run that sent the create ended before its answer was recorded")
            await self.write(ticket, CreateUnanswered(error=ErrorRecord.of(error)))
        elif ticket.state.sending:
            error = AnswerLost("the run that sent the request ended before its answer was recorded")
            await self.write(ticket, SendFailed(error=ErrorRecord.of(error), units=ticket.state.reserved))

    async def write(self, ticket: Ticket, event: Event) -> None:
        """Writes a fact about the job's present attempt, or the one that starts the next."""
        attempt = event.attempt if isinstance(event, AttemptStarted) else ticket.state.attempt
        await self._context.recorder.append(ticket, evolve(event, key=ticket.state.key, attempt=attempt))

    async def let_go(self, ticket: Ticket, *, ended: bool) -> None:
        """Gives the job back; ``ended``: nothing is left to do for it."""
        del self._tickets[ticket.state.key]
        with CancelScope(shield=True):
            await self._context.journal.release(ticket.claim, ended=ended)

    def _tell_of_others(self, error: ClaimLost) -> None:
        """The first such job is told aloud; there may be thousands."""
        if self._told_of_others:
            logger.info("%s", error)
        else:
            logger.warning("%s. This run waits for it, and for any others like it", error)
        self._told_of_others = True

    async def _current(self, ticket: Ticket, admission: Admission) -> Ticket:
        """What was begun for another account begins anew: its face session is that account's."""
        if admission.foreign and ticket.state.next_step in BEFORE_MONEY:
            await self.write(ticket, JobChanged())
        return ticket

    def _keep(self, admission: Admission, meta: Mapping[str, str]) -> Ticket:
        key = admission.claim.key
        seq = admission.events[-1].seq if admission.events else 0
        ticket = Ticket(claim=admission.claim, state=JobState.replay(key, admission.events), seq=seq, meta=meta)
        self._tickets[key] = ticket
        self._context.slots.change(False, ticket.state.holds_slot)
        return ticket

    async def _settle(self, key: str) -> None:
        """Gives a job back that needs nobody now; else the watcher keeps an eye on it until it does not."""
        ticket = self._tickets.get(key)
        if ticket is None or key in self._busy:
            return
        if ticket.state.holds_slot or ticket.state.next_step is Step.WATCH:
            self._context.watcher.watch(ticket, then=self._settle)
        else:
            await self.let_go(ticket, ended=ticket.state.next_step in self._context.settings.ends)
