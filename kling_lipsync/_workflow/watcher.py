"""One watcher for all running tasks: it alone looks, and it alone writes that a task ended."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal

import anyio
from attrs import define, field

from .._checks import task_units
from ..abc import Clock
from ..client import KlingClient
from ..errors import KlingError, TaskTimeout
from ..events import NOTHING, SlotPresumedFree, TaskEnded
from ..models import Task, TaskStatus
from ..policies import PollPolicy
from .looks import look
from .news import News
from .recorder import Recorder, Ticket
from .state import JobState, Step

logger = logging.getLogger("kling_lipsync")

DOUBT_HOLDS_SLOT = 1800.0
"""Seconds after which a task that may exist, but cannot be found, is presumed to have ended."""

RARELY = 10
"""A task past its time limit is part of every so many-th look only."""

GIVE_UP_AFTER = 900.0
"""Seconds of looks that all fail, after which those who wait are told so."""


Then = Callable[[str], Awaitable[None]]
"""What is called with a job's key once it is watched no longer."""


@define(kw_only=True, eq=False)
class _Watched:
    ticket: Ticket
    woken: anyio.Event = field(factory=anyio.Event)
    then: Then | None = None


class Watcher:
    """Looks at the running tasks of a journal until each ends; ``run`` belongs in a task group of the coordinator's."""

    def __init__(self, client: KlingClient, recorder: Recorder, poll: PollPolicy, clock: Clock) -> None:
        self._client = client
        self._recorder = recorder
        self._poll = poll
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self._woken = anyio.Event()
        self._news = News()
        self._looks = 0
        self._failing_since: float | None = None
        self._failure: KlingError | None = None

    def watch(self, ticket: Ticket, then: Then | None = None) -> None:
        """Begins to watch the job's task, or the slot that its doubt holds."""
        watched = self._watched.setdefault(ticket.state.key, _Watched(ticket=ticket))
        watched.then = then or watched.then
        self._woken.set()

    def forget(self, key: str) -> None:
        """Leaves a doubtful job's slot alone while the job has its turn."""
        self._watched.pop(key, None)

    def wake_task(self, task_id: str) -> bool:
        """There is news of a task: look at it now, between two looks at all. ``False`` where it is not watched here."""
        watches = any(watched.ticket.state.task_id == task_id for watched in self._watched.values())
        if watches:
            self._news.tell(task_id)
        return watches

    async def wait_for(self, ticket: Ticket) -> None:
        """Returns once the job's task has ended and that is written. Raises ``TaskTimeout`` after the policy's time-
        out.

        It is raised too when no look has succeeded for a quarter of an hour.
        """
        self.watch(ticket)
        watched = self._watched[ticket.state.key]
        with anyio.move_on_after(self._poll.task_timeout):
            await watched.woken.wait()
        if ticket.state.next_step is not Step.WATCH:
            return
        raise TaskTimeout(self._why_waiting(ticket), key=ticket.state.key, task=_unfinished(ticket))

    async def run(self) -> None:
        """Looks for ever; cancel it to stop."""
        while True:
            if not self._watched:
                await self._woken.wait()
            self._woken = anyio.Event()
            next_look = anyio.current_time() + self._poll.interval
            while told := await self._news.until(next_look):
                there_is_news = [w.ticket for w in self._watched.values() if w.ticket.state.task_id in told]
                await self._look(there_is_news, by_list=False)
            self._looks += 1
            await self._look(self._due())

    async def _look(self, at: list[Ticket], *, by_list: bool = True) -> None:
        tickets = {t.state.task_id: t for t in at if t.state.task_id is not None}
        try:
            tasks = await look(self._client, tickets.keys(), by_list=by_list) if tickets else {}
        except KlingError as error:
            self._note_failure(error)
        else:
            self._failing_since = self._failure = None
            for task_id, task in tasks.items():
                await self._take(tickets[task_id], task)
        await self._lend_slots()

    def _due(self) -> list[Ticket]:
        everyone = self._looks % RARELY == 0
        return [w.ticket for w in self._watched.values() if everyone or w.ticket.state.holds_slot]

    async def _take(self, ticket: Ticket, task: Task) -> None:
        if not task.status.ended or ticket.state.next_step is not Step.WATCH:
            return
        await self._recorder.append(
            ticket, TaskEnded(attempt=ticket.state.attempt, task=task, units=self._units(ticket, task))
        )
        await self._drop(ticket.state.key)

    def _units(self, ticket: Ticket, task: Task) -> Decimal:
        if task.units is not None:
            return task.units
        prices = self._client.gateway.prices
        if prices is None or task.status is TaskStatus.FAILED:
            return NOTHING
        return task_units(prices, task.video_duration_ms or ticket.state.video_duration_ms)

    async def _lend_slots(self) -> None:
        for watched in list(self._watched.values()):
            ticket = watched.ticket
            if ticket.state.holds_slot and self._overdue(ticket.state):
                await self._recorder.append(ticket, SlotPresumedFree(attempt=ticket.state.attempt))
            if not ticket.state.holds_slot and ticket.state.next_step is not Step.WATCH:
                await self._drop(ticket.state.key)

    async def _drop(self, key: str) -> None:
        watched = self._watched.pop(key, None)  # its job's turn may have taken it back meanwhile
        if watched is None:
            return
        watched.woken.set()
        if watched.then is not None:
            await watched.then(key)

    def _overdue(self, state: JobState) -> bool:
        """Whether a task, or what may be one, has run so long that its slot counts as free."""
        limits = {Step.WATCH: self._poll.task_timeout, Step.RECONCILE: DOUBT_HOLDS_SLOT}
        limit = limits.get(state.next_step)
        return limit is not None and age(self._client, state) > limit

    def _note_failure(self, error: KlingError) -> None:
        now = self._clock.monotonic()
        self._failing_since = now if self._failing_since is None else self._failing_since
        self._failure = error
        logger.warning("a look at the running tasks failed, for %.0f s now: %s", now - self._failing_since, error)
        if now - self._failing_since > GIVE_UP_AFTER:
            self._let_go()

    def _let_go(self) -> None:
        for watched in self._watched.values():
            watched.woken.set()
            watched.woken = anyio.Event()

    def _why_waiting(self, ticket: Ticket) -> str:
        waited = f"the task {ticket.state.task_id} was not seen to end"
        reason = f"; the last look failed: {self._failure}" if self._failure else ""
        return f"{waited}{reason}; it is paid and kept in the journal: run again to go on watching"


def age(client: KlingClient, state: JobState) -> float:
    """Seconds since the job's last intent: on the server's clock where it is known, since this machine's may be set."""
    now = client.server_time
    if now is None or state.server_at is None:
        return client.clock.wall() - (state.intended_at or 0.0)
    return now - state.server_at


def _unfinished(ticket: Ticket) -> Task:
    state = ticket.state
    return Task(task_id=state.task_id or "", status=TaskStatus.PROCESSING, external_task_id=state.external_task_id)
