"""What is decided and written inside one transaction: each function decides by reading first, then writes.

So a refusal leaves nothing behind, and the other writes of the same transaction stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, TypeVar, cast

from attrs import frozen

from ..abc import NoSlot
from ..errors import BudgetExceeded, ClaimLost, InvalidJob, JournalError
from ..events import Event, Outcome
from ..models import FaceSession, Problem
from . import queries
from .codec import encode_event, encode_outcome, from_millionths, to_millionths
from .owners import Owners

if TYPE_CHECKING:
    from sqlite3 import Connection  # imported when a journal is opened, not before

T = TypeVar("T")

SESSIONS_KEPT = 48 * 3600.0
"""Seconds: twice as long as Kling's documentation lets a face session live."""

NEWS_KEPT = 256
"""So many news of tasks stay for those who have not read them yet."""


@frozen
class Ceilings:
    """How many slots may be held, and how many millionths of a unit spent and reserved; ``None``: any number."""

    slots: int | None
    budget: int | None

    @classmethod
    def of(cls, slots: int | None, budget: Decimal | None) -> Ceilings:
        """The limits from a budget in units. Raises ``JournalError`` for what is not a number."""
        return cls(slots, None if budget is None else to_millionths(budget, ROUND_FLOOR))


@frozen(kw_only=True)
class Fact:
    """An event as the journal keeps it, and what it means for the counters; money is in millionths of a unit.

    ``intent`` is the external id under which it says that a task will be bought.
    """

    attempt: int
    kind: str
    text: str
    holds_slot: bool | None
    reserved: int | None
    spent: int
    paused: bool
    intent: str | None

    @classmethod
    def of(cls, event: Event) -> Fact:
        """What is to be kept of ``event``. Raises ``JournalError`` for what the journal cannot keep."""
        return cls(
            attempt=event.attempt,
            kind=type(event).__name__,
            text=encode_event(event),
            holds_slot=event.slot,
            reserved=None if event.reserves is None else to_millionths(event.reserves),
            spent=to_millionths(event.spends),
            paused=event.pauses,
            intent=getattr(event, "external_task_id", None),
        )


@frozen(kw_only=True)
class Entry:
    """Facts about to be written of one job, all or none of them, and how the job stands after the last."""

    owner: str
    key: str
    after: int
    at: float
    facts: tuple[Fact, ...]
    status: str
    outcome: str
    ended: bool
    ceilings: Ceilings

    @classmethod
    def of(
        cls,
        events: Sequence[Event],
        outcome: Outcome,
        *,
        owner: str,
        key: str,
        after: int,
        at: float,
        ended: bool,
        ceilings: Ceilings,
    ) -> Entry:
        """The entry for ``events`` of job ``key``. Raises ``JournalError`` for what the journal cannot keep."""
        return cls(
            owner=owner,
            key=key,
            after=after,
            at=at,
            facts=tuple(map(Fact.of, events)),
            status=outcome.status.value,
            outcome=encode_outcome(outcome),
            ended=ended,
            ceilings=ceilings,
        )

    @property
    def holds_slot(self) -> bool | None:
        """Whether the job holds a slot in the end; ``None``: as before."""
        return _last(fact.holds_slot for fact in self.facts)

    @property
    def reserved(self) -> int | None:
        """What the job has reserved in the end; ``None``: as before."""
        return _last(fact.reserved for fact in self.facts)

    @property
    def spent(self) -> int:
        """What the facts cost together."""
        return sum(fact.spent for fact in self.facts)

    @property
    def intents(self) -> list[str]:
        """The external ids under which tasks are bought."""
        return [fact.intent for fact in self.facts if fact.intent is not None]


def _last(values: Iterable[T | None]) -> T | None:
    found = None
    for value in values:
        found = found if value is None else value
    return found


