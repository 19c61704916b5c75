"""The reading half of a journal, the same for one that is open and one that is only looked at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..abc import JobRow, Totals
from ..events import Event
from ..models import FaceSession
from . import queries
from .owners import Owners

if TYPE_CHECKING:
    from sqlite3 import Connection  # imported when a journal is opened, not before

T = TypeVar("T")


class Reader(ABC):
    """Answers questions about a journal. Every method raises ``JournalError`` where the journal cannot be read."""

    _owners = Owners(None)

    @abstractmethod
    async def _read(self, query: Callable[[Connection], T]) -> T:
        """What ``query`` returns, from the journal as it is at one moment."""

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
        """Those of ``keys`` that the journal knows; some thousands are read at a time."""
        found: dict[str, JobRow] = {}
        for some in _portions(keys):
            found.update(await self._read(partial(queries.rows_of, keys=some)))
        return found

    async def known(self, keys: Sequence[str]) -> set[str]:
        """Those of ``keys`` that the journal knows, without what it knows of them."""
        found: set[str] = set()
        for some in _portions(keys):
            found.update(await self._read(partial(queries.known, keys=some)))
        return found

    async def holders(self) -> Sequence[JobRow]:
        """The jobs that hold a slot, in the order they were first given."""
        return await self._read(queries.holders)

    async def dead_claims(self) -> Sequence[JobRow]:
        """The jobs that need somebody and have nobody: they hold a slot, run, or had a request under way, and their
        owner is dead or gave them back; in the order they were first given.

        Costs a look at each owner's lock where there are none.
        """
        return await self._read(partial(queries.dead_claims, alive=self._owners.alive))

    async def told(self, after: int) -> Sequence[tuple[int, str]]:
        """The ids of tasks that ``tell`` was given, each after its number, from number ``after`` (exclusive) on."""
        return await self._read(partial(queries.told, after=after))

    async def unclaimed(self, keys: Sequence[str]) -> Sequence[str]:
        """Those of ``keys`` that no living owner has claimed."""
        found: list[str] = []
        for some in _portions(keys):
            found += await self._read(partial(queries.unclaimed, keys=some, alive=self._owners.alive))
        return found

    async def kept_job(self, key: str) -> str | None:
        """What ``keep_job`` kept of a job that has not ended, or ``None``."""
        return await self._read(partial(queries.kept_job, key=key))

    async def kept_keys(self) -> Sequence[str]:
        """The keys of all jobs that are kept, in the order they were first given."""
        return await self._read(queries.kept_keys)

    async def keys_of(self, external_task_ids: Sequence[str]) -> dict[str, str]:
        """The keys of the jobs by the external task ids that were ever intended for them; unknown ids are left out."""
        found: dict[str, str] = {}
        for some in _portions(external_task_ids):
            found.update(await self._read(partial(queries.keys_of, external_task_ids=some)))
        return found

    async def totals(self) -> Totals:
        """The journal in numbers; does not look at every job."""
        return await self._read(partial(queries.totals, alive=self._owners.alive))

    async def session(self, video: str) -> tuple[FaceSession, float] | None:
        """The face session kept for a video and the Unix time it was made, or ``None``."""
        return await self._read(partial(queries.session, video=video))


def _portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + queries.PAGE] for start in range(0, len(names), queries.PAGE))
