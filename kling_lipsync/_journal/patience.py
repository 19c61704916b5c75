"""Waiting for another process that has the journal's file at this moment."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from .failures import busy

T = TypeVar("T")

MOMENT_MS = 10
"""So long does each try wait in SQLite itself, whose own waiting leaves ever longer pauses: those who write without a
pause would starve us.
"""

_MOMENTS = 3000  # half a minute in all; counted, as a stopped process sees time jump


def patiently(call: Callable[[], T], *, pause: float = 0.0) -> T:
    """What ``call`` returns, tried again while the file is another's.

    ``pause`` (seconds) is for calls in which SQLite does not wait by itself.
    """
    for _ in range(_MOMENTS):
        try:
            return call()
        except sqlite3.OperationalError as error:
            if not busy(error):
                raise
        time.sleep(pause)
    return call()
