"""What is decided and written inside one transaction: each function decides by reading first, then writes.

So a refusal leaves nothing behind, and the other writes of the same transaction stand.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, cast

from attrs import frozen

from ..abc import NoSlot
from ..errors import BudgetExceeded, ClaimLost, JournalError
from ..events import Event, Outcome
from . import queries
from .codec import encode_event, encode_outcome, from_millionths, to_millionths

if TYPE_CHECKING:
    from sqlite3 import Connection  # imported when a journal is opened, not before

_OPEN = "holds_slot or reserved > 0 or status in ('running', 'in_doubt')"


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
class Entry:
    """An event about to be written, and what it means for the counters; money is in millionths of a unit."""

    key: str
    after: int
    attempt: int
    at: float
    kind: str
    facts: str
    status: str
    outcome: str
    holds_slot: bool | None
    reserved: int | None
    spent: int
    ceilings: Ceilings

    @classmethod
    def of(cls, event: Event, outcome: Outcome, *, key: str, after: int, at: float, ceilings: Ceilings) -> Entry:
        """The entry for ``event`` of job ``key``. Raises ``JournalError`` for what the journal cannot keep."""
        reserves = event.reserves
        return cls(
            key=key,
            after=after,
            attempt=event.attempt,
            at=at,
            kind=type(event).__name__,
            facts=encode_event(event),
            status=outcome.status.value,
            outcome=encode_outcome(outcome),
            holds_slot=event.slot,
            reserved=None if reserves is None else to_millionths(reserves),
            spent=to_millionths(event.spends),
            ceilings=ceilings,
        )


def append(connection: Connection, entry: Entry) -> int:
    """Writes the entry and gives its ``seq``. Raises ``ClaimLost``, ``NoSlot``, ``BudgetExceeded``."""
    found = connection.execute(
        "select position, version, holds_slot, reserved from jobs where key = ?", (entry.key,)
    ).fetchone()
    position, version, held, reserved = found or (0, -1, 0, 0)
    if version != entry.after:
        raise ClaimLost(
            f"job {entry.key!r} has {max(version, 0)} events where {entry.after} were expected: somebody else wrote"
        )
    if entry.holds_slot and not held:
        _refuse_full(connection, entry.ceilings.slots)
    if entry.reserved is not None and entry.reserved > reserved:
        _refuse_dear(connection, entry, entry.reserved - reserved + entry.spent)
    inserted = connection.execute(
        "insert into events (job, version, attempt, at, kind, facts) values (?, ?, ?, ?, ?, ?)",
        (position, version + 1, entry.attempt, entry.at, entry.kind, entry.facts),
    )
    seq = cast("int", inserted.lastrowid)
    connection.execute(
        "update jobs set version = ?, attempt = ?, status = ?, outcome = ?, holds_slot = coalesce(?, holds_slot), "
        "reserved = coalesce(?, reserved), spent = spent + ? where position = ?",
        (
            version + 1,
            entry.attempt,
            entry.status,
            entry.outcome,
            entry.holds_slot,
            entry.reserved,
            entry.spent,
            position,
        ),
    )
    return seq


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


def admit(connection: Connection, key: str, settings: str) -> tuple[str, tuple[Event, ...]]:
    """The settings that the job was first given with, and its events so far; a new job is added."""
    found = connection.execute("select settings, version from jobs where key = ?", (key,)).fetchone()
    if found is None:
        connection.execute("insert into jobs (key, settings) values (?, ?)", (key, settings))
        return settings, ()
    return found[0], queries.history(connection, key) if found[1] else ()


def replace_settings(connection: Connection, key: str, settings: str) -> None:
    """Takes new settings for a job. Raises ``JournalError`` where it is open or has a result."""
    changed = connection.execute(
        f"update jobs set settings = ? where key = ? and not ({_OPEN} or status = 'succeeded')",  # noqa: S608 - made of constants
        (settings, key),
    ).rowcount
    if not changed:
        raise JournalError(
            f"job {key!r} is under way, in doubt or has a result: its settings stay; give other settings another key"
        )


def keep_session(connection: Connection, video: str, session: str, made_at: float) -> None:
    """Keeps a face session, in place of an older one of the same video."""
    connection.execute(
        "insert into sessions (video, session, made_at) values (?, ?, ?) "
        "on conflict (video) do update set session = excluded.session, made_at = excluded.made_at",
        (video, session, made_at),
    )


def take_account(connection: Connection, account: str, name: str) -> str:
    """Makes the journal belong to ``account``, and gives the journal's own id.

    Face sessions belong to the account that bought them: another account begins without. Raises ``JournalError`` where
    the journal belongs to another account and has open jobs.
    """
    journal_id, owner = queries.meta(connection)
    if owner == account:
        return journal_id
    if owner is not None:
        _refuse_open(connection, owner, account, name)
        connection.execute("delete from sessions")
    connection.execute("update meta set account = ?", (account,))
    return journal_id


def _refuse_open(connection: Connection, owner: str, account: str, name: str) -> None:
    count = connection.execute(f"select count(*) from jobs where {_OPEN}").fetchone()[0]  # noqa: S608 - made of constants
    if count:
        raise JournalError(
            f"{name} belongs to the account {owner}, where {count} of its jobs are open: finish them with that "
            f"account, or give the account {account} a journal of its own"
        )
