"""Transactions that a test holds up."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from anyio import to_thread

from kling_lipsync._journal import SqliteJournal

PATIENCE = 30
"""Seconds until a test that hangs fails instead."""


def dawdling(begun: threading.Event, gate: threading.Event) -> Callable[[object], bool]:
    """Work that says when it has begun, and then waits."""

    def dawdle(_: object) -> bool:
        begun.set()
        return gate.wait(PATIENCE)

    return dawdle


@asynccontextmanager
async def slow_transaction(journal: SqliteJournal) -> AsyncIterator[threading.Event]:
    """A transaction that is being written inside, until the event is set (at the latest at the end)."""
    begun, gate = threading.Event(), threading.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal._group.put, dawdling(begun, gate))
        assert await to_thread.run_sync(begun.wait, PATIENCE)
        try:
            yield gate
        finally:
            gate.set()
