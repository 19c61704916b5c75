"""The one place where facts become durable, and where everyone who counts on them is told."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from itertools import pairwise

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
    """A claimed job on its way: its state, the number of its last event, and what its caller passes through to its
    outcome.
    """

    claim: Claim
    state: JobState
    seq: int = 0
    meta: Mapping[str, str] = field(factory=dict)


@define(kw_only=True, eq=False)
class Recorder:
    """Writes events, moves the job's state, and tells the slots, the breaker and the caller's observer.

    At the steps ``ends`` nothing is left to do for a job. ``begun_after`` is the number of the journal's last event
    when this run began.
    """

    journal: Journal
    slots: Slots
    breaker: Breaker
    clock: Clock
    ends: AbstractSet[Step]
    budget: Decimal | None = None
    observer: Observer | None = None
    begun_after: int = 0

    async def append(self, ticket: Ticket, *events: Event) -> None:
        """Writes ``events``, all or none; ``ticket.state`` has moved by them.

        Raises ``NoSlot`` (the journal holds as many as it may: wait for a turn again), ``BudgetExceeded``,
        ``JournalError``.
        """
        intends = any(isinstance(event, CreateIntended) for event in events)
        try:
            recorded = await self._write(ticket, events, intends)
        finally:
            if intends:
                self.slots.turn_over()
        for event in recorded:
            await self._tell(event)

    async def _write(self, ticket: Ticket, events: Sequence[Event], intends: bool) -> Sequence[Event]:
        before, now = ticket.state, self.clock.wall()
        states = [before]
        for version, event in enumerate(events, before.version + 1):
            states.append(states[-1].apply(evolve(event, version=version, at=now)))
        after = states[-1]
        recorded = await self.journal.append(
            ticket.claim,
            *events,
            after=before.version,
            outcome=after.outcome(ticket.meta),
            ended=after.next_step in self.ends,
            # Only a new task asks for a slot; one that was found runs already.
            slots=self.slots.journal_ceiling if intends else None,
            budget=self.budget,
        )
        ticket.state, ticket.seq = after, recorded[-1].seq
        for (each, following), event in zip(pairwise(states), recorded, strict=True):
            self._count(each, following, event)
        return recorded

    def _count(self, before: JobState, after: JobState, event: Event) -> None:
        self.slots.change(before.holds_slot, after.holds_slot)
        self._teach_slots(before, event)
        self.breaker.observe(event)
        if self.breaker.reason is not None:
            self.slots.wake_all()

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