def append(connection: Connection, entry: Entry) -> list[int]:
    """Writes the entry and gives the ``seq`` of each of its facts; a job that has ``ended`` is given back.

    Raises ``ClaimLost``, ``NoSlot``, ``BudgetExceeded``, and ``InvalidJob`` for an external id that is another job's.
    """
    position = _refuse_unfit(connection, entry)
    seqs = [_write(connection, entry, position, number) for number in range(len(entry.facts))]
    last = entry.facts[-1]
    connection.execute(
        "update jobs set version = ?, attempt = ?, status = ?, outcome = ?, holds_slot = coalesce(?, holds_slot), "
        "reserved = coalesce(?, reserved), spent = spent + ?, paused = ? where position = ?",
        (
            entry.after + len(entry.facts),
            last.attempt,
            entry.status,
            entry.outcome,
            entry.holds_slot,
            entry.reserved,
            entry.spent,
            last.paused,
            position,
        ),
    )
    for intent in entry.intents:
        connection.execute("insert into intents values (?, ?) on conflict do nothing", (intent, position))
    if entry.ended:
        release(connection, entry.key, entry.owner, ended=True)
    return seqs


def _write(connection: Connection, entry: Entry, position: int, number: int) -> int:
    fact = entry.facts[number]
    inserted = connection.execute(
        "insert into events (job, version, attempt, at, kind, facts) values (?, ?, ?, ?, ?, ?)",
        (position, entry.after + number + 1, fact.attempt, entry.at, fact.kind, fact.text),
    )
    return cast("int", inserted.lastrowid)


def _refuse_unfit(connection: Connection, entry: Entry) -> int:
    """The job's place in the journal, where the entry may be written."""
    found = connection.execute(
        "select position, owner, version, holds_slot, reserved from jobs where key = ?", (entry.key,)
    ).fetchone()
    position, owner, version, held, reserved = found or (0, None, -1, 0, 0)
    _refuse_taken(entry.key, owner, entry.owner)
    if version != entry.after:
        raise ClaimLost(
            f"job {entry.key!r} has {max(version, 0)} events where {entry.after} were expected: somebody else wrote"
        )
    if entry.holds_slot and not held:
        _refuse_full(connection, entry.ceilings.slots)
    if entry.reserved is not None and entry.reserved > reserved:
        _refuse_dear(connection, entry, entry.reserved - reserved + entry.spent)
    for intent in entry.intents:
        _refuse_anothers(connection, intent, position)
    return int(position)


def _refuse_taken(key: str, owner: str | None, own: str) -> None:
    if owner != own:
        raise ClaimLost(f"job {key!r} was taken over: its owner here was held to be dead")


def _refuse_anothers(connection: Connection, intent: str, position: int) -> None:
    bearer = connection.execute(
        "select j.position, j.key from intents i join jobs j on j.position = i.job where i.external_task_id = ?",
        (intent,),
    ).fetchone()
    if bearer is not None and bearer[0] != position:
        message = f"the external task id {intent} is that of job {bearer[1]!r} already: give each job its own"
        raise InvalidJob(message, [Problem("external_task_id", message)])


def _refuse_full(connection: Connection, slots: int | None) -> None:
    if slots is None:
        return
    held = connection.execute("select coalesce(sum(slots), 0) from tally").fetchone()[0]
    if held >= slots:
        raise NoSlot(f"{held} of {slots} slots are held")


def _refuse_dear(connection: Connection, entry: Entry, increase: int) -> None:
    budget = entry.ceilings.budget
    if budget is None:
        return
    committed = connection.execute("select coalesce(sum(spent + reserved), 0) from tally").fetchone()[0]
    if committed + increase > budget:
        raise BudgetExceeded(
            f"the next task may cost {from_millionths(increase)} units, and of the budget of "
            f"{from_millionths(budget)} only {from_millionths(max(0, budget - committed))} are left",
            key=entry.key,
        )


@frozen(kw_only=True)
class Admitted:
    """A job as it was claimed: its first settings, its events, whether they are of an earlier account, and the face
    session kept for its video.
    """

    settings: str
    events: tuple[Event, ...] = ()
    foreign: bool = False
    session: tuple[FaceSession, float] | None = None


