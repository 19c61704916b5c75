"""Those who want to know of callbacks: each is called in an event loop of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from anyio.lowlevel import current_token

logger = logging.getLogger("kling_lipsync")

Wake = Callable[[str], None]


class Subscriber:
    """Calls ``wake`` in the event loop that runs where this is made."""

    def __init__(self, wake: Wake) -> None:
        self._wake = wake
        self._ended = False
        self._loop: Any = current_token().native_token

    def tell(self, task_id: str) -> None:
        """Calls ``wake`` at once if its event loop is the one that runs here, else has it called soon."""
        if current_token().native_token is self._loop:
            self._call(task_id)
        else:
            self._call_there(task_id)

    def _call_there(self, task_id: str) -> None:
        is_asyncio = hasattr(self._loop, "call_soon_threadsafe")
        soon = self._loop.call_soon_threadsafe if is_asyncio else self._loop.run_sync_soon
        try:
            soon(self._call, task_id)
        except RuntimeError:  # the loop ended and left its subscription behind
            logger.warning("news of task %s came for an event loop that has ended", task_id)

    def end(self) -> None:
        """``wake`` is not called any more."""
        self._ended = True

    def _call(self, task_id: str) -> None:
        if self._ended:
            return
        try:
            self._wake(task_id)
        except Exception:
            logger.exception("news of task %s woke somebody who failed", task_id)
