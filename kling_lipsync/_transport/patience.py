"""A bound on an answer as a whole, where a time-out for each read would let it drip in for ever."""

from __future__ import annotations

import math
from types import TracebackType

import anyio


class Patience:
    """Gives the block up ``seconds`` after the last ``start``; until then it waits without end.

    Used with ``with``; what follows the block runs only when the time was up. The wait for a free connection is no
    answer's fault, so the time starts when a request has left.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._scope = anyio.CancelScope()

    def start(self) -> None:
        """Counts from now."""
        self._scope.deadline = anyio.current_time() + self._seconds

    def stop(self) -> None:
        """Waits without end again."""
        self._scope.deadline = math.inf

    def __enter__(self) -> Patience:
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return bool(self._scope.__exit__(kind, error, trace))
