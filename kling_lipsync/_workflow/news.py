"""Which tasks Kling sent news of, until somebody looks at them."""

from __future__ import annotations

import anyio


class News:
    """Ids of tasks to look at before it is time for all; however often one is told of, it stands here once."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._came = anyio.Event()

    def tell(self, task_id: str) -> None:
        """There is news of a task."""
        self._told.add(task_id)
        self._came.set()

    async def within(self, seconds: float) -> set[str]:
        """The tasks told of, as soon as there are some; none if there are none in ``seconds``."""
        with anyio.move_on_after(seconds):
            await self._came.wait()
        told, self._told, self._came = self._told, set(), anyio.Event()
        return told
