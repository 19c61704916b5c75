"""Ctrl-C and SIGTERM: the first one lets the work in hand detach, a second one ends the process where it stands."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType

import anyio
import anyio.abc
from attrs import define

from .._tasks import task_group
from ._console import PROGRAM, tell
from ._exits import Exit

_AWAITED = "stopping: requests on their way are awaited and recorded; once more to stop at once"
_AT_ONCE = f"\n{PROGRAM}: stopped at once; the same command goes on\n"
_SHOW_CURSOR = "\x1b[?25h"
"""Brings the cursor back, which a bar hides."""

_EXITS = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}


@define
class Interruption:
    """Whether a block was interrupted: ``exit`` is the status to end with, or ``None``."""

    exit: Exit | None = None


@asynccontextmanager
async def interruptible(note: str = _AWAITED) -> AsyncIterator[Interruption]:
    """Cancels the block on the first SIGINT or SIGTERM, says ``note``, and goes on behind the block.

    A second one ends the process there and then, as if it were killed: journals stand that. Where the event loop
    cannot receive signals (Windows), Ctrl-C is left to raise KeyboardInterrupt.
    """
    interruption = Interruption()
    with _handlers_restored():
        async with task_group() as group:
            if sys.platform != "win32":
                await group.start(_listen, interruption, group.cancel_scope, note)
            yield interruption
            group.cancel_scope.cancel()


async def _listen(
    interruption: Interruption, scope: anyio.CancelScope, note: str, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    with anyio.open_signal_receiver(*_EXITS) as signals:
        task_status.started()
        interruption.exit = _EXITS[await anext(aiter(signals))]
    for number in _EXITS:  # before the note, so that it is true as soon as it can be read
        signal.signal(number, _end_at_once)
    tell(note)
    scope.cancel()


def _end_at_once(number: int, _frame: FrameType | None) -> None:
    # Whatever the process is writing to stderr may be half done: this goes past it.
    cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""
    try:
        os.write(2, f"{cursor}{_AT_ONCE}".encode())
    finally:
        os._exit(_EXITS[signal.Signals(number)])


@contextmanager
def _handlers_restored() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in _EXITS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is _end_at_once:
                signal.signal(number, handler)
