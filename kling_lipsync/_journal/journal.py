"""``SqliteJournal``: the contract ``kling_lipsync.abc.Journal`` over one SQLite file, or over memory."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from anyio import get_cancelled_exc_class, sleep
from anyio.lowlevel import checkpoint_if_cancelled
from attrs import evolve

from ..abc import Admission, Claim, Clock, SomeEvent
from ..errors import ClaimLost, JournalError
from ..events import Outcome
from ..models import FaceSession
from . import queries, writes
from .codec import encode_session
from .group import GroupCommit
from .news import News
from .pacer import JournalPacer
from .reader import Reader
from .worker import Worker

if TYPE_CHECKING:
    from sqlite3 import Connection  # imported when a journal is opened, not before

    from .store import Store

T = TypeVar("T")


class SqliteJournal(Reader):
    """A journal in the file ``path``, or in memory for ``":memory:"``; for one event loop at a time.

    Any number of processes may have the file open, and one process may have it open more than once: each opened journal
    is an owner, whose claims last until it is closed or its process ends. A journal does not pass to a forked child.
    ``clock`` dates the events. ``inline`` calls SQLite in the event loop's thread, for tests in virtual time; otherwise
    one worker thread at a time does. What is handed in together is written together, with one wait for the disk.
    """

    def __init__(self, path: str | Path, *, clock: Clock, inline: bool = False) -> None:
        self._path = None if str(path) == ":memory:" else Path(path)
        self._clock = clock
        self._worker = Worker(inline)
        self._group = GroupCommit(
            lambda works, *, durable: self._opened().transact(works, durable=durable), self._worker
        )
        self._store: Store | None = None
        self._news: News | None = None
        self._claims: dict[str, Claim] = {}
        self._numbers = count(1)

    @property
    def journal_id(self) -> str:
        """The journal's own random id, from which external task ids are derived.

        Raises ``JournalError`` before it has been opened.
        """
        return self._opened().journal_id

    async def open(self, account: str) -> None:
        """Opens it for ``account`` (a string that names gateway, host and credential, without the secret).

        A missing file is made, readable by its owner alone. Where no job is open and nobody else has it open, a journal
        may pass from one account to another; its face sessions are forgotten then. Raises ``JournalError`` where the
        journal is corrupt, foreign, newer, not writable, on a disk that cannot lock (no network disk can keep one), or
        belongs to another account and has open jobs or living owners; a file that is not a journal is left as it is.
        """
        try:
            await self._worker.run(partial(self._open, account))
        except get_cancelled_exc_class():
            await self.aclose()
            raise
        finally:
            if self._store is None:
                self._worker.close()

    async def aclose(self) -> None:
        """Gives the claims back and closes the file. A second call does nothing. Raises ``JournalError``."""
        store, self._store = self._store, None
        self._claims.clear()
        try:
            if store:
                await self._worker.run(store.close)
        finally:
            self._worker.close()

    async def admit(self, key: str, settings: str, video: str | None = None) -> Admission:
        """Claims the job, adding it if it is new; a claim lasts until ``release`` or ``aclose``.

        ``settings`` is compared with what it was first given; ``video`` is the name under which its video's face
        session would be kept. Raises ``ClaimLost`` where the job is claimed already, by this owner or by another one
        that lives.
        """
        if key in self._claims:
            raise ClaimLost(f"job {key!r} is being run already: give each job a key of its own")
        store = self._opened()
        claim = self._claims[key] = Claim(_text(key), f"{store.owner.id}-{next(self._numbers)}")
        admit = partial(writes.admit, key=key, video=video, owner=store.owner.id, owners=store.owners)
        try:
            # A claim ends with its process anyway, and a new job without an event is none: no wait for the disk.
            found = await self._group.put(partial(admit, settings=_text(settings)), durable=False)
        except get_cancelled_exc_class():
            await self.release(claim)
            raise
        except BaseException:
            del self._claims[key]
            raise
        return Admission(
            claim=claim,
            events=found.events,
            changed=found.settings != settings,
            foreign=found.foreign,
            session=found.session,
        )

    async def release(self, claim: Claim, *, ended: bool = False) -> None:
        """Gives the job back, so that any owner may admit it; a claim that has been given back already is ignored.

        ``ended``: nothing is left to do for the job, and what ``keep_job`` kept of it is dropped. It is handed in even
        by a caller that is cancelled, and written with what else is being written. Raises ``JournalError`` where that
        fails: the job is this owner's still, and only it may admit the job.
        """
        if self._claims.get(claim.key) == claim:
            del self._claims[claim.key]
            give_back = partial(writes.release, key=claim.key, owner=self._opened().owner.id, ended=ended)
            await self._group.put_at_once(give_back, durable=False)

    async def keep_job(self, key: str, settings: str, job: str) -> None:
        """Adds the job if it is new, and keeps ``job``, which tells all of it, until it has ended.

        It is on disk when this returns.
        """
        keep = partial(writes.keep_job, key=_text(key), settings=_text(settings), job=_text(job))
        await self._group.put(keep)

    async def replace_settings(self, claim: Claim, settings: str) -> None:
        """Takes new settings for a job that has neither a running task, a result nor a doubt.

        Raises ``ClaimLost``, and ``JournalError`` for a job that has one of these.
        """
        owner = self._hold(claim)
        await self._group.put(partial(writes.replace_settings, key=claim.key, settings=_text(settings), owner=owner))

    async def append(
        self,
        claim: Claim,
        *events: SomeEvent,
        after: int,
        outcome: Outcome,
        ended: bool = False,
        slots: int | None = None,
        budget: Decimal | None = None,
    ) -> tuple[SomeEvent, ...]:
        """Writes ``events``, all or none, if the job's last version is ``after``, and gives them back with their
        ``seq``, ``key``, ``at`` and ``version``.

        ``outcome`` is how the job stands once they are written; ``ended``: nothing is left to do for it, and it is
        given back with them, as by ``release``. The claim, the ceiling ``slots`` (where the job newly takes a slot),
        the ``budget`` in units (where more is reserved than the job has reserved) and the events are one transaction,
        over the jobs of all owners. They are on disk when this returns.
        A caller that is cancelled before this hands them in has written nothing; later they are written all the same.
        Raises ``ClaimLost``, ``NoSlot``, ``BudgetExceeded``, ``InvalidJob`` for an intent whose external task id is
        that of another job, and ``JournalError`` where the events are not known to be on disk.
        """
        owner = self._hold(claim)
        at = self._clock.wall()
        ceilings = writes.Ceilings.of(slots, budget)
        entry = writes.Entry.of(
            events, outcome, owner=owner, key=claim.key, after=after, at=at, ended=ended, ceilings=ceilings
        )
        seqs = await self._group.put(partial(writes.append, entry=entry))
        if ended:
            del self._claims[claim.key]
        written = enumerate(zip(events, seqs, strict=True), after + 1)
        return tuple(evolve(event, seq=seq, key=claim.key, version=version, at=at) for version, (event, seq) in written)

    async def keep_session(self, video: str, session: FaceSession, made_at: float) -> None:
        """Keeps a face session for other jobs on the same video, and for the next run; not Kling's ``raw`` answer.

        It is handed in even by a caller that is cancelled: it may have been paid.
        """
        text = encode_session(session)
        await self._group.put_at_once(partial(writes.keep_session, video=_text(video), session=text, made_at=made_at))

    async def tell(self, task_id: str) -> None:
        """Lets all owners know that there is news of a task; the last few hundred are kept."""
        await self._group.put_at_once(partial(writes.tell, task_id=_text(task_id)), durable=False)

    async def slots_of_others(self) -> int:
        """How many slots are held by jobs that this owner has not claimed."""
        return await self._read(partial(queries.slots_of_others, owner=self._opened().owner.id))

    async def wait_for_others(self, timeout: float) -> bool:  # noqa: ASYNC109 - its end is an answer, not a failure
        """Whether another owner has written anything since this was last asked: ``True`` as soon as one has, ``False``
        after ``timeout`` seconds.

        The file is looked at ten times a second, however many wait. Raises ``JournalError``.
        """
        self._opened()
        if self._news is None:
            await sleep(timeout)
            return False
        return await self._news.wait(timeout)

    def pacer(self, rate: float | None) -> JournalPacer:
        """Lets at most ``rate`` requests leave per second over all owners on the journal; ``None`` does not pace.

        It may be made before the journal is opened. In memory, and inline, it paces this owner alone, on the clock
        that the journal was given.
        """
        return JournalPacer(rate, lambda: self._opened().turns)

    async def _read(self, query: Callable[[Connection], T]) -> T:
        await checkpoint_if_cancelled()
        return await self._worker.run(lambda: self._opened().read(query))

    def _open(self, account: str) -> None:
        from .store import open_store

        if self._store:
            raise JournalError("the journal is open already")
        path, shared = self._path and self._path.resolve(), not self._worker.inline
        store = self._store = open_store(path, _text(account), clock=self._clock, shared=shared)
        self._owners = store.owners
        self._news = News(lambda: self._worker.run(store.version), store.version()) if path else None

    def _hold(self, claim: Claim) -> str:
        if self._claims.get(claim.key) != claim:
            raise ClaimLost(f"job {claim.key!r} is no longer claimed by who writes about it")
        return self._opened().owner.id

    def _opened(self) -> Store:
        if self._store is None:
            raise JournalError("the journal is not open")
        return self._store


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise JournalError(f"the journal cannot keep the text {text!r}: it is not Unicode") from error
    if "\0" in text:  # SQLite's JSON functions, by which many are looked up at once, end there
        raise JournalError(f"the journal cannot keep the text {text!r}: it holds a null character")
    return text
