"""Where SQLite's calls run: in a thread of the journal's own, or inline in the event loop's."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import TypeVar
from weakref import finalize

from anyio import CancelScope, Event, RunFinishedError, get_cancelled_exc_class
from anyio.lowlevel import EventLoopToken, checkpoint, current_token

T = TypeVar("T")

Call = Callable[[], None]


class Worker:
    """Does one call at a time, for one event loop at a time; ``inline`` does it in the loop's own thread, for virtual
    time.

    The thread starts with the first call and ends with ``close``, or with the worker itself.
    """

    def __init__(self, inline: bool) -> None:
        self.inline = inline
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._end: finalize[..., Worker] | None = None
        self._thread: threading.Thread | None = None
        self._loop: EventLoopToken | None = None

    async def run(self, call: Callable[[], T]) -> T:
        """What ``call`` returns or raises. It is run to its end whoever cancels the caller, who is told so then."""
        done = Event()
        answers: list[T] = []
        failures: list[BaseException] = []

        def answer() -> None:
            try:
                answers.append(call())
            except BaseException as error:  # noqa: BLE001 - raised below, where somebody waits for it
                failures.append(error)
            self.tell(done.set)

        await self.do(answer, done)
        if failures:
            raise failures[0]
        return answers[0]

    async def do(self, call: Call, done: Event) -> None:
        """Has ``call`` run and returns once ``done`` is set, whoever cancels the caller meanwhile.

        A cancellation by a scope is left to the caller's next step, one by ``asyncio.Task.cancel`` is raised here.
        """
        if self.inline:
            cancelled = await _outlasting(checkpoint)  # who has something for the same transaction comes along
            call()
        else:
            self._hand_over(call)
            cancelled = None
        while not done.is_set():
            cancelled = await _outlasting(done.wait) or cancelled
        if cancelled:
            raise cancelled

    def tell(self, news: Call) -> None:
        """Runs ``news`` in the event loop; called by a call. A loop that has ended has nobody to be told."""
        if self.inline or self._loop is None:
            news()
            return
        with suppress(RunFinishedError):
            self._loop.backend_class.run_sync_soon(news, (), self._loop.native_token)

    def close(self) -> None:
        """Ends the thread once it has done what it was handed; a later call starts another."""
        if self._end is not None:
            self._end()
            self._end = None

    def _hand_over(self, call: Call) -> None:
        self._loop = current_token()
        if self._end is None or self._thread is None or not self._thread.is_alive():  # as in a forked child
            self._start()
        self._calls.put(call)

    def _start(self) -> None:
        self._calls = SimpleQueue()
        self._end = finalize(self, self._calls.put, None)
        self._thread = threading.Thread(target=_serve, args=(self._calls,), name="kling_lipsync journal", daemon=True)
        self._thread.start()


def _serve(calls: SimpleQueue[Call | None]) -> None:
    while (call := calls.get()) is not None:
        call()
        del call  # it may be all that keeps the worker


async def _outlasting(wait: Callable[[], Awaitable[object]]) -> BaseException | None:
    """Waits whatever scope is cancelled; gives back the cancellation of an asyncio task, which passes any shield."""
    with CancelScope(shield=True):
        try:
            await wait()
        except get_cancelled_exc_class() as error:
            return error
    return None
