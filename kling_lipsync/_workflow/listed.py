"""The external ids that the account's list shows, read once: tasks that an earlier journal bought are not bought
again.
"""

from __future__ import annotations

import anyio

from ..client import KlingClient
from .pages import LARGEST_PAGE, LAST_PAGE


class ListedIds:
    """Which tasks of the list bear which external ids, as it was before the first create of this run.

    So a journal that was restored from a backup adopts what was bought since, and an external id that a job brings is
    found where the gateway has but a list. A gateway without a list shows none.
    """

    def __init__(self, client: KlingClient) -> None:
        self._client = client
        self._tasks: dict[str, str] | None = None
        self._turn = anyio.Lock()

    async def task_of(self, external_task_id: str) -> str | None:
        """The id of the task that bears ``external_task_id``. Raises what the list raises."""
        async with self._turn:
            if self._tasks is None:
                self._tasks = await self._read()
        return self._tasks.get(external_task_id)

    async def _read(self) -> dict[str, str]:
        tasks: dict[str, str] = {}
        if not self._client.gateway.lists_tasks:
            return tasks
        for number in range(1, LAST_PAGE + 1):
            page = await self._client.list_page(number, LARGEST_PAGE)
            tasks.update({task.external_task_id: task.task_id for task in page if task.external_task_id})
            if len(page) < LARGEST_PAGE:
                break
        return tasks
