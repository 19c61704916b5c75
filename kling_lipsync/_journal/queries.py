"""What is read from a journal: plain functions over a connection."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..abc import JobRow, Totals
from ..events import Event, Outcome
from ..models import FaceSession, Status
from .codec import decode_event, decode_outcome, decode_plain, decode_session, from_millionths

if TYPE_CHECKING:
    from sqlite3 import Connection  # imported when a journal is opened, not before

_STATUSES = {status.value: status for status in Status}

PAGE = 1000
"""Rows that are read at once."""

_EVENTS_AT_ONCE = 1000

Alive = Callable[[str | None], bool]
"""Whether an owner of that id lives."""

_EVENT = """
    select e.kind, e.facts, e.seq, e.version, e.attempt, e.at, j.key from events e join jobs j on j.position = e.job
"""
_ALL_EVENTS = f"{_EVENT} where e.seq > ? order by e.seq limit ?"
_EVENTS_OF = f"{_EVENT} where j.key = ? and e.seq > ? order by e.version limit ?"
_ROW = """
    select key, settings, version, attempt, status, holds_slot, json_extract(outcome, '$.file'),
        json_type(outcome, '$.record') is not null, outcome, position
    from jobs
"""
_ROW_OF = f"{_ROW} where key = ?"
_ROWS_OF = f"{_ROW} where key in (select value from json_each(?))"  # noqa: S608 - made of constants
_KNOWN = "select key from jobs where key in (select value from json_each(?))"
_PAGE_OF_ROWS = f"{_ROW} where position > ? order by position limit ?"
_HOLDERS = f"{_ROW} where open and holds_slot order by position"
_NEEDY = "open and (holds_slot or status <> 'in_doubt')"  # a doubt without a slot waits for whoever gives the job again
_NEEDY_OF = f"{_ROW} where {_NEEDY} and coalesce(owner, '') in (select value from json_each(?)) order by position"  # noqa: S608 - made of constants
_OWNERS = f"select distinct coalesce(owner, '') from jobs where {_NEEDY}"  # noqa: S608 - made of constants
_CLAIMS_OF = "select key, owner from jobs where key in (select value from json_each(?))"
_SLOTS_OF_OTHERS = "select count(*) from jobs where open and holds_slot and owner is not ?"
_KEPT_KEYS = "select key from jobs where job is not null order by position"
_LAST = "select seq, at from events order by seq desc limit 1"
_UNDER_WAY = """
    select owner, count(*), sum(reserved) from jobs where open and status = 'in_doubt' and not paused group by owner
"""
_KEYS_OF = """
    select i.external_task_id, j.key from intents i join jobs j on j.position = i.job
    where i.external_task_id in (select value from json_each(?))
"""


def meta(connection: Connection) -> tuple[str, str | None]:
    """The journal's own id, and the account that it belongs to."""
    journal_id, account = connection.execute("select journal_id, account from meta").fetchone()
    return journal_id, account


def events(connection: Connection, after: int, key: str | None) -> list[Event]:
    """Up to 1000 events after ``seq`` ``after``, of one job or of all."""
    if key is None:
        return list(_events(connection, _ALL_EVENTS, (after, _EVENTS_AT_ONCE)))
    return list(_events(connection, _EVENTS_OF, (key, after, _EVENTS_AT_ONCE)))


def history(connection: Connection, key: str) -> tuple[Event, ...]:
    """All events of one job."""
    return tuple(_events(connection, _EVENTS_OF, (key, 0, -1)))


def row(connection: Connection, key: str) -> JobRow | None:
    """One job."""
    found = connection.execute(_ROW_OF, (key,)).fetchone()
    return _row(found) if found else None


def rows_of(connection: Connection, keys: Sequence[str]) -> dict[str, JobRow]:
    """Those of ``keys`` that the journal knows."""
    found = connection.execute(_ROWS_OF, (json.dumps(list(keys)),))
    return {fields[0]: _row(fields) for fields in found}


def known(connection: Connection, keys: Sequence[str]) -> list[str]:
    """Those of ``keys`` that the journal knows."""
    return [key for (key,) in connection.execute(_KNOWN, (json.dumps(list(keys)),))]


def page(connection: Connection, after: int) -> tuple[list[JobRow], int]:
    """The jobs after position ``after``, up to a page of them, and the position of the last."""
    found = connection.execute(_PAGE_OF_ROWS, (after, PAGE)).fetchall()
    return [_row(fields) for fields in found], found[-1][-1] if found else after


def holders(connection: Connection) -> list[JobRow]:
    """The jobs that hold a slot."""
    return [_row(fields) for fields in connection.execute(_HOLDERS)]


