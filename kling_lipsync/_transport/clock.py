"""The machine's own time."""

from __future__ import annotations

import time

import anyio


class SystemClock:
    """The machine's clocks, as ``kling_lipsync.abc.Clock`` wants them."""

    def wall(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """The event loop's seconds, which ``anyio.sleep`` sleeps on; only inside an event loop."""
        return anyio.current_time()
