"""News of tasks, passed on through the journal: the process that Kling calls back need not be the one that watches."""

from __future__ import annotations

from collections import deque

import anyio

from .._tasks import task_group
from ..abc import Journal
from .watcher import Watcher

MOST_WAITING = 1000
"""Ids that may wait to be passed on; the oldest are dropped, since the watcher finds each end by itself as well."""

PATIENCE = 60.0
"""Seconds between two looks for news where nobody writes."""


class Relay:
    """Wakes the watcher of whichever process has the task."""

    def __init__(self, journal: Journal, watcher: Watcher) -> None:
        self._journal = journal
        self._watcher = watcher
        self._untold: deque[str] = deque(maxlen=MOST_WAITING)
        self._came = anyio.Event()

    def wake(self, task_id: str) -> None:
        """There is news of a task: it is looked at here, or told to the others."""
        if not self._watcher.wake_task(task_id):
            self._untold.append(task_id)
            self._came.set()

    async def run(self) -> None:
        """Tells and listens for ever; cancel it to stop. Raises ``JournalError``."""
        async with task_group() as group:
            group.start_soon(self._tell)
            await self._listen()

    async def _tell(self) -> None:
        while True:
            await self._came.wait()
            self._came = anyio.Event()
            while self._untold:
                await self._journal.tell(self._untold.popleft())

    async def _listen(self) -> None:
        last = 0
        while True:
            for number, task_id in await self._journal.told(last):
                self._watcher.wake_task(task_id)
                last = number
            await self._journal.wait_for_others(PATIENCE)