def dead_claims(connection: Connection, alive: Alive) -> list[JobRow]:
    """The jobs that need somebody, and that no living owner has claimed."""
    dead = [owner for (owner,) in connection.execute(_OWNERS) if not alive(owner)]
    return [_row(fields) for fields in connection.execute(_NEEDY_OF, (json.dumps(dead),))] if dead else []


def told(connection: Connection, after: int) -> list[tuple[int, str]]:
    """The news of tasks after number ``after``."""
    return connection.execute("select seq, task_id from news where seq > ? order by seq", (after,)).fetchall()


def unclaimed(connection: Connection, keys: Sequence[str], alive: Alive) -> list[str]:
    """Those of ``keys`` that no living owner has claimed."""
    claims = connection.execute(_CLAIMS_OF, (json.dumps(list(keys)),)).fetchall()
    living = {owner for owner in {owner for _, owner in claims} if alive(owner)}
    return [key for key, owner in claims if owner not in living]


def slots_of_others(connection: Connection, owner: str) -> int:
    """How many slots are held by jobs that ``owner`` has not claimed."""
    return int(connection.execute(_SLOTS_OF_OTHERS, (owner,)).fetchone()[0])


def kept_job(connection: Connection, key: str) -> str | None:
    """All of a job, where it is kept."""
    found = connection.execute("select job from jobs where key = ?", (key,)).fetchone()
    return found and found[0]


def kept_keys(connection: Connection) -> list[str]:
    """The keys of the jobs that are kept."""
    return [key for (key,) in connection.execute(_KEPT_KEYS)]


def keys_of(connection: Connection, external_task_ids: Sequence[str]) -> dict[str, str]:
    """The keys of the jobs for which these external ids were intended."""
    return dict(connection.execute(_KEYS_OF, (json.dumps(list(external_task_ids)),)).fetchall())


def totals(connection: Connection, alive: Alive) -> Totals:
    """The journal in numbers; a job between its intent and what becomes of it is running while its owner lives."""
    tally = {
        Status(status): counts
        for status, *counts in connection.execute("select status, jobs, slots, spent, reserved from tally where jobs")
    }
    under_way, money = _under_way(connection, alive)
    last_seq, last_at = connection.execute(_LAST).fetchone() or (0, 0.0)
    jobs = Counter({status: counts[0] for status, counts in tally.items()})
    jobs.update({Status.RUNNING: under_way, Status.IN_DOUBT: -under_way})
    in_doubt = tally[Status.IN_DOUBT][3] - money if Status.IN_DOUBT in tally else 0
    return Totals(
        jobs={status: count for status, count in jobs.items() if count},
        slots=sum(counts[1] for counts in tally.values()),
        spent=from_millionths(sum(counts[2] for counts in tally.values())),
        reserved=from_millionths(sum(counts[3] for counts in tally.values()) - in_doubt),
        in_doubt=from_millionths(in_doubt),
        last_seq=last_seq,
        last_at=last_at,
    )


def _under_way(connection: Connection, alive: Alive) -> tuple[int, int]:
    """How many jobs in doubt a living owner is at work on, and what they reserve."""
    found = [counts for owner, *counts in connection.execute(_UNDER_WAY).fetchall() if alive(owner)]
    return sum(jobs for jobs, _ in found), sum(money for _, money in found)


def session(connection: Connection, video: str) -> tuple[FaceSession, float] | None:
    """The face session kept for a video, and the Unix time it was made."""
    found = connection.execute("select session, made_at from sessions where video = ?", (video,)).fetchone()
    return (decode_session(found[0]), found[1]) if found else None


def _events(connection: Connection, query: str, parameters: tuple[object, ...]) -> Iterator[Event]:
    for kind, facts, seq, version, attempt, at, key in connection.execute(query, parameters):
        yield decode_event(kind, facts, seq=seq, version=version, attempt=attempt, at=at, key=key)


def _row(fields: Sequence[Any]) -> JobRow:
    key, settings, version, attempt, status, holds_slot, file, has_error, outcome, _ = fields
    return JobRow(
        key=key,
        settings=settings,
        version=version,
        attempt=attempt,
        status=_STATUSES[status],
        holds_slot=bool(holds_slot),
        file=file,
        has_error=bool(has_error),
        read_outcome=partial(_outcome, outcome),
        read_plain=partial(_plain, outcome),
    )


def _outcome(text: str | None) -> Outcome | None:
    return None if text is None else decode_outcome(text)


def _plain(text: str | None) -> Mapping[str, Any] | None:
    return None if text is None else decode_plain(text)
