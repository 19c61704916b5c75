"""Ctrl-C and SIGTERM: the first one lets the work in hand detach, a second one ends the process where it stands."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.abc
from attrs import define

from .._tasks import task_group
from ._console import tell
from ._exits import Exit

_AWAITED = "stopping: requests on their way are awaited and recorded; once more to stop at once"


@define
class Interruption:
    """Whether a block was interrupted: ``exit`` is the status to end with, or ``None``."""

    exit: Exit | None = None


@asynccontextmanager
async def interruptible(note: str = _AWAITED) -> AsyncIterator[Interruption]:
    """Cancels the block on the first SIGINT or SIGTERM, says ``note``, and goes on behind the block.

    Where the event loop cannot receive signals (Windows), Ctrl-C is left to raise KeyboardInterrupt.
    """
    interruption = Interruption()
    async with task_group() as group:
        if sys.platform != "win32":
            await group.start(_listen, interruption, group.cancel_scope, note)
        yield interruption
        group.cancel_scope.cancel()


async def _listen(
    interruption: Interruption, scope: anyio.CancelScope, note: str, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            interruption.exit = Exit.INTERRUPTED if number == signal.SIGINT else Exit.TERMINATED
            tell(note)
            scope.cancel()
            return
