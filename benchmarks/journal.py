"""What it costs to keep every fact on disk before the next step: the journal in a file beside the one in memory."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import anyio

from benchmarks import _child
from benchmarks._figures import Aim, Figure, Size
from benchmarks._measured import batch
from kling_lipsync import Outcome, Status
from kling_lipsync._journal import SqliteJournal
from kling_lipsync._transport import SystemClock
from kling_lipsync.events import SendIntended

SLOTS = 50
FAST = {"task_seconds": 0.5, "identify_seconds": 0.1}
JOBS = {Size.QUICK: 20, Size.USUAL: 300, Size.FULL: 1000}
ROUNDS = {Size.QUICK: 1, Size.USUAL: 3, Size.FULL: 5}
WRITERS = 200
EVENTS = {Size.QUICK: 2, Size.USUAL: 50, Size.FULL: 100}


def measure(size: Size) -> list[Figure]:
    """Processor time a job with either journal, and how much a file takes in when nothing else is done."""
    costs: dict[str | None, list[float]] = {None: [], ":memory:": []}
    for _ in range(ROUNDS[size]):
        for journal, seen in costs.items():
            arguments = {"interval": 0.1, "journal": journal}
            seen.append(batch("ours:over_http", jobs=JOBS[size], slots=SLOTS, sandbox=FAST, **arguments).cpu)
    ours, without = median(costs[None]), median(costs[":memory:"])
    alone = _child.run("journal:write_alone", events=EVENTS[size])
    events, commits, seconds = alone.result
    aim = Aim(text="≤ 1.5 times :memory:", value=ours / without, most=1.5)
    name = f"{WRITERS} jobs writing at once"
    return [
        Figure(
            name=f"CPU a job, ms: journal in a file, {SLOTS} slots",
            ours=ours,
            floor={":memory:": without},
            aim=aim,
        ),
        Figure(name=f"journal: events a second, {name}", ours=events / seconds),
        Figure(name=f"journal: commits a second, {name}", ours=commits / seconds),
        Figure(name=f"journal: CPU an event, ms, {name}", ours=alone.cpu * 1000 / events),
    ]


def write_alone(events: int) -> tuple[int, int, float]:
    """How many events and commits a journal in a file took in, and in how many seconds."""

    async def write(journal: SqliteJournal, key: str) -> None:
        claim = (await journal.admit(key, "{}")).claim
        outcome = Outcome(key=key, status=Status.NOT_STARTED)
        for version in range(events):
            await journal.append(claim, SendIntended(key=key), after=version, outcome=outcome)

    async def main(path: Path) -> float:
        journal = SqliteJournal(path, clock=SystemClock())
        await journal.open("bench")
        begun = time.perf_counter()
        async with anyio.create_task_group() as group:
            for n in range(WRITERS):
                group.start_soon(write, journal, f"job-{n}")
        seconds = time.perf_counter() - begun
        await journal.aclose()
        return seconds

    with tempfile.TemporaryDirectory() as folder, counted_commits() as commits:
        seconds = anyio.run(main, Path(folder) / "jobs.db")
    return WRITERS * events, len(commits), seconds


@contextmanager
def counted_commits() -> Iterator[list[str]]:
    """Every commit of every SQLite connection that is opened meanwhile."""
    commits: list[str] = []
    connect = sqlite3.connect

    def watched(*args: Any, **options: Any) -> sqlite3.Connection:  # noqa: ANN401 - sqlite3's own
        connection = connect(*args, **options)
        connection.set_trace_callback(lambda sql: commits.append(sql) if sql.lower().startswith("commit") else None)
        return connection

    with patch("sqlite3.connect", watched):
        yield commits
