"""The one place where facts become durable, and where everyone who counts on them is told."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

from attrs import define, evolve, field

from ..abc import Claim, Clock, Journal
from ..errors import SlotsFull
from ..events import CreateIntended, CreateNotTaken, Event, TaskCreated
from .breaker import Breaker
from .slots import Slots
from .state import JobState, Step

logger = logging.getLogger("kling_lipsync")

Observer = Callable[[Event], Awaitable[None] | None]


@define(kw_only=True, eq=False)
class Ticket:
    """A claimed job on its way: its state, and what its caller passes through to its outcome."""

    claim: Claim
    state: JobState
    meta: Mapping[str, str] = field(factory=dict)


@define(kw_only=True, eq=False)
class Recorder:
    """Writes an event, moves the job's state, and tells the slots, the breaker and the caller's observer.

    ``begun_after`` is the number of the journal's last event when this run began.
    """

    journal: Journal
    slots: Slots
    breaker: Breaker
    clock: Clock
    budget: Decimal | None = None
    observer: Observer | None = None
    begun_after: int = 0

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
        draft = before.apply(evolve(event, at=self.clock.wall()))
        recorded = await self.journal.append(
            ticket.claim,
            event,
            after=before.version,
            outcome=draft.outcome(ticket.meta),
            # Only a new task asks for a slot; one that was found runs already.
            slots=self.slots.journal_ceiling if isinstance(event, CreateIntended) else None,
            budget=self.budget,
        )
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
