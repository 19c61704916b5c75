"""The list of tasks, page by page from its newest end, whichever end that is: no document tells its order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from attrs import define

from .._protocol import TaskPage
from ..client import KlingClient
from ..models import Task

LARGEST_PAGE = 500
SMALLEST_PAGE = 30
LAST_PAGE = 1000
"""Kling's documentation of the list: pageSize 1 to 500, 30 by default; pageNum 1 to 1000."""


@define
class Pages:
    """The pages of an account's list; it learns how large a page has to be, and where a list ends that grows there.

    ``size`` is how many tasks a page has. ``end`` is the last page of a list seen to run from old to new, else
    ``None``: then the list is read from its front.
    """

    client: KlingClient
    size: int = SMALLEST_PAGE
    end: int | None = None

    def read(self, wanted: int) -> AsyncGenerator[TaskPage, None]:
        """The pages, those first where new tasks are likeliest, each with room for all that are ``wanted``.

        Close it when enough is read. Raises what the list raises.
        """
        self.size = max(self.size, min(LARGEST_PAGE, wanted))
        return self._from_the_front() if self.end is None else self._from_the_end(self.end)

    async def note_strangers(self, page: TaskPage) -> None:
        """None of the tasks looked for was on ``page``, a full one: learns whether the list has its new ones at its
        end.
        """
        if self.end is not None:
            self.end = None
        elif runs_upwards(page.tasks()):
            self.size = LARGEST_PAGE
            self.end = await self._find_end()

    def learn_size(self, deepest: int, *, lacks: bool) -> None:
        """The front page is to reach a quarter deeper than the deepest task that was found (places count from 1), or
        twice as far as now where one ``lacks``.
        """
        if self.end is None:
            enough = 2 * self.size if lacks else deepest * 5 // 4
            self.size = min(LARGEST_PAGE, max(SMALLEST_PAGE, enough))

    async def _page(self, number: int) -> TaskPage:
        return await self.client.task_page(number, self.size)

    async def _from_the_front(self) -> AsyncGenerator[TaskPage, None]:
        for number in range(1, LAST_PAGE + 1):
            page = await self._page(number)
            yield page
            if len(page.ids) < self.size:
                return

    async def _from_the_end(self, end: int) -> AsyncGenerator[TaskPage, None]:
        for number in range(end, LAST_PAGE + 1):
            page = await self._page(number)
            self.end = number if page.ids else max(1, number - 1)
            yield page
            if len(page.ids) < self.size:
                break
        for number in range(end - 1, 0, -1):
            yield await self._page(number)

    async def _find_end(self) -> int:
        """The last page that is not empty, by halving."""
        some, none = 1, 2
        while none <= LAST_PAGE and (await self._page(none)).ids:
            some, none = none, 2 * none
        none = min(none, LAST_PAGE + 1)
        while none - some > 1:
            middle = (some + none) // 2
            some, none = (middle, none) if (await self._page(middle)).ids else (some, middle)
        return some


@define
class ListReading:
    """What the list has shown so far: whether it tells external ids, and whether it runs from new to old."""

    shows_ids: bool = False
    seen: int = 0
    descending: bool = True
    last_ms: int | None = None

    def take(self, page: Sequence[Task]) -> None:
        """Learns from one more page."""
        for task in page:
            self.seen += 1
            self.shows_ids = self.shows_ids or task.external_task_id is not None
            if task.created_ms is not None:
                self.descending = self.descending and (self.last_ms is None or task.created_ms <= self.last_ms)
                self.last_ms = task.created_ms

    @property
    def tells(self) -> bool:
        """Whether a task of ours would have been seen as ours: entries bear external ids, or there are none."""
        return self.shows_ids or self.seen == 0

    def read_enough(self, since_ms: int | None) -> bool:
        """Whether all that is younger than ``since_ms`` (Unix ms on Kling's clock) has been read."""
        reaches_back = since_ms is not None and self.last_ms is not None and self.last_ms < since_ms
        return self.descending and reaches_back


def runs_upwards(page: Sequence[Task]) -> bool:
    """Whether the tasks stand from old to new, as far as they tell when they were created."""
    moments = [task.created_ms for task in page if task.created_ms is not None]
    return len(moments) > 1 and moments[0] < moments[-1] and moments == sorted(moments)
