"""The one watcher: slots that stay full for few requests, looks that never come too often nor too late."""

from __future__ import annotations

from itertools import pairwise, repeat

import anyio
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from kling_lipsync._workflow.watched import GIVE_UP_AFTER, LONGEST_PAUSE, LONGEST_UNSEEN
from kling_lipsync.errors import ServerError, TaskTimeout

from .looking import ORDERS, bench, spread

pytestmark = pytest.mark.anyio

BROKEN = ServerError("internal error", code=5000, status=500)


@pytest.mark.parametrize(
    ("slots", "tasks", "most_requests"),
    [(1, 20, 40.0), (5, 100, 12.0), (50, 500, 1.4), (500, 1500, 0.4)],
)
async def test_slots_stay_full_for_few_requests(slots: int, tasks: int, most_requests: float) -> None:
    """Tasks of some four minutes, a look every five seconds at most: hardly a slot is idle, and a look shows many."""
    it = bench()
    await it.keep_full(slots, spread(tasks))
    assert len(it.ended) == tasks
    assert it.utilisation(slots) >= 0.985
    assert it.tasks.requests / tasks <= most_requests


@pytest.mark.parametrize("order", ORDERS)
async def test_slots_stay_full_in_whatever_order_the_list_is(order: str) -> None:
    """Behind a history of 1,000 tasks, from new to old, from old to new, or neither."""
    it = bench(order=order)
    for n in range(1000):
        it.tasks.add(240.0, ago=90_000.0 - n)
    await it.keep_full(20, spread(100))
    assert len(it.ended) == 100
    assert it.tasks.requests / 100 <= (15.0 if order == "shuffled" else 4.0)


async def test_a_faster_world_is_learned_by_its_first_tasks() -> None:
    """Tasks of two seconds, looked at ten times a second: what is documented of minutes delays nothing for long."""
    it = bench(interval=0.1)
    await it.keep_full(20, spread(400, median=2.0))
    assert it.utilisation(20) >= 0.97


@pytest.mark.parametrize("tells_times", [True, False])
async def test_the_first_look_waits_until_an_end_is_likely(tells_times: bool) -> None:
    """Once tasks have always taken their four minutes, the next is left alone but for a look a minute, until it is
    looked at at the shortest interval.
    """
    it = bench(tells_times=tells_times)
    await it.keep_full(20, repeat(240.0, 400))
    it.tasks.singles.clear()
    async with anyio.create_task_group() as group:
        group.start_soon(it.watcher.run)
        begun = anyio.current_time()
        await it.run_to_end(240.0)
        group.cancel_scope.cancel()
    moments = [moment - begun for moment, _ in it.tasks.singles]
    assert sum(moment < 200 for moment in moments) <= 4
    assert len(moments) >= 4
    assert it.ended["t400"] - it.tasks.tasks["t400"].ends <= 5.0


async def test_news_of_a_task_makes_a_look_at_once() -> None:
    """``wake_task`` brings a look at that task between two looks at all, and twice the same news brings one."""
    it = bench()
    it.start(15.5)
    async with anyio.create_task_group() as group:
        group.start_soon(it.watcher.run)
        await anyio.sleep(16.0)
        assert [moment for moment, _ in it.tasks.singles] == [5.0, 10.0, 15.0]
        assert not it.watcher.wake_task("nobody's")
        assert it.watcher.wake_task("t0")
        assert it.watcher.wake_task("t0")
        await anyio.sleep(0.1)
        assert it.tasks.requests == 4
        assert list(it.ended) == ["t0"]
        group.cancel_scope.cancel()


async def test_before_the_first_result_looks_follow_what_is_documented() -> None:
    """In its first three minutes a task is looked at now and then, later at the shortest interval."""
    it = bench()
    async with anyio.create_task_group() as group:
        group.start_soon(it.watcher.run)
        await it.run_to_end(300.0)
        group.cancel_scope.cancel()
    moments = [moment for moment, _ in it.tasks.singles]
    assert sum(moment <= 180 for moment in moments) <= 12
    assert sum(moment > 180 for moment in moments) == 120 / 5


