"""One look at many tasks: what it shows and what it asks for, in every order that a list may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_lipsync._workflow.looks import MOST_FAILURES, Looker, Sight
from kling_lipsync._workflow.pages import LARGEST_PAGE, SMALLEST_PAGE
from kling_lipsync.errors import InvalidRequest, ServerError
from kling_lipsync.testing import VirtualClock

from .looking import ORDERS, Tasks

pytestmark = pytest.mark.anyio


class StillClock:
    """Time stands still."""

    def wall(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return 0.0


def tasks(count: int, **settings: Any) -> Tasks:
    """Tasks that were created a second apart, all running."""
    it = Tasks(clock=StillClock(), **settings)
    for n in range(count):
        it.add(1e6, ago=count - n)
    return it


async def look(it: Tasks, wanted: Mapping[str, float], looker: Looker | None = None) -> Sight:
    return await (looker or Looker(cast("Any", it))).look(wanted)


def newest(it: Tasks, count: int, chance: float = 0.5) -> dict[str, float]:
    return dict.fromkeys(list(it.tasks)[-count:], chance)


@given(
    order=st.sampled_from(ORDERS),
    lists=st.booleans(),
    history=st.integers(0, 1500),
    places=st.sets(st.integers(0, 1500), min_size=1, max_size=40),
)
def test_every_task_that_is_likely_to_have_ended_is_told(
    order: str, lists: bool, history: int, places: set[int]
) -> None:
    """Whatever the order of the list, wherever the tasks are in it, at the first look and at the next ones."""
    it = tasks(history + 1, order=order, lists=lists)
    wanted = {f"t{place % (history + 1)}": 0.5 for place in places}
    looker = Looker(cast("Any", it))

    async def looks() -> None:
        for _ in range(3):
            sight = await looker.look(wanted)
            assert sight.tasks.keys() == wanted.keys()
            assert sight.error is None

    anyio.run(looks)


async def test_one_page_serves_hundreds_of_tasks() -> None:
    """400 running tasks at the front of a long list cost one request, once the page is large enough."""
    it = tasks(2000)
    looker = Looker(cast("Any", it))
    await look(it, newest(it, 400), looker)
    before = it.requests
    assert len((await look(it, newest(it, 400), looker)).tasks) == 400
    assert it.requests == before + 1


async def test_further_pages_are_read_only_while_it_pays() -> None:
    """Old tasks that can hardly have ended since they were last seen are left for a later look."""
    it = tasks(2000)
    wanted = {**newest(it, 490), **dict.fromkeys(list(it.tasks)[:10], 0.01)}
    looker = Looker(cast("Any", it))
    looker._pages.size = LARGEST_PAGE
    sight = await look(it, wanted, looker)
    assert (len(it.pages), it.singles) == (1, [])
    assert len(sight.tasks) == 490


@pytest.mark.parametrize("lists", [True, False])
async def test_a_look_tells_how_tasks_ended_and_of_the_others_that_they_run(lists: bool) -> None:
    """Of a task that runs on there is nothing more to know."""
    it = tasks(4, lists=lists)
    ended = it.add(1.0, ago=2.0)
    shown = (await look(it, newest(it, 5))).tasks
    assert [task_id for task_id, task in shown.items() if task is not None] == [ended]
    assert shown.keys() == it.tasks.keys()


async def test_few_that_lack_are_asked_for_one_by_one() -> None:
    """Two stragglers deep in the list cost a request each rather than page after page."""
    it = tasks(3000)
    wanted = {**newest(it, 20), "t0": 1.0, "t1": 1.0}
    looker = Looker(cast("Any", it))
    sight = await look(it, wanted, looker)
    assert sight.tasks.keys() == wanted.keys()
    assert sorted(task_id for _, task_id in it.singles) == ["t0", "t1"]
    assert len(it.pages) == 1


async def test_a_page_grows_to_what_the_tasks_need_and_shrinks_again() -> None:
    """Tasks 200 deep are on the one page that is read after a few looks; without them it is small again."""
    it = tasks(1000)
    wanted = {**newest(it, 10), list(it.tasks)[-200]: 0.5}
    looker = Looker(cast("Any", it))
    for _ in range(5):
        await look(it, wanted, looker)
    assert looker._pages.size == 250
    before = it.requests
    await look(it, wanted, looker)
    assert it.requests == before + 1
    await look(it, newest(it, 10), looker)
    assert looker._pages.size == SMALLEST_PAGE


async def test_a_list_that_grows_at_its_end_is_read_from_there() -> None:
    """Where new tasks come last, the end is found once, and then one or two pages serve all of them, as it grows."""
    it = tasks(20_000, order="oldest-first")
    looker = Looker(cast("Any", it))
    await look(it, newest(it, 50), looker)
    found = it.requests
    for _ in range(20):
        for _ in range(40):
            it.add(1e6)
        assert len((await look(it, newest(it, 50), looker)).tasks) == 50
    assert it.requests - found <= 20 * 2 + 2


async def test_an_unknown_task_is_left_for_later() -> None:
    """A 404 is no failure of the look: the others are told."""
    it = tasks(3, lists=False)
    sight = await look(it, {**newest(it, 3), "not-yet": 0.5})
    assert (len(sight.tasks), sight.untold, sight.error) == (3, {"not-yet"}, None)


async def test_a_refused_list_leaves_single_queries() -> None:
    """A gateway that promises a list and has none is asked for each task."""
    refused = InvalidRequest("no such resource", code=1203, status=404)
    it = tasks(5, failing=lambda what: refused if what == "list" else None)
    assert len((await look(it, newest(it, 5))).tasks) == 5


async def test_a_failing_list_ends_the_look() -> None:
    """A Kling in trouble is not asked for each task instead."""
    error = ServerError("internal error", code=5000, status=500)
    it = tasks(5, failing=lambda what: error)
    sight = await look(it, newest(it, 5))
    assert (sight.error, it.requests, sight.tasks) == (error, 1, {})


async def test_failing_queries_stop_soon_and_the_rest_is_told() -> None:
    """One task that cannot be queried harms no other; when many fail, no more are asked for."""
    error = ServerError("internal error", code=5000, status=500)
    it = tasks(40, lists=False, failing=lambda what: error if what == "t3" else None)
    sight = await look(it, newest(it, 40))
    assert (len(sight.tasks), sight.untold, sight.error) == (39, {"t3"}, error)
    it = tasks(40, lists=False, failing=lambda what: error)
    sight = await look(it, newest(it, 40))
    assert it.requests < 8 + MOST_FAILURES
    assert len(sight.untold) == it.requests


async def test_no_request_is_sent_for_what_is_not_worth_one() -> None:
    """Tasks that were just created are not asked for one by one."""
    it = Tasks(clock=VirtualClock(), lists=False)
    sight = await look(it, {it.add(240.0): 0.0})
    assert (it.requests, sight.tasks) == (0, {})