def admit(
    connection: Connection, key: str, settings: str, owner: str, owners: Owners, video: str | None = None
) -> Admitted:
    """Claims the job for ``owner``; a new one is added. Raises ``ClaimLost`` where another living owner has it."""
    found = connection.execute("select settings, version, owner from jobs where key = ?", (key,)).fetchone()
    session = None if video is None else queries.session(connection, video)
    if found is None:
        connection.execute("insert into jobs (key, settings, owner) values (?, ?, ?)", (key, settings, owner))
        return Admitted(settings=settings, session=session)
    first, version, holder = found
    if holder not in (None, owner) and owners.alive(holder):
        raise ClaimLost(f"job {key!r} is being run by {owners.told(holder)}: leave it to that, or wait for its end")
    connection.execute("update jobs set owner = ? where key = ?", (owner, key))
    if not version:
        return Admitted(settings=first, session=session)
    events = queries.history(connection, key)
    since = connection.execute("select account_since from meta").fetchone()[0]
    return Admitted(settings=first, events=events, foreign=events[-1].seq <= since, session=session)


def release(connection: Connection, key: str, owner: str, ended: bool) -> None:
    """Gives the job back, if ``owner`` has it; of one that has ended, what was kept is dropped."""
    connection.execute(
        "update jobs set owner = null, job = iif(?, null, job) where key = ? and owner = ?", (ended, key, owner)
    )


def keep_job(connection: Connection, key: str, settings: str, job: str) -> None:
    """Adds the job if it is new, and keeps all of it."""
    connection.execute(
        "insert into jobs (key, settings, job) values (?, ?, ?) on conflict (key) do update set job = excluded.job",
        (key, settings, job),
    )


def replace_settings(connection: Connection, key: str, settings: str, owner: str) -> None:
    """Takes new settings for a job. Raises ``ClaimLost``, and ``JournalError`` where it is open or has a result."""
    holder, stays = connection.execute(
        "select owner, open or status = 'succeeded' from jobs where key = ?", (key,)
    ).fetchone()
    _refuse_taken(key, holder, owner)
    if stays:
        raise JournalError(
            f"job {key!r} is under way, in doubt or has a result: its settings stay; give other settings another key"
        )
    connection.execute("update jobs set settings = ? where key = ?", (settings, key))


def keep_session(connection: Connection, video: str, session: str, made_at: float) -> None:
    """Keeps a face session, in place of an older one of the same video."""
    connection.execute(
        "insert into sessions (video, session, made_at) values (?, ?, ?) "
        "on conflict (video) do update set session = excluded.session, made_at = excluded.made_at",
        (video, session, made_at),
    )


def tell(connection: Connection, task_id: str) -> None:
    """Adds news of a task, and drops the oldest."""
    told = connection.execute("insert into news (task_id) values (?)", (task_id,))
    connection.execute("delete from news where seq <= ?", (cast("int", told.lastrowid) - NEWS_KEPT,))


def forget_sessions(connection: Connection, now: float) -> None:
    """Drops the face sessions that have long ended."""
    connection.execute("delete from sessions where made_at < ?", (now - SESSIONS_KEPT,))


def take_account(connection: Connection, account: str, name: str, others: bool) -> str:
    """Makes the journal belong to ``account``, and gives the journal's own id; ``others`` live on it besides.

    Face sessions belong to the account that bought them: another account begins without. Raises ``JournalError`` where
    the journal belongs to another account and has open jobs or other living owners.
    """
    journal_id, before = queries.meta(connection)
    if before == account:
        return journal_id
    if before is not None:
        _refuse_account(connection, before, account, name, others)
        connection.execute("delete from sessions")
    since = connection.execute("select coalesce(max(seq), 0) from events").fetchone()[0]
    connection.execute("update meta set account = ?, account_since = ?", (account, since))
    return journal_id


def _refuse_account(connection: Connection, before: str, account: str, name: str, others: bool) -> None:
    count = connection.execute("select count(*) from jobs where open").fetchone()[0]
    why = f"where {count} of its jobs are open: finish them with that account"
    if others:
        why = "and another process is at work on it: wait for its end"
    if count or others:
        raise JournalError(
            f"{name} belongs to the account {before}, {why}, or give the account {account} a journal of its own"
        )