@settings(max_examples=25, deadline=None)
@given(
    interval=st.sampled_from([1.0, 5.0, 90.0]),
    happenings=st.lists(
        st.tuples(
            st.sampled_from(["start", "resume", "break", "mend"]),
            st.floats(min_value=0.0, max_value=200.0),
            st.floats(min_value=0.01, max_value=2000.0),
        ),
        min_size=1,
        max_size=25,
    ),
)
def test_looks_keep_their_distance_and_leave_no_task_alone(
    interval: float, happenings: list[tuple[str, float, float]]
) -> None:
    """Whatever starts, ends or fails: no look comes sooner than the interval after the one before, and
    in a world that works every end is seen in bounded time.
    """
    it = bench(interval=interval)
    broken = False

    async def happen() -> None:
        nonlocal broken
        for what, pause, seconds in happenings:
            if what == "start":
                it.start(seconds)
            elif what == "resume":
                it.start(seconds, ago=1000.0)
            else:
                broken = what == "break"
            await trio.sleep(pause)
        broken = False
        await trio.sleep(2100.0)

    async def play() -> None:
        it.tasks.failing = lambda what: BROKEN if broken else None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.watcher.run)
            await happen()
            nursery.cancel_scope.cancel()

    trio.run(play, clock=MockClock(autojump_threshold=0))
    assert it.ended.keys() == it.watched.keys()
    if not any(what == "break" for what, _, _ in happenings):
        could_be_seen = {name: max(it.tasks.tasks[name].ends, moment) for name, moment in it.watched.items()}
        longest = LONGEST_UNSEEN + 2 * interval
        assert all(moment - could_be_seen[name] <= longest for name, moment in it.ended.items())
    looks = sorted({*it.tasks.pages, *(moment for moment, _ in it.tasks.singles)})
    assert all(later - sooner >= interval * (1 - 1e-9) for sooner, later in pairwise(looks))


async def test_failing_looks_come_less_and_less_often_and_are_told_at_last() -> None:
    """A Kling that is down is asked once a minute; after a quarter of an hour those who wait are told, and the task
    goes on being watched.
    """
    it = bench()
    down = True
    it.tasks.failing = lambda what: BROKEN if down else None
    async with anyio.create_task_group() as group:
        group.start_soon(it.watcher.run)
        begun = anyio.current_time()
        with pytest.raises(TaskTimeout, match="internal error"):
            await it.run_to_end(100.0)
        assert GIVE_UP_AFTER <= anyio.current_time() - begun <= GIVE_UP_AFTER + 4 * LONGEST_PAUSE
        assert it.tasks.requests <= GIVE_UP_AFTER / LONGEST_PAUSE + 8
        down = False
        await anyio.sleep(2 * LONGEST_PAUSE)
        assert list(it.ended) == ["t0"]
        group.cancel_scope.cancel()


async def test_a_task_that_cannot_be_queried_keeps_no_other_waiting() -> None:
    """Without a list, queries of some tasks always fail: all others are seen to end."""
    it = bench(lists=False)
    it.tasks.failing = lambda what: BROKEN if what in ("t0", "t1", "t2", "t3", "t4") else None
    async with anyio.create_task_group() as group:
        group.start_soon(it.watcher.run)
        for _ in range(20):
            it.start(240.0)
        await anyio.sleep(240.0 + 2 * LONGEST_UNSEEN)
        group.cancel_scope.cancel()
    assert len(it.ended) == 15


async def test_a_clock_that_was_set_back_hides_no_task() -> None:
    """An intent that seems to lie an hour ahead, as after this machine's clock was set: its task is watched as a new
    one.
    """
    it = bench()
    it.start(3650.0, ago=-3600.0)
    async with anyio.create_task_group() as group:
        group.start_soon(it.watcher.run)
        await anyio.sleep(LONGEST_UNSEEN + 5.0)
        assert it.tasks.requests > 0
        group.cancel_scope.cancel()


async def test_the_slots_about_to_come_free_are_foreseen() -> None:
    """After twenty tasks of four minutes: none of five that have just begun ends within 15 s, and all of five that
    are nearly done.
    """
    it = bench()
    await it.keep_full(5, repeat(240.0, 20))
    for _ in range(5):
        it.start(240.0)
    assert it.watcher.ends_within(15.0) < 0.1
    await anyio.sleep(235.0)
    assert it.watcher.ends_within(15.0) > 3.0
