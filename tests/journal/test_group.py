from __future__ import annotations

from decimal import Decimal
from functools import partial
from sqlite3 import SQLITE_IOERR, Connection, OperationalError

import anyio
import pytest
from anyio import wait_all_tasks_blocked

from kling_lipsync._journal import SqliteJournal
from kling_lipsync.abc import Claim, NoSlot
from kling_lipsync.errors import BudgetExceeded, ClaimLost, JournalError

from .facts import CHECKED, CREATED, claimed, ended, intended, standing, write
from .slow import PATIENCE, slow_transaction

pytestmark = pytest.mark.anyio


async def statements(journal: SqliteJournal) -> list[str]:
    """What SQLite is told from now on."""
    told: list[str] = []
    await journal._read(lambda connection: connection.set_trace_callback(told.append))
    return told


async def test_what_comes_together_is_written_together(journal: SqliteJournal) -> None:
    """A hundred appends of one moment are one transaction, or two where a thread had begun with the first of them."""
    claims = [await claimed(journal, f"job {n}") for n in range(100)]
    told = await statements(journal)
    async with anyio.create_task_group() as tasks:
        for claim in claims:
            tasks.start_soon(write, journal, claim, CHECKED)
    assert told.count("begin immediate") == told.count("commit") <= (1 if journal._worker.inline else 2)
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


def syncs(told: list[str]) -> list[str]:
    """For each commit, how it waits for the disk, as SQLite was told."""
    modes = [line.rsplit(" ", 1)[-1] for line in told if line.startswith("pragma synchronous")]
    assert all(mode in ("full", "normal") for mode in modes)
    return modes


async def test_claims_do_not_wait_for_the_disk(journal: SqliteJournal) -> None:
    """What may be forgotten, an admission or a release, costs no wait; an event waits for the disk, and is durable."""
    told = await statements(journal)
    claim, other = await claimed(journal, "a"), await claimed(journal, "b")
    assert syncs(told) == ["normal"]
    await write(journal, other, CHECKED)
    assert syncs(told) == ["normal", "full"]
    await journal.release(claim)
    assert syncs(told) == ["normal", "full", "normal"]


async def test_one_durable_piece_makes_its_batch_durable(on_disk: SqliteJournal) -> None:
    """A release and an event that are written together wait for the disk, whichever was handed in first."""
    claims = [await claimed(on_disk, f"job {n}") for n in range(4)]
    told = await statements(on_disk)
    async with anyio.create_task_group() as tasks, slow_transaction(on_disk):
        tasks.start_soon(on_disk.release, claims[0])
        await wait_all_tasks_blocked()
        tasks.start_soon(write, on_disk, claims[1], CHECKED)
        await wait_all_tasks_blocked()
        tasks.start_soon(on_disk.release, claims[2])
        await wait_all_tasks_blocked()
    assert told.count("commit") == 2
    assert syncs(told) == ["full"]  # the first time, and it stays so
    assert await on_disk.unclaimed([claim.key for claim in claims]) == ["job 0", "job 2"]


def fail_as_the_disk(_: Connection) -> None:
    """Work that fails as SQLite does when the disk beneath it does."""
    error = OperationalError("disk I/O error")
    error.sqlite_errorcode = SQLITE_IOERR
    raise error


async def test_after_a_failed_disk_nothing_is_written(journal: SqliteJournal) -> None:
    """What a failed write left nobody knows before the file is opened anew: every later one is refused, reading goes
    on.
    """
    claim = await claimed(journal, "a")
    with pytest.raises(JournalError, match="check its disk and run again"):
        await journal._group.put(fail_as_the_disk)
    for call in (partial(write, journal, claim, CHECKED), partial(journal.release, claim)):
        with pytest.raises(JournalError, match="no more events since its disk failed"):
            await call()
    assert await journal.events() == []


async def test_a_read_that_fails_names_its_cause(journal: SqliteJournal) -> None:
    """Where the disk fails a reader SQLite ends the transaction by itself: the message is the disk's all the same."""

    def fail(connection: Connection) -> None:
        connection.execute("rollback")
        fail_as_the_disk(connection)

    with pytest.raises(JournalError, match="check its disk"):
        await journal._read(fail)
