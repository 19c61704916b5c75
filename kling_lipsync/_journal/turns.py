"""The schedule of departures that the processes on a journal share: the generic cell rate algorithm over a small file.

It is a time on the monotonic clock, which all processes of a machine share and which does not jump when the wall clock
is set. It is worth nothing once the machine has stopped, so it is never synced; and a turn costs a few microseconds
without waiting for anyone, so it is taken in the event loop's own thread.
"""

from __future__ import annotations

import math
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

from .failures import mapped
from .lock import LockFile, refuse_fork

_RECORD = struct.Struct("<dd")  # when it was written, and the earliest moment for the next departure


class OwnTurns:
    """A schedule that no other process shares, on a clock that tests may move."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._earliest = -math.inf

    def take(self, interval: float) -> float:
        """The moment of the next departure; others follow ``interval`` seconds later at the earliest."""
        departure = max(self._earliest, self.now())
        self._earliest = departure + interval
        return departure

    def close(self) -> None:
        """Nothing is open."""


class SharedTurns:
    """The schedule in the file at ``path``, for all who open it; messages call the journal ``name``.

    Every method raises ``JournalError`` where the file cannot be read, written or locked.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        self._process = os.getpid()
        with mapped(name):
            self._file = LockFile(path)

    def now(self) -> float:
        """Seconds on the machine's own clock."""
        return time.monotonic()

    def take(self, interval: float) -> float | None:
        """The moment of the next departure; others follow ``interval`` seconds later at the earliest.

        ``None`` where another process is taking a turn at this very moment. Raises ``JournalError`` after a fork, since
        the file is closed in the child.
        """
        refuse_fork(self._process, self._name)
        with mapped(self._name):
            if not self._file.try_lock():
                return None
            try:
                now = self.now()
                departure = max(now, self._earliest(now))
                self._file.write(_RECORD.pack(now, departure + interval))
            finally:
                self._file.unlock()
            return departure

    def close(self) -> None:
        """Closes the file, which stays for others."""
        self._file.close()

    def _earliest(self, now: float) -> float:
        # The clock begins anew with the machine: what was written at a later time is from before that.
        record = self._file.read(_RECORD.size)
        if len(record) < _RECORD.size:
            return now
        written, earliest = _RECORD.unpack(record)
        return float(earliest) if written <= now else now
