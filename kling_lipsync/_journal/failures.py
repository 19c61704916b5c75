"""The errors of SQLite and of the system in this package's words: the one edge where they are mapped."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import JournalError

_ADVICE = {
    sqlite3.SQLITE_FULL: "no room is left for it: make room on its disk and run again",
    sqlite3.SQLITE_BUSY: "another process has been writing for too long: if it is stopped, let it go on",
    sqlite3.SQLITE_LOCKED: "another program is using it: close that and run again",
    sqlite3.SQLITE_PROTOCOL: "its disk does not lock as it should: choose a folder on a local disk",
    sqlite3.SQLITE_READONLY: "it may not be written: check its permissions and those of its folder",
    sqlite3.SQLITE_IOERR: "reading or writing it failed: check its disk and run again",
    sqlite3.SQLITE_CORRUPT: "it is damaged: keep a copy of it and restore a backup",
    sqlite3.SQLITE_NOTADB: "it is damaged or of another kind, and left as it is: name another or restore a backup",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check its permissions and those of its folder",
}

_LASTING = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def mapped(name: str) -> Iterator[None]:
    """Raises ``JournalError`` for any error of SQLite or of the system inside; messages call the journal ``name``."""
    try:
        yield
    except sqlite3.Error as error:
        advice = _ADVICE.get(_family(error), "SQLite refuses")
        raise JournalError(f"{name}: {advice} (SQLite: {error})") from error
    except OSError as error:
        raise JournalError(f"{name} cannot be used: {error.strerror}: check its permissions and folder") from error


def lasting(error: BaseException) -> bool:
    """Whether nothing may be written after ``error`` until the file has been opened again.

    After a failed write to the disk a later one may seem to succeed although the earlier pages are lost.
    """
    return isinstance(error, sqlite3.Error) and _family(error) in _LASTING


def busy(error: BaseException) -> bool:
    """Whether another process had the file at that moment."""
    return isinstance(error, sqlite3.Error) and _family(error) == sqlite3.SQLITE_BUSY


def _family(error: BaseException) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
