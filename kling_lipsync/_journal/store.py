"""An open database that threads take in turns, and the transactions on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from ..errors import JournalError
from . import file, writes
from .failures import lasting, mapped
from .lock import FileLock

T = TypeVar("T")


class Store:
    """A connection that writes, its lock, and whether it may still be trusted."""

    def __init__(self, connection: Connection, name: str, lock: FileLock | None) -> None:
        self._connection = connection
        self._name = name
        self._lock = lock
        self._turn = threading.Lock()
        self._closed = False
        self._failure = ""

    def transact(self, works: Sequence[Callable[[Connection], None]]) -> None:
        """Does all ``works`` in one transaction, on disk when this returns; undone where this raises.

        Raises ``JournalError``, and whatever a work raises. A full disk may be tried again. After a disk's failure, of
        which only the next opening will tell what it left, all further writes are refused.
        """
        with self._turn, mapped(self._name):
            self._refuse_unusable()
            try:
                self._connection.execute("begin immediate")
                for work in works:
                    work(self._connection)
                self._connection.execute("commit")
            except BaseException as error:
                if lasting(error):
                    self._failure = str(error)
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise

    def read(self, query: Callable[[Connection], T]) -> T:
        """What ``query`` returns. Raises ``JournalError``."""
        with self._turn, mapped(self._name):
            if self._closed:
                raise JournalError(f"{self._name} is closed")
            return query(self._connection)

    def close(self) -> None:
        """Closes the file, and then gives its lock back. A second call does nothing. Raises ``JournalError``."""
        with self._turn, mapped(self._name):
            if self._closed:
                return
            self._closed = True
            try:
                self._connection.close()
            finally:
                if self._lock:
                    self._lock.release()

    def _refuse_unusable(self) -> None:
        if self._closed:
            raise JournalError(f"{self._name} is closed")
        if self._failure:
            raise JournalError(f"{self._name} takes no more events since its disk failed ({self._failure}): run again")


def open_store(path: Path | None, account: str) -> tuple[Store, str]:
    """The store in the file ``path`` (``None``: in memory) for ``account``, and the journal's own id.

    Raises ``JournalError`` before anything is changed where the file is not a journal, is newer, damaged, in use, may
    not be written, or belongs to another account and has open jobs.
    """
    if path is None:
        return _opened(":memory:", "the journal in memory", None, account)
    name = f"the journal {path}"
    with mapped(name):
        file.refuse_foreign(path, name)
    lock = FileLock.take(path.with_name(f"{path.name}.lock"), name)
    try:
        with mapped(name):
            file.make_private(path, name)
        return _opened(str(path), name, lock, account)
    except BaseException:
        lock.release()
        raise


def _opened(target: str, name: str, lock: FileLock | None, account: str) -> tuple[Store, str]:
    with mapped(name):
        connection = file.connect(target, name)
    store = Store(connection, name, lock)
    journal_ids: list[str] = []
    try:
        store.transact([lambda transaction: journal_ids.append(writes.take_account(transaction, account, name))])
    except BaseException:
        connection.close()
        raise
    return store, journal_ids[0]
