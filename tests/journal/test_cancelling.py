from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import anyio
import pytest
from anyio import to_thread, wait_all_tasks_blocked
from anyio.lowlevel import checkpoint

from kling_lipsync._journal import SqliteJournal, file, writes

from .facts import CHECKED, HandClock, claimed, opened, write
from .slow import PATIENCE, dawdling, slow_transaction

pytestmark = pytest.mark.anyio

ASYNCIO_ONLY = pytest.mark.parametrize("anyio_backend", ["asyncio"])


async def test_cancelled_before_it_is_handed_in(journal: SqliteJournal) -> None:
    """A caller that is cancelled already writes nothing, and is cancelled there."""
    claim = await claimed(journal, "a")
    with anyio.CancelScope() as scope:
        scope.cancel()
        await write(journal, claim, CHECKED)
        pytest.fail("the cancellation was not delivered")
    assert await journal.events() == []


async def test_cancelled_while_it_waits(on_disk: SqliteJournal) -> None:
    """An append that waits for its transaction is written although its caller is cancelled: it returns the event, and
    the cancellation comes at the caller's next step.
    """
    claim = await claimed(on_disk, "a")
    reached: list[str] = []

    async def caller(scope: anyio.CancelScope) -> None:
        with scope:
            (event,) = await write(on_disk, claim, CHECKED)
            reached.append(f"written as {event.version}")
            await checkpoint()
            reached.append("not cancelled")

    scope = anyio.CancelScope()
    async with anyio.create_task_group() as tasks, slow_transaction(on_disk):
        tasks.start_soon(caller, scope)
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        assert reached == []
    assert reached == ["written as 1"]
    assert len(await on_disk.events()) == 1


async def test_cancelled_while_it_leads(on_disk: SqliteJournal) -> None:
    """The one that writes for all may be cancelled: its own append and those of all others are written."""
    claims = [await claimed(on_disk, f"job {n}") for n in range(5)]
    leader = anyio.CancelScope()
    begun, gate = threading.Event(), threading.Event()

    async def lead() -> None:
        with leader:
            await on_disk._group.put(dawdling(begun, gate))
            await checkpoint()
            pytest.fail("the cancellation was not delivered")

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lead)
            assert await to_thread.run_sync(begun.wait, PATIENCE)
            for claim in claims:
                tasks.start_soon(write, on_disk, claim, CHECKED)
            await wait_all_tasks_blocked()
            leader.cancel()
            gate.set()
    assert len(await on_disk.events()) == 5


