"""A look at a journal that may be in use: no lock, nothing written, nothing kept open."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from anyio import to_thread
from anyio.lowlevel import checkpoint

from ..errors import JournalError
from . import queries
from .owners import Owners
from .reader import Reader

if TYPE_CHECKING:
    from sqlite3 import Connection  # imported when a journal is looked at, not before

T = TypeVar("T")


class JournalView(Reader):
    """A journal as it stands at each question; ``journal_id`` and ``account`` as they stood at the first."""

    def __init__(self, path: Path, *, inline: bool, journal_id: str, account: str | None) -> None:
        self.journal_id = journal_id
        self.account = account
        self._path = path
        self._inline = inline
        self._owners = Owners(path)

    async def _read(self, query: Callable[[Connection], T]) -> T:
        return await _run(partial(_glimpse, self._path, query), self._inline)


async def peek(path: str | Path, *, inline: bool = False) -> JournalView:
    """A view of the journal at ``path``, whether or not another process is running on it.

    ``inline`` reads in the event loop's thread. Raises ``JournalError`` where there is no journal, or none that this
    version can read.
    """
    resolved = await _run(Path(path).resolve, inline)
    journal_id, account = await _run(partial(_glimpse, resolved, queries.meta), inline)
    return JournalView(resolved, inline=inline, journal_id=journal_id, account=account)


async def _run(call: Callable[[], T], inline: bool) -> T:
    if inline:
        await checkpoint()
        return call()
    return await to_thread.run_sync(call)


def _glimpse(path: Path, query: Callable[[Connection], T]) -> T:
    # A connection for each question: a quiet journal is read as a file that does not change, which must not outlast
    # the moment, as a process may begin to write at any time.
    from . import file
    from .failures import mapped

    name = f"the journal {path}"
    with mapped(name):
        if not file.refuse_foreign(path, name):
            raise JournalError(f"there is no journal {path}")
        connection = file.connect_read_only(path, name)
        try:
            connection.execute("begin")
            return query(connection)
        finally:
            connection.close()
