"""The stream of outcomes between a batch and its reader."""

from __future__ import annotations

from collections import deque

import anyio
import anyio.lowlevel

from ..events import Outcome

ROOM = 16
"""Outcomes that wait for a reader before those who bring more have to wait."""

BREATHER = 64
"""So many outcomes are handed out at a stretch before other tasks get their turn."""


class Outcomes:
    """The outcomes of a batch, in the order they come: ``async for outcome in outcomes``.

    For one reader. It costs next to nothing where outcomes are at hand, as those of finished jobs are.
    """

    def __init__(self) -> None:
        self._waiting: deque[Outcome] = deque()
        self._news = anyio.Event()
        self._room = anyio.Event()
        self._ended = False
        self._taken = 0

    async def put(self, outcome: Outcome) -> None:
        """Adds an outcome as soon as there is room."""
        while len(self._waiting) >= ROOM:
            if self._room.is_set():
                self._room = anyio.Event()
            await self._room.wait()
        self._waiting.append(outcome)
        self._news.set()

    async def aclose(self) -> None:
        """Says that no more will come."""
        self._ended = True
        self._news.set()

    def __aiter__(self) -> Outcomes:
        return self

    async def __anext__(self) -> Outcome:
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            self._news = anyio.Event()
            await self._news.wait()
        self._taken += 1
        if self._taken % BREATHER == 0:
            await anyio.lowlevel.checkpoint()
        outcome = self._waiting.popleft()
        self._room.set()
        return outcome
