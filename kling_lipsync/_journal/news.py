"""Whether others have written to the journal: one look serves all who wait for it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import anyio

INTERVAL = 0.1
"""Seconds between two looks."""


class News:
    """``version`` gives a number that changes when somebody else writes; it is asked only while anybody waits.

    ``known`` is what it gave last.
    """

    def __init__(self, version: Callable[[], Awaitable[int]], known: int) -> None:
        self._version = version
        self._known = known
        self._changes = 0
        self._due = -math.inf

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - its end is an answer, not a failure
        """Whether others have written since a look last found something: ``True`` as soon as they have, ``False`` after
        ``timeout`` seconds.

        Raises what ``version`` raises.
        """
        before = self._changes
        await self._look_if_due()
        with anyio.move_on_after(timeout):
            while self._changes == before:
                await anyio.sleep(max(0.0, self._due - anyio.current_time()))
                await self._look_if_due()
        return self._changes != before

    async def _look_if_due(self) -> None:
        if anyio.current_time() < self._due:
            return
        self._due = anyio.current_time() + INTERVAL
        version = await self._version()
        if version != self._known:
            self._known = version
            self._changes += 1