@ASYNCIO_ONLY
@pytest.mark.parametrize("who", ["leader", "first in line", "last in line"])
async def test_asyncio_cancels_a_task(on_disk: SqliteJournal, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    """``asyncio.Task.cancel``, which passes every shield, loses neither an append nor the others' turn, wherever it
    strikes; the task ends as cancelled once its append is written.
    """
    claims = {name: await claimed(on_disk, name) for name in ("leader", "first in line", "last in line")}
    begun, gate = threading.Event(), threading.Event()
    append = writes.append

    def slow_append(connection: sqlite3.Connection, entry: writes.Entry) -> list[int]:
        dawdling(begun, gate)(None)
        return append(connection, entry)

    monkeypatch.setattr(writes, "append", slow_append)
    tasks = {}
    for name, claim in claims.items():
        tasks[name] = asyncio.create_task(write(on_disk, claim, CHECKED))
        await wait_all_tasks_blocked()
    assert await to_thread.run_sync(begun.wait, PATIENCE)
    for _ in range(3):  # an impatient caller cancels more than once
        tasks[who].cancel()
        await wait_all_tasks_blocked()
    gate.set()
    ends = await asyncio.wait_for(asyncio.gather(*tasks.values(), return_exceptions=True), PATIENCE)
    assert [isinstance(end, asyncio.CancelledError) for end in ends] == [name == who for name in tasks]
    assert [event.key for event in await on_disk.events()] == list(claims)
    await write(on_disk, claims["leader"], CHECKED, after=1)


@ASYNCIO_ONLY
@pytest.mark.parametrize("rounds", range(8))
async def test_asyncio_cancels_at_every_step(journal: SqliteJournal, rounds: int) -> None:
    """However many rounds of the loop a task has had when it is cancelled, the journal knows its event or does not,
    and serves the next.
    """
    cancelled, other = await claimed(journal, "cancelled"), await claimed(journal, "other")
    tasks = [asyncio.create_task(write(journal, claim, CHECKED)) for claim in (cancelled, other)]
    for _ in range(rounds):
        await asyncio.sleep(0)
    tasks[0].cancel()
    with anyio.fail_after(PATIENCE):
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        end = ends[0]
        row = await journal.row("cancelled")
        assert row is not None
        await write(journal, cancelled, CHECKED, after=row.version)
    assert isinstance(end, asyncio.CancelledError) if isinstance(end, BaseException) else row.version == 1
    assert [event.version for event in await journal.events(key="other")] == [1]


@ASYNCIO_ONLY
async def test_asyncio_cancels_an_admission(on_disk: SqliteJournal) -> None:
    """A caller that never got its claim does not keep it."""
    async with slow_transaction(on_disk) as gate:
        task = asyncio.create_task(claimed(on_disk, "a"))
        await wait_all_tasks_blocked()
        task.cancel()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    await claimed(on_disk, "a")


@ASYNCIO_ONLY
async def test_asyncio_cancels_an_opening(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """A caller that is cancelled while the file is being opened leaves it closed, and no owner behind."""
    begun, gate = threading.Event(), threading.Event()
    connect = file.connect

    def slow_connect(target: str, name: str, *, check: bool) -> sqlite3.Connection:
        dawdling(begun, gate)(None)
        return connect(target, name, check=check)

    monkeypatch.setattr(file, "connect", slow_connect)
    task = asyncio.create_task(SqliteJournal(path, clock=HandClock()).open("account"))
    assert await to_thread.run_sync(begun.wait, PATIENCE)
    task.cancel()
    await wait_all_tasks_blocked()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not path.with_name("jobs.db.owners").exists()
    async with opened(path, account="another"):
        pass


async def test_a_release_of_a_cancelled_caller_is_handed_in(journal: SqliteJournal) -> None:
    """Who is cancelled gives the job back all the same: another claim on it is had at once, and the row has no
    owner.
    """
    claim = await claimed(journal, "a")
    with anyio.CancelScope() as scope:
        scope.cancel()
        await journal.release(claim)
    assert await journal.unclaimed(["a"]) == ["a"]
    await claimed(journal, "a")


async def test_a_release_cancelled_while_it_waits_is_written(on_disk: SqliteJournal) -> None:
    """A release that waits for its transaction is written although its caller is cancelled meanwhile."""
    claim = await claimed(on_disk, "a")
    scope = anyio.CancelScope()

    async def caller() -> None:
        with scope:
            await on_disk.release(claim)

    async with anyio.create_task_group() as tasks, slow_transaction(on_disk):
        tasks.start_soon(caller)
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
    assert await on_disk.unclaimed(["a"]) == ["a"]


@ASYNCIO_ONLY
@pytest.mark.parametrize("rounds", range(8))
async def test_asyncio_cancels_a_release_at_every_step(journal: SqliteJournal, rounds: int) -> None:
    """However many rounds of the loop a release has had when its task is cancelled, the job is given back."""
    claim = await claimed(journal, "a")
    task = asyncio.create_task(journal.release(claim))
    await asyncio.sleep(0)  # a task that has not begun never asked
    for _ in range(rounds):
        await asyncio.sleep(0)
    task.cancel()
    with anyio.fail_after(PATIENCE):
        await asyncio.gather(task, return_exceptions=True)
        assert await journal.unclaimed(["a"]) == ["a"]
