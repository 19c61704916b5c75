"""One job's turn in a run: step after step until it is done, or left for a later run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from anyio import CancelScope
from attrs import evolve

from ..abc import NoSlot
from ..errors import BudgetExceeded, ErrorRecord, InvalidJob, TaskTimeout
from ..events import Checked, Event, FaceChosen, FacesIdentified, JobRefused, Outcome
from ..models import Job
from .admission import Place
from .context import Context
from .recorder import Ticket
from .state import BEFORE_MONEY, JobState, Step
from .steps import Stopped, perform

LEAD_ON = (Checked, FacesIdentified, FaceChosen)
"""The facts from which this machine alone goes on at once, without sending anything or waiting for a slot.

A crash in between loses no more than a calculation, so what follows is written with them, with one wait for the disk.
"""


async def take_turn(context: Context, ticket: Ticket, job: Job, place: Place) -> Outcome:
    """How the job stands once its turn is over.

    Raises ``JournalError`` only; cancellation writes nothing but a create's answer.
    """
    try:
        await _go_on(context, ticket, job, place)
    except TaskTimeout as error:
        return evolve(ticket.state.outcome(job.meta), record=ErrorRecord.of(error), task=error.task)
    except BudgetExceeded as error:
        context.breaker.stop(error)
        context.slots.wake_all()
        return evolve(ticket.state.outcome(job.meta), record=ErrorRecord.of(error))
    return ticket.state.outcome(job.meta)


async def _go_on(context: Context, ticket: Ticket, job: Job, place: Place) -> None:
    ends = context.settings.ends
    with suppress(Stopped):  # the batch says why; this job is left as it was
        while ticket.state.next_step not in ends and not _is_stopped(context, ticket):
            place.reached(ticket.state.next_step)
            await _one_step(context, ticket, job)
            if ticket.state.paused:
                return


def _is_stopped(context: Context, ticket: Ticket) -> bool:
    """A stopped batch takes no job further that has nothing at Kling yet."""
    return context.breaker.reason is not None and ticket.state.next_step in BEFORE_MONEY


async def _one_step(context: Context, ticket: Ticket, job: Job) -> None:
    step = ticket.state.next_step
    if step is Step.WATCH:
        await context.watcher.wait_for(ticket)
        return
    try:
        with CancelScope(shield=step is Step.CREATE):
            facts = await _facts(context, job, ticket.state)
            await context.recorder.append(ticket, *facts)
    except InvalidJob as error:  # its external id is another job's: nothing was written
        record = ErrorRecord.of(error)
        await context.recorder.append(ticket, JobRefused(key=job.key, attempt=ticket.state.attempt, error=record))
    except NoSlot:  # another process took it: the same step waits for a turn again
        await context.neighbours.refresh()


async def _facts(context: Context, job: Job, state: JobState) -> Sequence[Event]:
    """What the next step makes of the job, and those after it that are taken at once: they are written together."""
    facts: list[Event] = []
    while True:
        facts.append(await perform(context, state.next_step, job, state))
        if not isinstance(facts[-1], LEAD_ON):
            return facts
        state = state.apply(facts[-1])
        if state.next_step is Step.INTEND:
            return facts
