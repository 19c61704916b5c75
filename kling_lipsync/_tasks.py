"""Task groups whose errors reach the caller as they were raised."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio
import anyio.abc

from .errors import KlingError


@asynccontextmanager
async def task_group() -> AsyncIterator[anyio.abc.TaskGroup]:
    """A task group whose error is raised bare: one alone, or the first of several that are all ``KlingError``."""
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as errors:
        leaves = list(_leaves(errors))
        if len(leaves) > 1 and not all(isinstance(leaf, KlingError) for leaf in leaves):
            raise
        raise leaves[0] from leaves[0].__cause__


def _leaves(errors: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
