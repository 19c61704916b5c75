from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import anyio
import pytest
from anyio import to_thread, wait_all_tasks_blocked
from anyio.lowlevel import checkpoint

from kling_lipsync._journal import SqliteJournal, writes
from kling_lipsync.abc import Claim, NoSlot
from kling_lipsync.errors import BudgetExceeded, ClaimLost, JournalError

from .facts import CHECKED, CREATED, HandClock, claimed, ended, intended, opened, standing, write

pytestmark = pytest.mark.anyio

ASYNCIO_ONLY = pytest.mark.parametrize("anyio_backend", ["asyncio"])
PATIENCE = 30  # seconds until a test that hangs fails instead


def dawdling(begun: threading.Event, gate: threading.Event) -> Callable[[object], bool]:
    """Work that says when it has begun, and then waits."""

    def dawdle(_: object) -> bool:
        begun.set()
        return gate.wait(PATIENCE)

    return dawdle


@asynccontextmanager
async def slow_transaction(journal: SqliteJournal) -> AsyncIterator[threading.Event]:
    """A transaction that is being written inside, until the event is set (at the latest at the end)."""
    begun, gate = threading.Event(), threading.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal._group.put, dawdling(begun, gate))
        assert await to_thread.run_sync(begun.wait, PATIENCE)
        try:
            yield gate
        finally:
            gate.set()


async def statements(journal: SqliteJournal) -> list[str]:
    """What SQLite is told from now on."""
    told: list[str] = []
    await journal._read(lambda connection: connection.set_trace_callback(told.append))
    return told


async def test_what_comes_together_is_written_together(journal: SqliteJournal) -> None:
    """A hundred appends of one moment are one transaction."""
    claims = [await claimed(journal, f"job {n}") for n in range(100)]
    told = await statements(journal)
    async with anyio.create_task_group() as tasks:
        for claim in claims:
            tasks.start_soon(write, journal, claim, CHECKED)
    assert told.count("begin immediate") == told.count("commit") == 1
    assert len(await journal.events()) == 100


async def test_what_comes_meanwhile_is_the_next_transaction(on_disk: SqliteJournal) -> None:
    """While a transaction is being written others gather; one more transaction serves them all."""
    claims = [await claimed(on_disk, f"job {n}") for n in range(50)]
    told = await statements(on_disk)
    async with anyio.create_task_group() as tasks, slow_transaction(on_disk):
        for claim in claims:
            tasks.start_soon(write, on_disk, claim, CHECKED)
        await wait_all_tasks_blocked()
    assert told.count("commit") == 2
    assert len(await on_disk.events()) == 50


async def test_refusals_in_one_batch_are_their_own(on_disk: SqliteJournal) -> None:
    """Of intents that are written together each has its own answer: taken, no slot, too dear, too late."""
    answers: dict[str, str] = {}

    async def attempt(claim: Claim, after: int, slots: int, budget: str) -> None:
        try:
            await on_disk.append(
                claim, intended(), after=after, outcome=standing(claim.key), slots=slots, budget=Decimal(budget)
            )
        except (NoSlot, BudgetExceeded, ClaimLost) as refusal:
            answers[claim.key] = type(refusal).__name__
        else:
            answers[claim.key] = "taken"

    plan = {
        "taken": (0, 2, "1"),
        "NoSlot": (0, 1, "9"),
        "BudgetExceeded": (0, 9, "0.9"),
        "ClaimLost": (7, 9, "9"),
        "taken too": (0, 2, "1"),
    }
    claims = {key: await claimed(on_disk, key) for key in plan}
    told = await statements(on_disk)
    async with anyio.create_task_group() as tasks, slow_transaction(on_disk):
        for key, limits in plan.items():
            tasks.start_soon(attempt, claims[key], *limits)
            await wait_all_tasks_blocked()
    assert answers == {key: key.split()[0] for key in plan}
    assert told.count("commit") == 2
    assert [event.key for event in await on_disk.events()] == ["taken", "taken too"]


async def test_nobody_leads_for_ever(journal: SqliteJournal) -> None:
    """An append returns although others keep the journal busy without a pause, and all of theirs are written."""
    busy = True
    written = 0

    async def never_rest(key: str) -> None:
        nonlocal written
        claim = await claimed(journal, key)
        version = 0
        while busy:
            await write(journal, claim, CHECKED, after=version)
            version += 1
        written += version

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            for n in range(5):
                tasks.start_soon(never_rest, f"busy {n}")
            claim = await claimed(journal, "modest")
            await write(journal, claim, *[CHECKED] * 10)
            busy = False
    assert sum([row.version async for row in journal.rows()]) == written + 10


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

    def slow_append(connection: sqlite3.Connection, entry: writes.Entry) -> int:
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
async def test_asyncio_cancels_an_opening(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """A caller that is cancelled while the file is being opened leaves it closed and unlocked."""
    from kling_lipsync._journal import file

    begun, gate = threading.Event(), threading.Event()
    connect = file.connect

    def slow_connect(target: str, name: str) -> object:
        begun.set()
        gate.wait(PATIENCE)
        return connect(target, name)

    monkeypatch.setattr(file, "connect", slow_connect)
    path = f"{tmp_path}/jobs.db"
    task = asyncio.create_task(SqliteJournal(path, clock=HandClock()).open("account"))
    assert await to_thread.run_sync(begun.wait, PATIENCE)
    task.cancel()
    await wait_all_tasks_blocked()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with opened(path):
        pass


async def test_a_failed_transaction_fails_its_whole_batch(journal: SqliteJournal) -> None:
    """When one piece of work breaks SQLite's rules the batch is undone, everybody is told, and the next one works."""
    claims = [await claimed(journal, f"job {n}") for n in range(3)]
    failures: list[str] = []

    async def attempt(claim: Claim) -> None:
        with pytest.raises(JournalError) as failure:
            await write(journal, claim, CHECKED)
        failures.append(str(failure.value))

    async def break_rules() -> None:
        with pytest.raises(JournalError):
            await journal._group.put(lambda connection: connection.execute("insert into meta (id) values (2)"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(attempt, claims[0])
        tasks.start_soon(break_rules)
        tasks.start_soon(attempt, claims[1])
    assert len(failures) == 2
    assert all("CHECK constraint" in failure or "NOT NULL constraint" in failure for failure in failures)
    assert await journal.events() == []
    await write(journal, claims[0], CHECKED, intended(), CREATED, ended())


async def test_closing_amid_writes_loses_nobody(on_disk: SqliteJournal) -> None:
    """Appends that meet a closed journal are told so; none waits for ever."""
    claim = await claimed(on_disk, "a")
    told: list[str] = []

    async def attempt() -> None:
        with pytest.raises(JournalError, match="not open"):
            await write(on_disk, claim, CHECKED)
        told.append("told")

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks, slow_transaction(on_disk) as gate:
            tasks.start_soon(attempt)
            await wait_all_tasks_blocked()
            tasks.start_soon(on_disk.aclose)
            await wait_all_tasks_blocked()
            gate.set()
    assert told == ["told"]
