"""Task groups whose errors reach the caller as they were raised."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.abc


@asynccontextmanager
async def task_group() -> AsyncIterator[anyio.abc.TaskGroup]:
    """A task group; one error alone leaves it bare, not wrapped in a group of one."""
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as errors:
        only = _only(errors)
        if only is None:
            raise
        raise only from only.__cause__


def _only(errors: BaseExceptionGroup[BaseException]) -> BaseException | None:
    if len(errors.exceptions) != 1:
        return None
    inner = errors.exceptions[0]
    return _only(inner) if isinstance(inner, BaseExceptionGroup) else inner
