"""The one place where facts become durable, and where everyone who counts on them is told."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal

from attrs import define

from ..abc import Claim, Journal
from ..errors import SlotsFull
from ..events import CreateIntended, CreateNotTaken, Event, TaskCreated
from ..models import Job
from .breaker import Breaker
from .slots import Slots
from .state import JobState, Step

logger = logging.getLogger("kling_lipsync")

Observer = Callable[[Event], Awaitable[None] | None]


@define(kw_only=True, eq=False)
class Ticket:
    """A claimed job on its way: its state, and the caller's job where it was given in this run."""

    claim: Claim
    state: JobState
    job: Job | None = None


@define(kw_only=True, eq=False)
class Recorder:
    """Writes an event, moves the job's state, and tells the slots, the breaker and the caller's observer.

    ``first_seq`` is the number of the first event of this run, by which older facts are told from newer ones.
    """

    journal: Journal
    slots: Slots
    breaker: Breaker
    budget: Decimal | None = None
    observer: Observer | None = None
    first_seq: int | None = None

    async def append(self, ticket: Ticket, event: Event) -> Event:
        """The event as it was written; ``ticket.state`` has moved by it.

        Raises ``NoSlot`` (the journal holds as many as it may: wait for a turn again), ``BudgetExceeded``,
        ``JournalError``.
        """
        intends = isinstance(event, CreateIntended)
        try:
            recorded = await self._write(ticket, event)
        finally:
            if intends:
                self.slots.turn_over()
        await self._tell(recorded)
        return recorded

    async def _write(self, ticket: Ticket, event: Event) -> Event:
        before = ticket.state
        draft = before.apply(event)
        recorded = await self.journal.append(
            ticket.claim,
            event,
            after=before.version,
            outcome=draft.outcome(ticket.job.meta if ticket.job else None),
            # Only a new task asks for a slot; one that was found runs already.
            slots=self.slots.journal_ceiling if isinstance(event, CreateIntended) else None,
            budget=self.budget,
        )
        self.first_seq = self.first_seq or recorded.seq
        ticket.state = before.apply(recorded)
        self.slots.change(before.holds_slot, ticket.state.holds_slot)
        self._teach_slots(before, recorded)
        self.breaker.observe(recorded)
        if self.breaker.reason is not None:
            self.slots.wake_all()
        return recorded

    def _teach_slots(self, before: JobState, event: Event) -> None:
        if before.next_step is not Step.CREATE:
            return
        if isinstance(event, TaskCreated):
            self.slots.accepted()
        elif isinstance(event, CreateNotTaken) and event.error.type == SlotsFull.__name__:
            self.slots.refused()
        else:
            self.slots.probe_failed()

    async def _tell(self, event: Event) -> None:
        logger.info("job %s: %s", event.key, type(event).__name__)
        if self.observer is None:
            return
        try:
            answer = self.observer(event)
            if inspect.isawaitable(answer):
                await answer
        except Exception:
            logger.exception("the observer of events failed on %s of job %s", type(event).__name__, event.key)
