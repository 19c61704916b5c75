"""The journal's file: looked at before it is touched, made, brought to the present format, connected to."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from ..errors import JournalError
from .schema import APPLICATION_ID, FORMAT, STEPS

_HEADER = 100
_MAGIC = b"SQLite format 3\x00"
_ID = slice(68, 72)


def refuse_foreign(path: Path, name: str) -> bool:
    """Whether ``path`` holds a journal already; an empty file or none at all is where one may be made.

    Only reads. Raises ``JournalError`` for a folder, a missing folder around it, and a file of anything else.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER)
    except FileNotFoundError as error:
        if not path.parent.is_dir():
            raise JournalError(f"{name}: there is no folder {path.parent}: make it first") from error
        return False
    except IsADirectoryError as error:
        raise JournalError(f"{name} is a folder: name a file in it") from error
    except OSError as error:
        raise JournalError(f"{name} cannot be read: {error.strerror}") from error
    if header:
        _refuse_header(header, name)
    return bool(header)


def _refuse_header(header: bytes, name: str) -> None:
    if not header.startswith(_MAGIC) or len(header) < _HEADER:
        raise JournalError(f"{name} is a file of another kind, not a journal: name another file; it is left as it is")
    if int.from_bytes(header[_ID], "big") != APPLICATION_ID:
        raise JournalError(f"{name} is another program's SQLite file: name another file; it is left as it is")


def make_private(path: Path, name: str) -> None:
    """Makes the file if it is missing, readable by its owner alone, and proves that it may be written.

    Raises ``JournalError`` where it may not.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise JournalError(f"{name} cannot be written: {error.strerror}: check its permissions") from error


def connect(target: str, name: str) -> sqlite3.Connection:
    """A connection that writes, durably, to a journal of the present format; ``target`` is a path or ``:memory:``.

    Raises ``JournalError`` for a file system that cannot share memory, a newer format and a damaged file, and
    ``sqlite3.Error``.
    """
    connection = sqlite3.connect(target, isolation_level=None, check_same_thread=False)
    try:
        _bring_up(connection, name)
        _make_durable(connection, name)
        _refuse_damaged(connection, name)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_read_only(path: Path, name: str) -> sqlite3.Connection:
    """A connection that only reads, and writes no file beside the journal either.

    SQLite makes files beside a quiet journal to read it, unless it is told that the file does not change; a log that
    holds anything must be read as well. Raises ``JournalError`` for another format, and ``sqlite3.Error``.
    """
    log = path.with_name(f"{path.name}-wal")
    mode = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    connection = sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, isolation_level=None, check_same_thread=False)
    try:
        found = _format(connection, name)
        if found != FORMAT:
            raise JournalError(f"{name} has the format {found}, not {FORMAT}: run its jobs once with this version")
    except BaseException:
        connection.close()
        raise
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
    # The first format is written before the log is switched on, so the header names our program from the beginning.
    found = _format(connection, name)
    if found == FORMAT:
        return
    connection.execute("begin immediate")
    for step in STEPS[found:]:
        for statement in step:
            connection.execute(statement)
    connection.execute(
        "insert into meta (id, journal_id) values (1, ?) on conflict do nothing", (secrets.token_hex(8),)
    )
    connection.execute(f"pragma application_id = {APPLICATION_ID}")
    connection.execute(f"pragma user_version = {FORMAT}")
    connection.execute("commit")


def _make_durable(connection: sqlite3.Connection, name: str) -> None:
    mode = connection.execute("pragma journal_mode = wal").fetchone()[0]
    if mode not in ("wal", "memory"):
        raise JournalError(f"{name}: its file system cannot keep a write-ahead log: choose a folder on a local disk")
    for pragma in ("synchronous = full", "fullfsync = on", "checkpoint_fullfsync = on"):
        connection.execute(f"pragma {pragma}")


def _refuse_damaged(connection: sqlite3.Connection, name: str) -> None:
    with closing(connection.execute("pragma quick_check(1)")) as report:
        found = report.fetchone()[0]
    if found != "ok":
        raise JournalError(f"{name} is damaged ({found}): keep a copy of it and restore a backup")
