from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable

import anyio
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from kling_lipsync._transport import GcraPacer, SystemClock, pacing, schedule

RATES = st.floats(0.5, 200, allow_nan=False)


def in_virtual_time(main: Callable[[], Awaitable[None]]) -> None:
    """Runs ``main`` under a clock that jumps to the next deadline."""
    trio.run(main, clock=MockClock(autojump_threshold=0))


def most_in_a_second(departures: list[float]) -> int:
    """How many departures the fullest second holds, both its ends included, up to rounding."""
    return max(sum(start <= one <= start + 1 - 1e-9 for one in departures) for start in departures)


@given(rate=RATES, gaps=st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_the_schedule_keeps_departures_apart(rate: float, gaps: list[float]) -> None:
    """However requests arrive, no second sees more than rate + 1 of them, and none waits without need."""
    now, tat, departures = 0.0, float("-inf"), []
    for gap in gaps:
        now += gap
        earliest = max(now, tat)
        tat, wait = schedule(tat, now, 1 / rate)
        departures.append(now + wait)
        assert wait >= 0
        assert now + wait == pytest.approx(earliest)
    assert most_in_a_second(departures) <= rate + 1


@pytest.mark.parametrize("rate", [1.0, 10.0, 7.5, 0.5])
def test_requests_leave_evenly_and_in_order(rate: float) -> None:
    """A crowd that asks at once leaves in its order, one interval apart, the first at once."""
    left: list[tuple[int, float]] = []

    async def main() -> None:
        begun = anyio.current_time()
        pacer = GcraPacer(rate, SystemClock())

        async def one(number: int) -> None:
            await pacer.wait()
            left.append((number, anyio.current_time() - begun))

        async with anyio.create_task_group() as group:
            for number in range(30):
                group.start_soon(one, number)
                await anyio.lowlevel.checkpoint()

    in_virtual_time(main)
    assert sorted(moment for _, moment in left) == pytest.approx([number / rate for number in range(30)])
    order = [number for number, _ in left]
    assert order[1:] == sorted(order[1:]), "the pacer's queue is first in, first out"
    assert most_in_a_second([moment for _, moment in left]) <= rate + 1


def test_an_idle_pacer_lets_one_leave_at_once_and_no_burst_behind_it() -> None:
    """Silence saves nothing up."""
    left: list[float] = []

    async def main() -> None:
        pacer = GcraPacer(2.0, SystemClock())
        await pacer.wait()
        await anyio.sleep(100)
        begun = anyio.current_time()
        for _ in range(3):
            await pacer.wait()
            left.append(anyio.current_time() - begun)

    in_virtual_time(main)
    assert left == pytest.approx([0, 0.5, 1.0])


def test_those_who_were_held_up_do_not_leave_in_a_burst() -> None:
    """After the event loop stood still for three seconds the interval is kept all the same."""
    left: list[float] = []
    clock = MockClock()

    async def main() -> None:
        pacer = GcraPacer(10.0, SystemClock())

        async def one() -> None:
            await pacer.wait()
            left.append(anyio.current_time())

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(one)
            await trio.testing.wait_all_tasks_blocked()
            clock.jump(3)
            await trio.testing.wait_all_tasks_blocked()
            clock.autojump_threshold = 0

    trio.run(main, clock=clock)
    assert len(left) == 20
    assert most_in_a_second(left) <= 11


@given(rate=RATES, delays=st.lists(st.floats(0, 0.999), min_size=2, max_size=150), held_up=st.sets(st.integers(0, 149)))
def test_late_sleepers_neither_slow_the_pace_nor_crowd_a_second(
    rate: float, delays: list[float], held_up: set[int]
) -> None:
    """Each sleep ends late by a part of an interval, some by three: the others keep the rate, no second sees more than
    the rate, rounded up, and one.
    """
    left: list[float] = []
    late = [(3 + delay if number in held_up else delay) / rate for number, delay in enumerate(delays)]

    async def oversleep(seconds: float) -> None:
        await trio.sleep(seconds + late[len(left)])

    async def main() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pacing.anyio, "sleep", oversleep)
            pacer = GcraPacer(rate, SystemClock())
            for _ in delays:
                await pacer.wait()
                left.append(anyio.current_time())

    in_virtual_time(main)
    assert most_in_a_second(left) <= math.ceil(rate) + 1
    lost = sum(late[number] for number in held_up if number < len(delays))
    assert left[-1] - left[0] <= (len(delays) - 1) / rate + lost + max(late) + 1e-6


def test_a_waiter_that_gives_up_costs_the_others_nothing() -> None:
    """Its place is taken by the next in line."""
    left: list[float] = []

    async def main() -> None:
        pacer = GcraPacer(1.0, SystemClock())
        begun = anyio.current_time()

        async def impatient(seconds: float) -> None:
            with anyio.move_on_after(seconds):
                await pacer.wait()
                raise AssertionError("it was not its turn")

        async def patient() -> None:
            await pacer.wait()
            left.append(anyio.current_time() - begun)

        await pacer.wait()
        async with anyio.create_task_group() as group:
            for job in (lambda: impatient(0.5), patient, lambda: impatient(0.2), patient):
                group.start_soon(job)
                await trio.testing.wait_all_tasks_blocked()

    in_virtual_time(main)
    assert left == pytest.approx([1.0, 2.0])


def test_no_rate_never_waits() -> None:
    """``None`` lets everything leave at once."""

    async def main() -> None:
        begun = anyio.current_time()
        pacer = GcraPacer(None, SystemClock())
        for _ in range(1000):
            await pacer.wait()
        assert anyio.current_time() == begun

    in_virtual_time(main)


@pytest.mark.anyio
async def test_the_pacer_works_on_both_event_loops() -> None:
    """In real time, three intervals lie between the first departure and the fourth."""
    clock = SystemClock()
    pacer = GcraPacer(100.0, clock)
    begun = clock.monotonic()
    for _ in range(4):
        await pacer.wait()
    assert clock.monotonic() - begun >= 0.0299


@pytest.mark.anyio
async def test_the_clock_is_the_systems() -> None:
    """Wall time is Unix time, and monotonic time is what sleeps are counted on."""
    clock = SystemClock()
    before = time.time()
    assert before <= clock.wall() <= time.time()
    begun = anyio.current_time()
    assert begun <= clock.monotonic() <= anyio.current_time()
