"""The external ids that the account's list shows, read once: tasks that an earlier journal bought are not bought
again.
"""

from __future__ import annotations

import anyio

from ..client import KlingClient
from .pages import LARGEST_PAGE, LAST_PAGE, ListReading

MARGIN = 24 * 3600.0
"""Seconds by which the clock that dated a journal's last event may have been ahead of Kling's."""


class ListedIds:
    """Which tasks of the list bear which external ids, as it was before the first create of this run.

    So a journal that was restored from a backup adopts what was bought since (``last_at``, Unix time: its last event),
    and an external id that a job brings is found where the gateway has but a list. A gateway without a list shows none.
    """

    def __init__(self, client: KlingClient, last_at: float) -> None:
        self._client = client
        self._since_ms = int((last_at - MARGIN) * 1000)
        self._recent: dict[str, str] | None = None
        self._all: dict[str, str] | None = None
        self._turn = anyio.Lock()

    async def recent_task_of(self, external_task_id: str) -> str | None:
        """The id of the task that bears ``external_task_id``, if it was bought since the journal's last event.

        A list in descending order is not read further than that. Raises what the list raises.
        """
        async with self._turn:
            if self._recent is None:
                self._recent = await self._read(self._since_ms)
        return self._recent.get(external_task_id)

    async def task_of(self, external_task_id: str) -> str | None:
        """The id of the task that bears ``external_task_id``, however old it is. Raises what the list raises."""
        async with self._turn:
            if self._all is None:
                self._all = await self._read(None)
        return self._all.get(external_task_id)

    async def _read(self, since_ms: int | None) -> dict[str, str]:
        tasks: dict[str, str] = {}
        if not self._client.gateway.lists_tasks:
            return tasks
        reading = ListReading()
        for number in range(1, LAST_PAGE + 1):
            page = await self._client.list_page(number, LARGEST_PAGE)
            tasks.update({task.external_task_id: task.task_id for task in page if task.external_task_id})
            reading.take(page)
            if len(page) < LARGEST_PAGE or reading.read_enough(since_ms):
                break
        return tasks
