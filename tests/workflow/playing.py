"""A Kling without I/O, and a client that has to ask for everything: what a step is played with, without a loop.

A step of the workflow runs as a bare coroutine: each of its requests and sleeps is an ``Asked``, handed to whoever
drives it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from types import SimpleNamespace
from typing import Any, cast

from attrs import define, field, frozen

from kling_lipsync._workflow.breaker import Breaker
from kling_lipsync._workflow.context import Context, Settings
from kling_lipsync.errors import InvalidRequest
from kling_lipsync.gateways import Gateway
from kling_lipsync.models import Task, TaskStatus
from kling_lipsync.sandbox import Duplicates

GRACE = 30.0
"""Seconds: more than a create and the list can be late together, where Kling takes two tasks of one external id."""

LATEST_CREATE, LATEST_IN_LIST = 20.0, 8.0
AGES = 3 * 3600.0
"""How late a create may be, in seconds, where Kling refuses a second task of one external id."""


@define(kw_only=True)
class Kling:
    """A Kling that keeps tasks and shows them as late, and as incompletely, as it was told to."""

    finds_external_ids: bool
    lists_tasks: bool
    newest_first: bool
    duplicates: Duplicates
    words: str = "external_task_id: already exists"
    now: float = 1_800_000_000.0
    tasks: list[Task] = field(factory=list)
    on_its_way: list[tuple[float, str]] = field(factory=list)
    """Creates that nobody waits for any more: when they arrive, and their external ids."""

    def buy(self, external_id: str | None) -> Task:
        """Takes a task; what a second one of the same external id gets is a matter of settings."""
        self.now += 0.001
        old = next((task for task in self.tasks if external_id and task.external_task_id == external_id), None)
        if old is not None and self.duplicates is Duplicates.RETURN_OLD:
            return old
        if old is not None and self.duplicates is Duplicates.REFUSE:
            raise InvalidRequest(self.words, code=1201, status=400)
        status, created = TaskStatus.PROCESSING, round(self.now * 1000)
        name = f"t{len(self.tasks)}"
        task = Task(task_id=name, status=status, external_task_id=external_id, created_ms=created)
        self.tasks.append(task)
        return task

    def pass_time(self, seconds: float) -> None:
        """Lets time pass, and creates arrive that were on their way."""
        until = self.now + seconds
        for arrival, external_id in sorted(self.on_its_way):
            if arrival <= until:
                self.on_its_way.remove((arrival, external_id))
                self.now = max(self.now, arrival)
                self._take_late(external_id)
        self.now = max(self.now, until)

    def _take_late(self, external_id: str) -> None:
        try:
            self.buy(external_id)
        except InvalidRequest:
            return  # it collided, and nobody hears the refusal

    def get(self, name: str) -> Task:
        """A task by its id, and by its external id where that is served."""
        for task in self.tasks:
            if task.task_id == name or (self.finds_external_ids and task.external_task_id == name):
                return task
        raise InvalidRequest("task not found", code=1203, status=404)

    def page(self, number: int, size: int) -> Sequence[Task]:
        """A page of the list, in which a task shows late."""
        shown = [task for task in self.tasks if (task.created_ms or 0) / 1000 <= self.now - LATEST_IN_LIST]
        ordered = shown[::-1] if self.newest_first else shown
        return ordered[(number - 1) * size : number * size]


@frozen
class Asked:
    """What a step waits for; whoever drives the step gives it, or throws."""

    what: str
    args: tuple[Any, ...] = ()

    def __await__(self) -> Generator[Asked, Any, Any]:
        return (yield self)


async def ask_to_sleep(seconds: float) -> None:
    await Asked("sleep", (seconds,))


@frozen
class AskingClient:
    """A client whose every request is asked of the machine."""

    gateway: Gateway
    clock: Any

    @property
    def server_time(self) -> float:
        return float(self.clock.wall())

    def without_repeats(self) -> AskingClient:
        return self

    async def create_ordered_task(self, order: Any) -> Any:
        return await Asked("create", (order.external_task_id,))

    async def get_task(self, name: str) -> Any:
        return await Asked("get", (name,))

    async def list_page(self, number: int, size: int) -> Any:
        return await Asked("list", (number, size))


def context_over(kling: Kling, gateway: Gateway) -> Context:
    """The tools that the steps need, over the machine's Kling and its clock."""

    async def turn(stopped: object) -> None:
        """There is always a slot."""

    clock = SimpleNamespace(wall=lambda: kling.now, monotonic=lambda: kling.now)
    tools = SimpleNamespace(
        client=AskingClient(gateway, clock),
        is_new=True,
        journal=SimpleNamespace(journal_id="j"),
        slots=SimpleNamespace(turn=turn, turn_over=lambda: None),
        sessions=SimpleNamespace(fresh=lambda made_at: True),
        breaker=Breaker(),
        settings=Settings(reconcile_grace=GRACE),
        clock=clock,
    )
    return cast("Context", tools)
