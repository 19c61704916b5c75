"""Where SQLite's calls run: one at a time in a worker thread, or inline in the event loop's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter, create_task_group, to_thread
from anyio.lowlevel import checkpoint
from attrs import define, field

T = TypeVar("T")


@define(eq=False)
class Worker:
    """Runs blocking calls; ``inline`` runs them in the event loop's thread, for virtual time."""

    inline: bool
    _limiter: CapacityLimiter = field(init=False, factory=lambda: CapacityLimiter(1))

    async def run(self, call: Callable[[], T]) -> T:
        """What ``call`` returns or raises. Cancellation counts only before it begins."""
        if self.inline:
            await checkpoint()
            return call()
        return await to_thread.run_sync(call, limiter=self._limiter)


async def to_the_end(work: Callable[[], Awaitable[T]]) -> T:
    """What ``work`` returns or raises, run to its end whoever cancels the caller.

    A shield alone does not stop ``asyncio.Task.cancel``: ``work`` has a task of its own, which only the shield's owner
    could cancel. Such a cancellation of the caller is raised after the end.
    """
    answers: list[T] = []
    failures: list[Exception] = []

    async def kept() -> None:
        with CancelScope(shield=True):
            try:
                answers.append(await work())
            except Exception as error:  # noqa: BLE001 - raised below, outside the task group's wrapping
                failures.append(error)

    with CancelScope(shield=True):
        async with create_task_group() as tasks:
            tasks.start_soon(kept)
    if failures:
        raise failures[0]
    return answers[0]
