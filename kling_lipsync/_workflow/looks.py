"""One look at many tasks: by list pages where the gateway has a list, one by one for what the pages lack."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing

import anyio
from attrs import define, field

from .._protocol import TaskPage
from .._tasks import task_group
from ..client import KlingClient
from ..errors import InvalidRequest, KlingError
from ..models import Task
from .pages import LARGEST_PAGE, Pages

logger = logging.getLogger("kling_lipsync")

WORTH = 0.001
"""A request is worth making once it is expected to show the end of this share of the running tasks.

An end that is not seen keeps a slot idle. So at most about one slot in a thousand is left idle to spare a request:
with few slots every look is worth it as soon as an end is at all likely, with hundreds a page has to show something.
"""

MOST_WORTH = 0.05
"""What a query of one task has to promise at most: where there is no list, a task is asked for some twenty times."""

FEW = 2
"""So many tasks that the pages lacked so far are asked for one by one rather than sought on further pages."""

SINGLES_AT_ONCE = 8
MOST_FAILURES = 3
"""Queries of single tasks that fail before a look asks for no more of them: Kling has troubles enough."""


@define
class Sight:
    """What a look showed: the ``tasks`` seen, by their ids, each as it ended or ``None`` where it runs on; and
    ``untold``, those asked for in vain.

    ``error`` is why the look is not whole. ``read`` counts the entries of the list that were read, and ``deepest``
    those up to the last that was looked for.
    """

    tasks: dict[str, Task | None] = field(factory=dict)
    untold: set[str] = field(factory=set)
    error: KlingError | None = None
    read: int = 0
    deepest: int = 0


def most_pages(tasks: int) -> int:
    """How many pages of one look are read at most: some five times the running tasks, should ended ones lie between."""
    return 2 + 5 * tasks // LARGEST_PAGE


@define
class Looker:
    """Looks at tasks, and learns from look to look where in the list they are. ``client`` sends each request once."""

    client: KlingClient
    _pages: Pages = field(init=False)

    @_pages.default
    def _list(self) -> Pages:
        return Pages(self.client)

    async def look(self, wanted: Mapping[str, float], *, by_list: bool = True) -> Sight:
        """How the tasks stand that were worth asking for.

        ``wanted`` gives the chance by task id that the task has ended since it was last seen. Further pages are read,
        and single tasks asked for, only as far as those chances make it worth a request. ``by_list=False`` asks for
        each by itself, where a list may not show yet what has changed this moment. Raises nothing of Kling's: a request
        that fails ends the look with what it has shown so far.
        """
        sight = Sight()
        try:
            if by_list and self.client.gateway.lists_tasks and len(wanted) > 1:
                await self._read_pages(wanted, sight)
            if likely := _likely(wanted, sight):
                await self._ask_singly(likely, sight)
        except KlingError as error:
            sight.error = error
        return sight

    async def _read_pages(self, wanted: Mapping[str, float], sight: Sight) -> None:
        left = most_pages(len(wanted))
        try:
            async with aclosing(self._pages.read(len(wanted))) as pages:
                async for page in pages:
                    left -= 1
                    gained = _take(page, wanted, sight) or len(page.ids) < self._pages.size
                    if not (gained and left and _asks_for_a_page(wanted, sight)):
                        break
                if not sight.tasks and len(page.ids) == self._pages.size:
                    await self._pages.note_strangers(page)
        except InvalidRequest as error:
            logger.warning("the list of tasks is refused at this look: %s", error)
        self._pages.learn_size(sight.deepest, lacks=bool(_likely(wanted, sight)))

    async def _ask_singly(self, lacking: Sequence[str], sight: Sight) -> None:
        limiter = anyio.CapacityLimiter(SINGLES_AT_ONCE)
        failures = 0

        async def ask(task_id: str) -> None:
            nonlocal failures
            async with limiter:
                if failures < MOST_FAILURES and not await self._ask(task_id, sight):
                    failures += 1

        async with task_group() as group:
            for task_id in lacking:
                group.start_soon(ask, task_id)

    async def _ask(self, task_id: str, sight: Sight) -> bool:
        """Whether Kling has answered; a task that it does not know (yet) is an answer."""
        try:
            sight.tasks[task_id] = _if_ended(await self.client.get_task(task_id))
        except KlingError as error:
            sight.untold.add(task_id)
            if not isinstance(error, InvalidRequest):
                sight.error = error
                return False
            logger.warning("task %s is not known to Kling at this look: %s", task_id, error)
        return True


def worth(running: int) -> float:
    """How many ends a request has to promise where so many tasks run."""
    return WORTH * running


def _take(page: TaskPage, wanted: Mapping[str, float], sight: Sight) -> bool:
    """Whether the page shows a task that was not seen yet."""
    before = len(sight.tasks)
    for place, task_id in enumerate(page.ids):
        if task_id in wanted:
            sight.tasks[task_id] = None if page.runs(place) else _if_ended(page.task(place))
            sight.deepest = sight.read + place + 1
    sight.read += len(page.ids)
    return len(sight.tasks) > before


def _if_ended(task: Task) -> Task | None:
    return task if task.status.ended else None


def _lacking(wanted: Mapping[str, float], sight: Sight) -> list[str]:
    """The tasks that the look has not shown, where they are worth a request between them."""
    lacking = list(wanted.keys() - sight.tasks.keys())
    return lacking if sum(wanted[each] for each in lacking) >= worth(len(wanted)) else []


def _likely(wanted: Mapping[str, float], sight: Sight) -> list[str]:
    """The lacking tasks that are worth a query of their own, the likeliest to have ended first."""
    least = min(MOST_WORTH, worth(len(wanted)))
    likely = [each for each in _lacking(wanted, sight) if wanted[each] >= least]
    return sorted(likely, key=lambda each: (-wanted[each], each))


def _asks_for_a_page(wanted: Mapping[str, float], sight: Sight) -> bool:
    """Whether what lacks is worth a further page, and too much to be asked for one by one."""
    return bool(_lacking(wanted, sight)) and not 1 <= len(_likely(wanted, sight)) <= FEW
