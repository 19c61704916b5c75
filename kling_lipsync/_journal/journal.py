"""``SqliteJournal``: the contract ``kling_lipsync.abc.Journal`` over one SQLite file, or over memory."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from anyio import get_cancelled_exc_class
from attrs import evolve

from ..abc import Admission, Claim, Clock, SomeEvent
from ..errors import ClaimLost, JournalError
from ..events import Outcome
from ..models import FaceSession
from . import writes
from .codec import encode_session
from .group import GroupCommit
from .reader import Reader
from .worker import Worker, to_the_end

if TYPE_CHECKING:
    from sqlite3 import Connection  # imported when a journal is opened, not before

    from .store import Store

T = TypeVar("T")


class SqliteJournal(Reader):
    """A journal in the file ``path``, or in memory for ``":memory:"``; for one process and one event loop at a time.

    ``clock`` dates the events. ``inline`` calls SQLite in the event loop's thread, for tests in virtual time; otherwise
    one worker thread at a time does. What is handed in together is written together, with one wait for the disk.
    """

    def __init__(self, path: str | Path, *, clock: Clock, inline: bool = False) -> None:
        self._path = None if str(path) == ":memory:" else Path(path)
        self._clock = clock
        self._worker = Worker(inline)
        self._group = GroupCommit(lambda works: self._opened().transact(works), self._worker)
        self._store: Store | None = None
        self._journal_id = ""
        self._claims: dict[str, Claim] = {}
        self._owners = (f"{secrets.token_hex(4)}-{n}" for n in count(1))

    @property
    def journal_id(self) -> str:
        """The journal's own random id, from which external task ids are derived.

        Raises ``JournalError`` before it has been opened.
        """
        self._opened()
        return self._journal_id

    async def open(self, account: str) -> None:
        """Opens it for ``account`` (a string that names gateway, host and credential, without the secret), and keeps
        every other process out until ``aclose`` or the end of this one.

        A missing file is made, readable by its owner alone. Where no job is open, a journal may pass from one account
        to another; its face sessions are forgotten then. Raises ``JournalError`` where the journal is corrupt, foreign,
        newer, in use, not writable, or belongs to another account and has open jobs; a file that is not a journal is
        left as it is.
        """
        try:
            await to_the_end(lambda: self._worker.run(partial(self._open, account)))
        except get_cancelled_exc_class():
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Gives the claims back and closes the file. A second call does nothing. Raises ``JournalError``."""
        store, self._store = self._store, None
        self._claims.clear()
        if store:
            await to_the_end(lambda: self._worker.run(store.close))

    async def admit(self, key: str, settings: str) -> Admission:
        """Claims the job, adding it if it is new; a claim lasts until ``release`` or ``aclose``.

        ``settings`` is compared with what it was first given. Raises ``ClaimLost`` where the job is claimed already.
        """
        if key in self._claims:
            raise ClaimLost(f"job {key!r} is being run already: give each job a key of its own")
        claim = self._claims[key] = Claim(_text(key), next(self._owners))
        try:
            first, events = await self._group.put(partial(writes.admit, key=key, settings=_text(settings)))
        except BaseException:
            self.release(claim)
            raise
        return Admission(claim=claim, events=events, changed=first != settings)

    def release(self, claim: Claim) -> None:
        """Gives the job back, so that it may be admitted again; a claim that has been given back already is ignored."""
        if self._claims.get(claim.key) == claim:
            del self._claims[claim.key]

    async def replace_settings(self, claim: Claim, settings: str) -> None:
        """Takes new settings for a job that has neither a running task, a result nor a doubt.

        Raises ``ClaimLost``, and ``JournalError`` for a job that has one of these.
        """
        self._hold(claim)
        await self._group.put(partial(writes.replace_settings, key=claim.key, settings=_text(settings)))

    async def append(
        self,
        claim: Claim,
        event: SomeEvent,
        *,
        after: int,
        outcome: Outcome,
        slots: int | None = None,
        budget: Decimal | None = None,
    ) -> SomeEvent:
        """Writes ``event`` if the job's last version is ``after``, and gives it back with its ``seq``, ``key``, ``at``
        and ``version``.

        ``outcome`` is how the job stands once the event is written. The claim, the ceiling ``slots`` (for an event by
        which the job newly takes a slot), the ``budget`` in units (for one that reserves more than the job has
        reserved) and the event are one transaction. The event is on disk when this returns. A caller that is cancelled
        before this hands the event in has written nothing; later the event is written all the same. Raises
        ``ClaimLost``, ``NoSlot``, ``BudgetExceeded``, and ``JournalError`` where the event is not known to be on disk.
        """
        self._hold(claim)
        at = self._clock.wall()
        ceilings = writes.Ceilings.of(slots, budget)
        entry = writes.Entry.of(event, outcome, key=claim.key, after=after, at=at, ceilings=ceilings)
        seq = await self._group.put(partial(writes.append, entry=entry))
        return evolve(event, seq=seq, key=claim.key, version=after + 1, at=at)

    async def keep_session(self, video: str, session: FaceSession, made_at: float) -> None:
        """Keeps a face session for other jobs on the same video, and for the next run; not Kling's ``raw`` answer."""
        text = encode_session(session)
        await self._group.put(partial(writes.keep_session, video=_text(video), session=text, made_at=made_at))

    async def _read(self, query: Callable[[Connection], T]) -> T:
        return await self._worker.run(lambda: self._opened().read(query))

    def _open(self, account: str) -> None:
        from .store import open_store

        if self._store:
            raise JournalError("the journal is open already")
        self._store, self._journal_id = open_store(self._path and self._path.resolve(), _text(account))

    def _hold(self, claim: Claim) -> None:
        if self._claims.get(claim.key) != claim:
            raise ClaimLost(f"job {claim.key!r} is no longer claimed by who writes about it")

    def _opened(self) -> Store:
        if self._store is None:
            raise JournalError("the journal is not open")
        return self._store


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise JournalError(f"the journal cannot keep the text {text!r}: it is not Unicode") from error
    return text
