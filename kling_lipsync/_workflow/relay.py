"""News of tasks, passed on through the journal: the process that Kling calls back need not be the one that watches."""

from __future__ import annotations

from collections import deque

import anyio

from ..abc import Journal
from .watcher import Watcher

MOST_WAITING = 1000
"""Ids that may wait to be passed on; the oldest are dropped, since the watcher finds each end by itself as well."""


class Relay:
    """Wakes the watcher of whichever process has the task."""

    def __init__(self, journal: Journal, watcher: Watcher) -> None:
        self._journal = journal
        self._watcher = watcher
        self._untold: deque[str] = deque(maxlen=MOST_WAITING)
        self._came = anyio.Event()
        self._heard = 0

    def wake(self, task_id: str) -> None:
        """There is news of a task: it is looked at here, or told to the others."""
        if not self._watcher.wake_task(task_id):
            self._untold.append(task_id)
            self._came.set()

    async def hear(self) -> None:
        """Wakes the watcher for what other processes have told. Raises ``JournalError``."""
        for number, task_id in await self._journal.told(self._heard):
            self._watcher.wake_task(task_id)
            self._heard = number

    async def run(self) -> None:
        """Tells the others for ever; cancel it to stop. Raises ``JournalError``."""
        while True:
            await self._came.wait()
            self._came = anyio.Event()
            while self._untold:
                await self._journal.tell(self._untold.popleft())
