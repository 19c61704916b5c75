"""Tasks that run at a Kling without HTTP, and a batch that keeps its slots full of them."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import anyio
from attrs import define, evolve, field

from kling_lipsync._protocol import TaskPage
from kling_lipsync._workflow.recorder import Recorder, Ticket
from kling_lipsync._workflow.state import JobState, Step
from kling_lipsync._workflow.watcher import Watcher
from kling_lipsync.abc import Claim
from kling_lipsync.errors import InvalidRequest, KlingError
from kling_lipsync.events import Event
from kling_lipsync.gateways import Gateway
from kling_lipsync.models import Task, TaskStatus
from kling_lipsync.policies import PollPolicy
from kling_lipsync.testing import VirtualClock

ORDERS = ("newest-first", "oldest-first", "shuffled")


@define(kw_only=True, eq=False)
class Running:
    """A task; moments are Unix seconds."""

    task_id: str
    created: float
    ends: float


@define(kw_only=True, eq=False)
class Tasks:
    """A client of a Kling that has tasks and a list of them; it counts requests, with the moments they came."""

    clock: Any
    order: str = "newest-first"
    lists: bool = True
    tells_times: bool = True
    tasks: dict[str, Running] = field(factory=dict)
    pages: list[float] = field(factory=list)
    singles: list[tuple[float, str]] = field(factory=list)
    failing: Callable[[str], KlingError | None] = lambda what: None
    server_time: None = None

    @property
    def gateway(self) -> Gateway:
        return Gateway(name="any", lists_tasks=self.lists)

    def without_repeats(self) -> Tasks:
        return self

    @property
    def requests(self) -> int:
        return len(self.pages) + len(self.singles)

    def add(self, seconds: float, *, ago: float = 0.0) -> str:
        """A task that was created ``ago`` and takes ``seconds``."""
        created = self.clock.wall() - ago
        task_id = f"t{len(self.tasks)}"
        self.tasks[task_id] = Running(task_id=task_id, created=created, ends=created + seconds)
        return task_id

    async def task_page(self, number: int, size: int) -> TaskPage:
        self.pages.append(self.clock.monotonic())
        await anyio.lowlevel.checkpoint()
        if (error := self.failing("list")) is not None:
            raise error
        tasks = list(self.tasks.values())
        if self.order == "newest-first":
            tasks.reverse()
        elif self.order == "shuffled":
            tasks.sort(key=lambda task: hashlib.sha256(task.task_id.encode()).digest())
        page = [self._shown(task) for task in tasks[(number - 1) * size : number * size]]
        ids = [task.task_id for task in page]
        return TaskPage(ids, task=page.__getitem__, runs=lambda place: not page[place].status.ended)

    async def get_task(self, task_id: str) -> Task:
        self.singles.append((self.clock.monotonic(), task_id))
        await anyio.lowlevel.checkpoint()
        if (error := self.failing(task_id)) is not None:
            raise error
        if task_id not in self.tasks:
            raise InvalidRequest("task not found", code=1203, status=404)
        return self._shown(self.tasks[task_id])

    def _shown(self, task: Running) -> Task:
        now = self.clock.wall()
        return Task(
            task_id=task.task_id,
            status=TaskStatus.SUCCEED if task.ends <= now else TaskStatus.PROCESSING,
            created_ms=round(task.created * 1000) if self.tells_times else None,
            updated_ms=round(min(task.ends, now) * 1000) if self.tells_times else None,
        )


@define(kw_only=True, eq=False)
class Bench:
    """A watcher over such tasks. ``watched`` and ``ended`` are the moments at which it was told of them, and wrote that
    they had ended.
    """

    tasks: Tasks
    interval: float = 5.0
    watched: dict[str, float] = field(factory=dict)
    ended: dict[str, float] = field(factory=dict)
    watcher: Watcher = field(init=False)

    @watcher.default
    def _made(self) -> Watcher:
        poll = PollPolicy(interval=self.interval)
        recorder = cast("Recorder", SimpleNamespace(append=self._append))
        return Watcher(cast("Any", self.tasks), recorder, poll, self.tasks.clock)

    async def _append(self, ticket: Ticket, event: Event) -> None:
        now = self.tasks.clock.wall()
        ticket.state = ticket.state.apply(evolve(event, key=ticket.state.key, version=ticket.state.version + 1, at=now))
        assert ticket.state.task_id is not None
        self.ended[ticket.state.task_id] = now

    def start(self, seconds: float, *, ago: float = 0.0) -> Ticket:
        """A task begins, or has begun ``ago``, and is watched."""
        task_id = self.tasks.add(seconds, ago=ago)
        state = JobState(
            key=task_id,
            next_step=Step.WATCH,
            holds_slot=True,
            task_id=task_id,
            intended_at=self.tasks.clock.wall() - ago,
        )
        ticket = Ticket(claim=Claim(task_id, "bench"), state=state)
        self.watched[task_id] = self.tasks.clock.wall()
        self.watcher.watch(ticket)
        return ticket

    async def run_to_end(self, seconds: float, *, ago: float = 0.0) -> None:
        """One task, from its create until its end was seen."""
        await self.watcher.wait_for(self.start(seconds, ago=ago))

    async def keep_full(self, slots: int, durations: Iterator[float]) -> None:
        """As many tasks at once as there are slots, each followed by the next as soon as its end was seen."""

        async def one_slot() -> None:
            for seconds in durations:
                await self.run_to_end(seconds)

        async with anyio.create_task_group() as group:
            group.start_soon(self.watcher.run)
            async with anyio.create_task_group() as batch:
                for _ in range(slots):
                    batch.start_soon(one_slot)
            group.cancel_scope.cancel()

    def utilisation(self, slots: int) -> float:
        """Slot-seconds with a running task by all slot-seconds, until no task waits to be started."""
        spans = [(task.created, task.ends) for task in self.tasks.tasks.values()]
        begin, end = min(span[0] for span in spans), max(span[0] for span in spans)
        return sum(min(stop, end) - start for start, stop in spans) / (slots * (end - begin))


def bench(*, interval: float = 5.0, **settings: Any) -> Bench:
    """A watcher over a Kling of ``settings``, in virtual time."""
    return Bench(tasks=Tasks(clock=VirtualClock(), **settings), interval=interval)


def spread(count: int, *, median: float = 240.0, sigma: float = 0.4, seed: int = 0) -> Iterator[float]:
    """Durations as tasks of life have them, the same for each seed."""
    chance = random.Random(seed)  # noqa: S311 - durations, no secrets
    return iter([median * math.exp(sigma * chance.gauss(0, 1)) for _ in range(count)])
