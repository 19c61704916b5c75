"""What is read from a journal: plain functions over a connection."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..abc import JobRow, Totals
from ..events import Event
from ..models import FaceSession, Status
from .codec import decode_event, decode_outcome, decode_session, from_millionths

if TYPE_CHECKING:
    from sqlite3 import Connection  # imported when a journal is opened, not before

PAGE = 500
"""Rows that are read at once."""

_EVENTS_AT_ONCE = 1000

_EVENT = """
    select e.kind, e.facts, e.seq, e.version, e.attempt, e.at, j.key from events e join jobs j on j.position = e.job
"""
_ALL_EVENTS = f"{_EVENT} where e.seq > ? order by e.seq limit ?"
_EVENTS_OF = f"{_EVENT} where j.key = ? and e.seq > ? order by e.version limit ?"
_ROW = "select key, settings, version, attempt, status, holds_slot, outcome, position from jobs"
_ROW_OF = f"{_ROW} where key = ?"
_ROWS_OF = f"{_ROW} where key in (select value from json_each(?))"  # noqa: S608 - made of constants
_PAGE_OF_ROWS = f"{_ROW} where position > ? order by position limit ?"
_HOLDERS = f"{_ROW} where holds_slot order by position"


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


def page(connection: Connection, after: int) -> tuple[list[JobRow], int]:
    """The jobs after position ``after``, up to a page of them, and the position of the last."""
    found = connection.execute(_PAGE_OF_ROWS, (after, PAGE)).fetchall()
    return [_row(fields) for fields in found], found[-1][-1] if found else after


def holders(connection: Connection) -> list[JobRow]:
    """The jobs that hold a slot."""
    return [_row(fields) for fields in connection.execute(_HOLDERS)]


def totals(connection: Connection) -> Totals:
    """The journal in numbers."""
    tally = {
        Status(status): counts
        for status, *counts in connection.execute("select status, jobs, slots, spent, reserved from tally where jobs")
    }
    in_doubt = tally[Status.IN_DOUBT][3] if Status.IN_DOUBT in tally else 0
    return Totals(
        jobs={status: counts[0] for status, counts in tally.items()},
        slots=sum(counts[1] for counts in tally.values()),
        spent=from_millionths(sum(counts[2] for counts in tally.values())),
        reserved=from_millionths(sum(counts[3] for counts in tally.values()) - in_doubt),
        in_doubt=from_millionths(in_doubt),
    )


def session(connection: Connection, video: str) -> tuple[FaceSession, float] | None:
    """The face session kept for a video, and the Unix time it was made."""
    found = connection.execute("select session, made_at from sessions where video = ?", (video,)).fetchone()
    return (decode_session(found[0]), found[1]) if found else None


def _events(connection: Connection, query: str, parameters: tuple[object, ...]) -> Iterator[Event]:
    for kind, facts, seq, version, attempt, at, key in connection.execute(query, parameters):
        yield decode_event(kind, facts, seq=seq, version=version, attempt=attempt, at=at, key=key)


def _row(fields: Sequence[Any]) -> JobRow:
    key, settings, version, attempt, status, holds_slot, outcome, _ = fields
    return JobRow(
        key=key,
        settings=settings,
        version=version,
        attempt=attempt,
        status=Status(status),
        holds_slot=bool(holds_slot),
        outcome=decode_outcome(outcome) if outcome else None,
    )
