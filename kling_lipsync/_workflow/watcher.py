"""One watcher for all running tasks: it alone looks, and it alone writes that a task ended."""

from __future__ import annotations

import logging
import math
from decimal import Decimal

import anyio

from .._checks import task_units
from .._tasks import task_group
from ..abc import Clock
from ..client import KlingClient
from ..errors import KlingError, TaskTimeout
from ..events import NOTHING, SlotPresumedFree, TaskEnded
from ..models import Prices, Task, TaskStatus
from ..policies import PollPolicy
from .durations import Durations
from .looks import Looker, worth
from .news import News
from .recorder import Recorder, Ticket
from .state import JobState, Step
from .watched import GIVE_UP_AFTER, LookFailures, Then, Watched

logger = logging.getLogger("kling_lipsync")

DOUBT_HOLDS_SLOT = 1800.0
"""Seconds after which a task that may exist, but cannot be found, is presumed to have ended."""


class Watcher:
    """Looks at the running tasks of a journal until each ends; ``run`` belongs in a task group of the coordinator's.

    A look takes place when the durations seen so far make it worth its requests, and never sooner than the policy's
    interval after the look before.
    """

    def __init__(self, client: KlingClient, recorder: Recorder, poll: PollPolicy, clock: Clock) -> None:
        self._client = client
        self._recorder = recorder
        self._poll = poll
        self._clock = clock
        self._looker = Looker(client.without_repeats())
        self._durations = Durations()
        self._watched: dict[str, Watched] = {}
        self._woken = anyio.Event()
        self._news = News()
        self._next_look = -math.inf
        self._failures = LookFailures(interval=poll.interval)

    def watch(self, ticket: Ticket, then: Then | None = None) -> None:
        """Begins to watch the job's task, or the slot that its doubt holds."""
        watched = self._watched.get(ticket.state.key)
        if watched is None:
            begun = self._clock.monotonic() - max(0.0, age(self._client, ticket.state))
            watched = self._watched[ticket.state.key] = Watched(ticket=ticket, begun=begun, seen=begun)
            self._woken.set()
        watched.then = then or watched.then

    def forget(self, key: str) -> None:
        """Leaves a doubtful job's slot alone while the job has its turn."""
        self._watched.pop(key, None)

    def wake_task(self, task_id: str) -> bool:
        """There is news of a task: look at it now, between two looks at all. ``False`` where it is not watched here."""
        watches = any(watched.ticket.state.task_id == task_id for watched in self._watched.values())
        if watches:
            self._news.tell(task_id)
            self._woken.set()
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
        raise TaskTimeout(
            _why_waiting(ticket.state, self._failures.last), key=ticket.state.key, task=_unfinished(ticket)
        )

    def ends_within(self, seconds: float) -> float:
        """How many slots are expected to come free in the next ``seconds``, those of tasks included that have ended
        unseen.
        """
        until = self._clock.monotonic() + seconds
        holders = (each for each in self._watched.values() if each.ticket.state.holds_slot)
        return sum(each.chance(self._durations, until) for each in holders)

    async def run(self) -> None:
        """Looks for ever; cancel it to stop."""
        while True:
            if not self._watched:
                await self._pause(None)
            told = await self._news.within(self._next_look - self._clock.monotonic())
            await self._look({task_id: (each, 1.0) for task_id, each in self._running() if task_id in told})
            if self._clock.monotonic() >= self._next_look:
                await self._look_at_all()
            await self._lend_slots()

    async def _look_at_all(self) -> None:
        wanted = self._wanted()
        if sum(chance for _, chance in wanted.values()) >= worth(len(wanted)) > 0:
            begun = self._clock.monotonic()
            await self._look(wanted, by_list=True)
            self._next_look = begun + self._failures.pause
        else:
            await self._pause(self._poll.interval)

    async def _pause(self, seconds: float | None) -> None:
        with anyio.move_on_after(seconds):
            await self._woken.wait()
        self._woken = anyio.Event()

    def _wanted(self) -> dict[str, tuple[Watched, float]]:
        """The running tasks by their ids, each with the chance that it has ended since it was last seen."""
        now = self._clock.monotonic()
        return {task_id: (each, each.urgency(self._durations, now)) for task_id, each in self._running()}

    def _running(self) -> list[tuple[str, Watched]]:
        tasks = ((each.ticket.state.task_id, each) for each in self._watched.values())
        return [(task_id, each) for task_id, each in tasks if task_id is not None]

    async def _look(self, wanted: dict[str, tuple[Watched, float]], *, by_list: bool = False) -> None:
        if not wanted:
            return
        begun = self._clock.monotonic()
        chances = {task_id: chance for task_id, (_, chance) in wanted.items()}
        sight = await self._looker.look(chances, by_list=by_list)
        self._note(None if sight.tasks else sight.error)
        async with task_group() as group:
            for task_id, task in sight.tasks.items():
                if task is not None:
                    group.start_soon(self._take, wanted[task_id][0], task)
        for task_id in sight.tasks.keys() | sight.untold:
            wanted[task_id][0].seen = begun

    async def _take(self, watched: Watched, task: Task) -> None:
        ticket = watched.ticket
        if ticket.state.next_step is not Step.WATCH:
            return
        duration = watched.duration(task, self._clock.monotonic())
        if duration is not None:
            self._durations.learn(duration)
        units = _units(task, ticket.state, self._client.gateway.prices)
        await self._recorder.append(ticket, TaskEnded(attempt=ticket.state.attempt, task=task, units=units))
        await self._drop(ticket.state.key)

    async def _drop(self, key: str) -> None:
        watched = self._watched.pop(key, None)
        if watched is None:  # the job's own turn has taken it up meanwhile
            return
        watched.woken.set()
        if watched.then is not None:
            await watched.then(key)

    async def _lend_slots(self) -> None:
        for watched in list(self._watched.values()):
            ticket = watched.ticket
            if ticket.state.holds_slot and self._overdue(ticket.state):
                await self._recorder.append(ticket, SlotPresumedFree(attempt=ticket.state.attempt))
            if not ticket.state.holds_slot and ticket.state.next_step is not Step.WATCH:
                await self._drop(ticket.state.key)

    def _overdue(self, state: JobState) -> bool:
        """Whether a task, or what may be one, has run so long that its slot counts as free."""
        limits = {Step.WATCH: self._poll.task_timeout, Step.RECONCILE: DOUBT_HOLDS_SLOT}
        limit = limits.get(state.next_step)
        return limit is not None and age(self._client, state) > limit

    def _note(self, failure: KlingError | None) -> None:
        now = self._clock.monotonic()
        self._failures.note(failure, now)
        if failure is None:
            return
        lasting = self._failures.lasting(now)
        logger.warning("a look at the running tasks failed, for %.0f s now: %s", lasting, failure)
        if lasting > GIVE_UP_AFTER:
            self._let_go()

    def _let_go(self) -> None:
        for watched in self._watched.values():
            watched.woken.set()
            watched.woken = anyio.Event()


def age(client: KlingClient, state: JobState) -> float:
    """Seconds since the job's last intent: on the server's clock where it is known, since this machine's may be set."""
    now = client.server_time
    if now is None or state.server_at is None:
        return client.clock.wall() - (state.intended_at or 0.0)
    return now - state.server_at


def _why_waiting(state: JobState, failure: KlingError | None) -> str:
    waited = f"the task {state.task_id} was not seen to end"
    reason = f"; the last look failed: {failure}" if failure else ""
    return f"{waited}{reason}; it is paid and kept in the journal: run again to go on watching"


def _units(task: Task, state: JobState, prices: Prices | None) -> Decimal:
    """What an ended task has cost: as Kling tells it, else by the prices that are known."""
    if task.units is not None:
        return task.units
    if prices is None or task.status is TaskStatus.FAILED:
        return NOTHING
    return task_units(prices, task.video_duration_ms or state.video_duration_ms)


def _unfinished(ticket: Ticket) -> Task:
    state = ticket.state
    return Task(task_id=state.task_id or "", status=TaskStatus.PROCESSING, external_task_id=state.external_task_id)
