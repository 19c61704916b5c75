from __future__ import annotations

import signal
import struct
import sys
import time
from itertools import islice
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

from kling_lipsync._journal import SqliteJournal, pacer
from kling_lipsync.errors import JournalError

from .facts import ACCOUNT, HandClock, opened
from .neighbour import Neighbour, neighbour

pytestmark = pytest.mark.anyio

INTERVAL = 1 / 50


def departures_of(others: list[Neighbour], each: int) -> list[float]:
    """When they left, by the readings of the clock that let them go, of all together."""
    found: list[float] = []
    for other in others:
        lines = [other.hear() for _ in range(each + 1)]
        assert lines[:-1] == ["left"] * each
        found += map(float, lines[-1].split())
    return sorted(found)


def assert_paced(departures: list[float]) -> None:
    """Any so many departures take as long as all their turns but one: no second sees more than 51."""
    for first, start in enumerate(departures):
        for later, end in enumerate(islice(departures, first + 1, None), 1):
            assert end - start > (later - 1) * INTERVAL - 1e-6, (first, later)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_four_processes_keep_one_pace(path: Path) -> None:
    """At 50 a second over four processes of four senders each, every departure has a turn of its own."""
    with neighbour(path) as a, neighbour(path) as b, neighbour(path) as c, neighbour(path) as d:
        for other in (a, b, c, d):
            other.tell("pace 16")
        departures = departures_of([a, b, c, d], 16)
    assert len(departures) == 64
    assert_paced(departures)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP")
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_stopped_process_does_not_hold_the_others_up(path: Path) -> None:
    """The turn that a stopped process has taken is lost, and no other; when it goes on it keeps to the pace again."""
    with neighbour(path) as a, neighbour(path) as b:
        for other in (a, b):
            other.tell("pace 20")
        assert a.hear() == "left"
        a.signal(signal.SIGSTOP)
        of_b = departures_of([b], 20)
        a.signal(signal.SIGCONT)
        lines = [a.hear() for _ in range(20)]
        departures = sorted([*of_b, *map(float, lines[-1].split())])
    assert len(departures) == 40
    assert_paced(departures)


@pytest.mark.parametrize("ahead", [0.5, 10**9])
async def test_a_schedule_from_before_a_reboot_holds_nobody_up(path: Path, ahead: float) -> None:
    """The clock begins anew with the machine: what was written at a later time than now is from before, and void."""
    written = time.monotonic() + ahead + 60
    path.with_name("jobs.db.pace").write_bytes(struct.pack("<dd", written, written + 60))
    async with opened(path) as journal:
        turns = journal._opened().turns
        departure = turns.take(INTERVAL)
        assert departure is not None
        assert departure <= turns.now()
        following = turns.take(INTERVAL)
        assert following is not None
        assert following >= departure + INTERVAL


async def test_a_second_opening_keeps_the_schedule(path: Path) -> None:
    """Who comes later takes the turn after those that are taken."""
    async with opened(path) as one:
        first = one._opened().turns.take(1000.0)
        async with opened(path) as two:
            second = two._opened().turns.take(1000.0)
    async with opened(path) as three:
        third = three._opened().turns.take(1000.0)
    assert first is not None
    assert (second, third) == (first + 1000, first + 2000)


async def test_in_virtual_time_one_owner_is_paced_by_its_own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory and inline the injected clock counts: turns lie evenly, in the order they were asked for."""
    clock = HandClock(now=100.0)
    slept: list[float] = []

    async def sleep(delay: float) -> None:
        slept.append(delay)
        clock.now += delay
        await checkpoint()

    monkeypatch.setattr("kling_lipsync._journal.pacer.anyio.sleep", sleep)
    journal = SqliteJournal(":memory:", clock=clock, inline=True)
    pace = journal.pacer(4)  # before the journal is open
    await journal.open(ACCOUNT)
    left: list[tuple[int, float]] = []

    async def depart(n: int) -> None:
        await pace.wait()
        left.append((n, clock.now))

    async with anyio.create_task_group() as tasks:
        for n in range(5):
            tasks.start_soon(depart, n)
            await checkpoint()
    await journal.aclose()
    assert [moment for _, moment in left] == [100.0, 100.25, 100.5, 100.75, 101.0]
    assert sum(slept) == 1.0


async def test_a_late_turn_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wakes a whole turn late takes a new one; late by less, it goes."""
    clock = HandClock(now=0.0)
    late = iter([0.2, 0.3])

    async def oversleep(delay: float) -> None:
        clock.now += delay + next(late, 0.0)
        await checkpoint()

    monkeypatch.setattr("kling_lipsync._journal.pacer.anyio.sleep", oversleep)
    async with opened(":memory:", inline=True) as journal:
        turns = journal._opened().turns
        turns.now = clock.monotonic  # type: ignore[method-assign]
        pace = journal.pacer(4)
        moments = []
        for _ in range(4):
            await pace.wait()
            moments.append(clock.now)
    assert moments == pytest.approx([0.0, 0.45, 0.8, 1.05])


async def test_a_cancelled_head_leaves_its_turn_to_the_next(path: Path) -> None:
    """Of two that wait, the first is cancelled: the second leaves at the very turn that the first had."""
    async with opened(path) as journal:
        turns, pace = journal._opened().turns, journal.pacer(10)
        first = turns.take(0.1)
        assert first is not None
        with anyio.move_on_after(0.01) as cancelled:
            await pace.wait()
        assert cancelled.cancelled_caught
        await pace.wait()
        after = turns.take(0.1)
        assert after is not None
        assert after == pytest.approx(first + 0.2) or turns.now() > first + 0.2


async def test_no_rate_is_no_pace(path: Path) -> None:
    """Without a rate nobody waits, and nothing is asked of the journal."""
    await SqliteJournal(path, clock=HandClock()).pacer(None).wait()
    assert not path.exists()


async def test_a_pace_needs_an_open_journal(path: Path) -> None:
    """Before the opening and after the closing the wait is refused."""
    journal = SqliteJournal(path, clock=HandClock())
    with pytest.raises(JournalError, match="not open"):
        await journal.pacer(1).wait()
    await journal.open(ACCOUNT)
    await journal.aclose()
    with pytest.raises(JournalError, match="not open"):
        await journal.pacer(1).wait()


async def test_a_schedule_held_by_a_stopped_process_is_told_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody holds the schedule itself for ever the wait ends with what to do."""
    monkeypatch.setattr(pacer, "_TRIES", 3)
    async with opened(path) as one, opened(path) as two:
        assert one._opened().turns._file.try_lock()  # type: ignore[union-attr]
        with pytest.raises(JournalError, match="was stopped in the very moment"):
            await two.pacer(10).wait()
        one._opened().turns._file.unlock()  # type: ignore[union-attr]
        await two.pacer(10).wait()
