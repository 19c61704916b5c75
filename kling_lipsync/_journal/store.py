"""An open database that threads take in turns, and the transactions on it."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from attrs import define, field

from ..abc import Clock
from ..errors import JournalError
from . import file, writes
from .failures import lasting, mapped
from .lock import refuse_fork
from .owners import Owner, Owners
from .patience import MOMENT_MS, patiently
from .turns import OwnTurns, SharedTurns

T = TypeVar("T")


@define(kw_only=True, eq=False)
class Store:
    """A connection that writes, who has opened it, and whether it may still be trusted.

    It belongs to the process that opened it: after a fork the child is refused, and leaves the parent's in peace.
    """

    name: str
    owners: Owners
    owner: Owner
    turns: OwnTurns | SharedTurns
    connection: sqlite3.Connection
    journal_id: str = ""
    _durable: bool = True
    _turn: threading.Lock = field(init=False, factory=threading.Lock)
    _process: int = field(init=False, factory=os.getpid)
    _closed: bool = False
    _failure: str = ""

    def take_up(self, account: str, at: float) -> None:
        """Makes the journal belong to ``account`` (at Unix time ``at``), and learns what it is.

        Raises ``JournalError``.
        """

        def enter(connection: sqlite3.Connection) -> None:
            self.owners.tidy()
            others = bool(self.owners.others(self.owner.id))
            self.journal_id = writes.take_account(connection, account, self.name, others)
            writes.forget_sessions(connection, at)

        self.connection.execute(f"pragma busy_timeout = {MOMENT_MS}")
        self.transact([enter])

    def transact(self, works: Sequence[Callable[[sqlite3.Connection], None]], *, durable: bool = True) -> None:
        """Does all ``works`` in one transaction, on disk when this returns if ``durable``; undone where this raises.

        Raises ``JournalError``, and whatever a work raises. A full disk may be tried again. After a disk's failure, of
        which only the next opening will tell what it left, all further writes are refused.
        """
        with self._taken():
            if self._failure:
                raise JournalError(
                    f"{self.name} takes no more events since its disk failed ({self._failure}): run again"
                )
            try:
                self._wait_for_disk(durable)
                patiently(lambda: self.connection.execute("begin immediate"))
                for work in works:
                    work(self.connection)
                self.connection.execute("commit")
            except BaseException as error:
                if lasting(error):
                    self._failure = str(error)
                if self.connection.in_transaction:
                    self.connection.execute("rollback")
                raise

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """What ``query`` returns, from the journal as it is at one moment. Raises ``JournalError``."""
        with self._taken():
            return patiently(lambda: self._glance(query))

    def version(self) -> int:
        """A number that changes when another owner writes. Raises ``JournalError``."""
        return self.read(lambda connection: int(connection.execute("pragma data_version").fetchone()[0]))

    def close(self) -> None:
        """Closes the file and gives its claims back. A second call does nothing. Raises ``JournalError``."""
        if self._closed or self._process != os.getpid():
            return
        with self._taken():
            self._closed = True
            try:
                self.connection.close()
            finally:
                self.turns.close()
                self.owner.leave()

    def _glance(self, query: Callable[[sqlite3.Connection], T]) -> T:
        self.connection.execute("begin")
        try:
            return query(self.connection)
        finally:
            if self.connection.in_transaction:  # a disk that fails ends it
                self.connection.execute("rollback")

    def _wait_for_disk(self, durable: bool) -> None:
        if durable != self._durable:
            self.connection.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
            self._durable = durable

    @contextmanager
    def _taken(self) -> Iterator[None]:
        refuse_fork(self._process, self.name)  # before the turn, which a thread of the parent may have had at the fork
        with self._turn, mapped(self.name):
            if self._closed:
                raise JournalError(f"{self.name} is closed")
            yield


def open_store(path: Path | None, account: str, *, clock: Clock, shared: bool) -> Store:
    """The store in the file ``path`` (``None``: in memory) for ``account``.

    Its pace is ``shared`` with other processes, or, as always in memory, goes by ``clock`` alone. Raises
    ``JournalError`` before anything is changed where the file is not a journal, is newer, damaged, may not be written
    or locked, or belongs to another account and has open jobs or other living owners.
    """
    name = f"the journal {path}" if path else "the journal in memory"
    with mapped(name), ExitStack() as undo:
        if path:
            file.refuse_foreign(path, name)
        owners = Owners(path)
        owner = Owner.join(owners, name)
        undo.callback(owner.leave)
        if path:
            file.make_private(path, name)
        connection = file.connect(str(path or ":memory:"), name, check=not owners.others(owner.id))
        undo.callback(connection.close)
        turns = SharedTurns(path.with_name(f"{path.name}.pace"), name) if path and shared else OwnTurns(clock.monotonic)
        undo.callback(turns.close)
        store = Store(name=name, owners=owners, owner=owner, turns=turns, connection=connection)
        store.take_up(account, clock.wall())
        undo.pop_all()
        return store
