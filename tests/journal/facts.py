"""What the journal's tests write about: a clock that is set by hand, events, outcomes and shortcuts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from attrs import define

from kling_lipsync._journal import SqliteJournal
from kling_lipsync.abc import Claim
from kling_lipsync.errors import ErrorRecord
from kling_lipsync.events import Checked, CreateIntended, DoubtRemains, Event, Outcome, TaskCreated, TaskEnded
from kling_lipsync.models import Status, Task, TaskStatus

ACCOUNT = "official api.example.com 1a2b3c"
LOST = ErrorRecord(type="AnswerLost", message="the answer did not come")
DOUBT = DoubtRemains(error=LOST)
CHECKED = Checked(video_duration_ms=5000)
CREATED = TaskCreated(task_id="task-1")


@define
class HandClock:
    """A clock that only a test moves."""

    now: float = 1_700_000_000.0

    def wall(self) -> float:
        """The time that was set."""
        return self.now

    def monotonic(self) -> float:
        """The same."""
        return self.now


@asynccontextmanager
async def opened(path: str | Path, *, inline: bool = False, account: str = ACCOUNT) -> AsyncIterator[SqliteJournal]:
    """A journal that is open inside."""
    journal = SqliteJournal(path, clock=HandClock(), inline=inline)
    await journal.open(account)
    try:
        yield journal
    finally:
        await journal.aclose()


def intended(units: str = "0.5") -> CreateIntended:
    """An intent that takes a slot and reserves ``units``, under an external id that no other has."""
    return CreateIntended(external_task_id=f"k-{uuid4().hex}", units=Decimal(units))


def ended(units: str = "0.5") -> TaskEnded:
    """An end that frees the slot and spends ``units``."""
    return TaskEnded(task=Task(task_id="task-1", status=TaskStatus.SUCCEED), units=Decimal(units))


def standing(key: str, status: Status = Status.RUNNING) -> Outcome:
    """An outcome with that status."""
    return Outcome(key=key, status=status)


async def holders(journal: SqliteJournal) -> list[str]:
    """The keys of the jobs that hold a slot, in the order they were first given."""
    return [row.key async for row in journal.rows() if row.holds_slot]


async def claimed(journal: SqliteJournal, key: str) -> Claim:
    """The claim on a job."""
    return (await journal.admit(key, f"settings of {key}")).claim


async def write(
    journal: SqliteJournal, claim: Claim, *events: Event, status: Status = Status.RUNNING, after: int = 0
) -> list[Event]:
    """``events`` as written one after the other, from version ``after`` on, without ceilings."""
    outcome = standing(claim.key, status)
    return [
        written
        for version, event in enumerate(events, after)
        for written in await journal.append(claim, event, after=version, outcome=outcome)
    ]


async def begun(journal: SqliteJournal, key: str, *events: Event, status: Status = Status.RUNNING) -> Claim:
    """The claim on a new job about which ``events`` have been written."""
    claim = await claimed(journal, key)
    await write(journal, claim, *events, status=status)
    return claim
