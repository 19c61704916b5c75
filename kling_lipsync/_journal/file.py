"""The journal's file: looked at before it is touched, made, brought to the present format, connected to."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from stat import S_ISREG

from ..errors import JournalError
from .patience import MOMENT_MS, patiently
from .schema import APPLICATION_ID, FORMAT, STEPS

LONGEST_CHECK = 2.0
"""Seconds that an opening may spend on the search for damage."""

_PATIENCE = 30.0  # seconds for which another process may be making the file, or mending it after a crash


def refuse_foreign(path: Path, name: str) -> bool:
    """Whether ``path`` holds a journal already; an empty file or none at all is where one may be made.

    Only reads, and by SQLite alone: closing a file that was opened by other means would drop the locks of another
    connection of this process. Raises ``JournalError`` for a folder, a missing folder around it, and another program's
    SQLite file; ``sqlite3.Error`` for any other file; ``OSError``.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise JournalError(f"{name}: there is no folder {path.parent}: make it first") from None
        return False
    if S_ISREG(found.st_mode):
        if not found.st_size:
            return False
        with closing(_connect_immutable(path)) as connection:
            _refuse_other_program(connection, name)
        return True
    raise JournalError(f"{name} is no file: name a file")


def _refuse_other_program(connection: sqlite3.Connection, name: str) -> None:
    if connection.execute("pragma application_id").fetchone()[0] != APPLICATION_ID:
        raise JournalError(f"{name} is another program's file: name another; it is left as it is")


def make_private(path: Path, name: str) -> None:
    """Makes the file if it is missing, readable by its owner alone.

    Raises ``JournalError`` where it may not be written, and ``OSError``.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        if not os.access(path, os.W_OK):
            raise JournalError(f"{name} may not be written: check its permissions") from error


def connect(target: str, name: str, *, check: bool) -> sqlite3.Connection:
    """A connection that writes, durably, to a journal of the present format; ``target`` is a path or ``:memory:``.

    ``check`` looks for damage before anything else, for two seconds at most. Raises ``JournalError`` for a file system
    that cannot share memory, a newer format and a damaged file, and ``sqlite3.Error``.
    """
    connection = sqlite3.connect(target, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        _bring_up(connection, name)
        if check:
            _refuse_damaged(connection, name)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_read_only(path: Path, name: str) -> sqlite3.Connection:
    """A connection that only reads, and writes no file beside the journal either.

    SQLite makes files beside a quiet journal to read it, unless it is told that the file does not change; where there
    is a log it must be read as well. Raises ``JournalError`` for another format, and ``sqlite3.Error``.
    """
    quiet = not any(path.with_name(f"{path.name}{suffix}").exists() for suffix in ("-wal", "-shm"))
    connection = _connect_immutable(path) if quiet else _connect_read_only(path)
    try:
        found = _format(connection, name)
        if found != FORMAT:
            raise JournalError(f"{name} has the format {found}, not {FORMAT}: run its jobs once with this version")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)


def _connect_immutable(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
    # Another process may be moving its log into the file: the first page, which tells how many there are, comes first.
    # This lets a file be shorter than that.
    connection.execute("pragma writable_schema = on")
    return connection


def _format(connection: sqlite3.Connection, name: str) -> int:
    found = int(connection.execute("pragma user_version").fetchone()[0])
    if found > FORMAT:
        raise JournalError(
            f"{name} was written by a newer version of kling_lipsync (format {found}, this one knows {FORMAT}): "
            "upgrade the package"
        )
    return found


def _bring_up(connection: sqlite3.Connection, name: str) -> None:
    # The header comes first, in a page of its own: from the first moment it names our program to all who look.
    if _format(connection, name) == 0:
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
    _make_durable(connection, name)
    if _format(connection, name) < FORMAT:
        connection.execute("begin immediate")
        _migrate(connection, _format(connection, name))  # again, as another process may have been first
        connection.execute("commit")


def _migrate(connection: sqlite3.Connection, found: int) -> None:
    for step in STEPS[found:]:
        for statement in step:
            connection.execute(statement)
    connection.execute(
        "insert into meta (id, journal_id) values (1, ?) on conflict do nothing", (secrets.token_hex(8),)
    )
    connection.execute(f"pragma user_version = {FORMAT}")


def _make_durable(connection: sqlite3.Connection, name: str) -> None:
    # SQLite does not wait by itself for a lock that this needs, as while another process makes the file.
    mode = patiently(lambda: connection.execute("pragma journal_mode = wal").fetchone()[0], pause=MOMENT_MS / 1000)
    if mode not in ("wal", "memory"):
        raise JournalError(f"{name}: its file system cannot keep a write-ahead log: choose a folder on a local disk")
    for pragma in ("synchronous = full", "fullfsync = on", "checkpoint_fullfsync = on"):
        connection.execute(f"pragma {pragma}")


def _refuse_damaged(connection: sqlite3.Connection, name: str) -> None:
    # SQLite reads some hundred MB per second; a file that is larger than its time allows is not read to its end.
    alarm = threading.Timer(LONGEST_CHECK, connection.interrupt)
    alarm.start()
    try:
        with closing(connection.execute("pragma quick_check(1)")) as report:
            found = report.fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return
    finally:
        alarm.cancel()
        alarm.join()
    if found != "ok":
        raise JournalError(f"{name} is damaged ({found}): keep a copy of it and restore a backup")
