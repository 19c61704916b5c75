from __future__ import annotations

import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from subprocess import Popen

import pytest

from kling_lipsync._journal import SqliteJournal, peek
from kling_lipsync.errors import JournalError
from kling_lipsync.events import CreateIntended

from .facts import CHECKED, claimed, holders, opened, write
from .writer import DEATHS, STEPS, started

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),  # what is tested runs in another process
]

TALLY = "select status, jobs, slots, spent, reserved from tally where jobs order by status"
TALLY_OF_JOBS = """
    select status, count(*), sum(holds_slot), sum(spent), sum(reserved) from jobs group by status order by status
"""
JOBS = "select position, version, version, holds_slot, reserved, spent from jobs where version order by position"
JOBS_OF_EVENTS = """
    select job, count(*), max(version), last, last * 500000, sum(kind = 'TaskEnded') * 500000
    from (select *, last_value(kind = 'CreateIntended') over (partition by job) as last from events order by seq)
    group by job order by job
"""


def confirmed(lines: Iterable[str]) -> dict[str, int]:
    """The last version of each job that the journal confirmed to the process; a line cut short does not count."""
    versions: dict[str, int] = {}
    for line in lines:
        if line.endswith("\n") and not line.startswith("!"):
            key, version = line.rsplit(" ", 1)
            versions[key] = max(versions.get(key, 0), int(version))
    return versions


def kill(process: Popen[str]) -> list[str]:
    """Kills the process, and gives what it had still said."""
    process.kill()
    said, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    return said.splitlines(keepends=True)


def recount(path: Path) -> None:
    """Every sum in the file is that of its events."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert connection.execute(TALLY).fetchall() == connection.execute(TALLY_OF_JOBS).fetchall()
        assert connection.execute(JOBS).fetchall() == connection.execute(JOBS_OF_EVENTS).fetchall()


@asynccontextmanager
async def reopened(path: Path) -> AsyncIterator[SqliteJournal]:
    """The journal after its process died, its sums recounted."""
    async with opened(path) as journal:
        yield journal
    recount(path)


@pytest.mark.parametrize("moment", [1, 2, 3, 7, 40, 333])
async def test_what_was_confirmed_survives_a_kill(path: Path, moment: int) -> None:
    """A process that is killed at any moment leaves all that the journal confirmed to it, and sums that add up."""
    process = started("work", path)
    assert process.stdout
    heard = [process.stdout.readline() for _ in range(moment)]
    heard += kill(process)
    async with reopened(path) as journal:
        rows = {row.key: row async for row in journal.rows()}
        for key, version in confirmed(heard).items():
            assert version <= rows[key].version <= version + 1
        for row in rows.values():
            history = (await journal.admit(row.key, row.settings)).events
            assert row.holds_slot == (bool(history) and isinstance(history[-1], CreateIntended))


async def test_a_kill_inside_a_transaction_leaves_nothing_of_it(path: Path) -> None:
    """A process that dies between an event and its commit has not written the event."""
    process = started("die inside", path)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert confirmed(said.splitlines(keepends=True)) == {"a": 1}
    async with reopened(path) as journal:
        assert [event.key for event in await journal.events()] == ["a"]
        assert await holders(journal) == []


async def test_a_kill_at_each_commit_of_a_life_loses_nothing(tmp_path: Path) -> None:
    """A process that dies right before any commit of a job's life leaves what was committed before it, and one that
    dies right after has that commit too; whoever is next goes on from there.
    """
    process = started("die of each", tmp_path)
    said, _ = process.communicate(timeout=60)
    assert said.split("\n") == [f"{moment} {commit} {-signal.SIGKILL}" for moment, commit in DEATHS] + [""]
    for moment, commit in DEATHS:
        done = commit - (moment == "before")
        version = min(max(done - 2, 0), 3)
        standing = ("a", version, version == 2)
        async with reopened(tmp_path / f"{moment} {commit}.db") as journal:
            rows = [(row.key, row.version, row.holds_slot) async for row in journal.rows()]
            assert rows == [standing] * (done >= 1)
            assert await journal.kept_keys() == ["a"] * (2 <= done < STEPS)
            assert len((await journal.admit("a", "settings of a")).events) == version


async def test_a_log_left_by_a_kill_is_looked_at(path: Path) -> None:
    """After a kill the last events are in the log only: a look sees them, and changes nothing."""
    process = started("work", path)
    assert process.stdout
    heard = [process.stdout.readline() for _ in range(20)]
    heard += kill(process)
    versions = {row.key: row.version async for row in (await peek(path)).rows()}
    assert all(versions[key] >= version for key, version in confirmed(heard).items())
    async with reopened(path) as journal:
        assert {row.key: row.version async for row in journal.rows()} == versions


async def test_a_disk_that_fails_ends_the_writing(path: Path) -> None:
    """After a failed write nothing is confirmed until the file has been opened anew: what was confirmed is there."""
    process = started("fill the disk", path)
    said, _ = process.communicate(timeout=60)
    lines = said.splitlines(keepends=True)
    failures = [line for line in lines if line.startswith("!")]
    assert "reading or writing it failed: check its disk" in failures[0]
    assert "takes no more events since its disk failed" in failures[1]
    async with reopened(path) as journal:
        row = await journal.row("a")
        assert row is not None
        assert row.version == confirmed(lines)["a"]


async def test_a_full_disk_may_be_tried_again(journal: SqliteJournal) -> None:
    """Where no room is left the append fails, nothing of it is kept, and the same append works once there is room."""
    claim = await claimed(journal, "a")
    await limit_pages(journal, 1)
    with pytest.raises(JournalError, match="no room is left"):
        await write(journal, claim, *[CHECKED] * 1000)
    row = await journal.row("a")
    assert row is not None
    assert 0 < row.version < 1000
    assert row.version == len(await journal.events())
    with pytest.raises(JournalError, match="no room is left"):
        await write(journal, claim, CHECKED, after=row.version)
    await limit_pages(journal, 10**6)
    await write(journal, claim, CHECKED, after=row.version)


async def limit_pages(journal: SqliteJournal, most: int) -> None:
    """As if the disk had room for so many pages, but for those that the file has already."""
    await journal._read(lambda connection: connection.execute(f"pragma max_page_count = {most}").fetchone())
