"""The reading half of a journal, the same for one that is open and one that is only looked at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..abc import JobRow, Totals
from ..events import Event
from ..models import FaceSession
from . import queries

if TYPE_CHECKING:
    from sqlite3 import Connection  # imported when a journal is opened, not before

T = TypeVar("T")


class Reader(ABC):
    """Answers questions about a journal. Every method raises ``JournalError`` where the journal cannot be read."""

    @abstractmethod
    async def _read(self, query: Callable[[Connection], T]) -> T:
        """What ``query`` returns."""

    async def events(self, *, after: int = 0, key: str | None = None) -> Sequence[Event]:
        """Up to 1000 events in order, those after ``seq`` ``after``, of one job or of all."""
        return await self._read(partial(queries.events, after=after, key=key))

    async def rows(self) -> AsyncIterator[JobRow]:
        """Every job in the order it was first given; some hundreds are read at a time."""
        page, last = await self._read(partial(queries.page, after=0))
        while page:
            for row in page:
                yield row
            page, last = await self._read(partial(queries.page, after=last))

    async def row(self, key: str) -> JobRow | None:
        """One job, or ``None`` where the journal does not know it."""
        return await self._read(partial(queries.row, key=key))

    async def rows_of(self, keys: Sequence[str]) -> dict[str, JobRow]:
        """Those of ``keys`` that the journal knows, in one reading; some hundreds at a time are read best."""
        return await self._read(partial(queries.rows_of, keys=keys))

    async def holders(self) -> Sequence[JobRow]:
        """The jobs that hold a slot, in the order they were first given."""
        return await self._read(queries.holders)

    async def totals(self) -> Totals:
        """The journal in numbers; does not look at every job."""
        return await self._read(queries.totals)

    async def session(self, video: str) -> tuple[FaceSession, float] | None:
        """The face session kept for a video and the Unix time it was made, or ``None``."""
        return await self._read(partial(queries.session, video=video))
