"""Many things done a window at a time, given back in their order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import islice
from typing import TypeVar

from .._tasks import task_group

S = TypeVar("S")
T = TypeVar("T")


async def in_windows(
    work: Callable[[S], Awaitable[T]], items: Iterable[S], size: int
) -> AsyncIterator[list[tuple[S, T]]]:
    """Windows of up to ``size`` items, each with what ``work`` makes of it; the items of a window are worked on at
    once.
    """
    left = iter(items)
    while window := list(islice(left, size)):
        done: dict[int, T] = {}

        async def one(number: int, item: S, done: dict[int, T] = done) -> None:
            done[number] = await work(item)

        async with task_group() as group:
            for number, item in enumerate(window):
                group.start_soon(one, number, item)
        yield [(item, done[number]) for number, item in enumerate(window)]
