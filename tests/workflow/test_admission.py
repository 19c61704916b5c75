"""How many jobs are prepared ahead of the slots: what the time it takes and the tasks about to end ask for."""

from __future__ import annotations

import anyio
import pytest

from kling_lipsync import Job, Limits, Status, Video
from kling_lipsync._workflow.admission import LEAST_AHEAD, Admission, Place, PreparationTime
from kling_lipsync._workflow.slots import Slots
from kling_lipsync._workflow.state import Step
from kling_lipsync.testing import VirtualClock

from .conftest import VIDEO, World, job

pytestmark = pytest.mark.anyio


def admission(*, slots: int | None = 10, ends_a_second: float = 0.0, bound: int = 16) -> Admission:
    clock = VirtualClock()
    return Admission(bound, Slots(slots, clock), lambda seconds: ends_a_second * seconds, clock)


async def fill(it: Admission) -> list[Place]:
    """As many places as there are now."""
    places = []
    with anyio.move_on_after(0.01):
        while True:
            places.append(await it.enter())
    return places


def test_the_time_follows_what_is_measured() -> None:
    """Steady times are told as they are; unsteady ones with what hardly any exceeds."""
    steady, unsteady = PreparationTime(), PreparationTime()
    for n in range(100):
        steady.learn(15.0)
        unsteady.learn(10.0 if n % 2 else 20.0)
    assert steady.most == pytest.approx(15.0, abs=0.1)
    assert unsteady.most is not None
    assert 20.0 < unsteady.most < 30.0


async def test_free_slots_are_filled_and_few_prepared_ahead_at_first() -> None:
    """Ten free slots and two more; no more while none of them moves on."""
    assert len(await fill(admission())) == 10 + LEAST_AHEAD


async def test_as_many_are_prepared_as_slots_come_free_meanwhile() -> None:
    """Preparation of 15 s, and a task that ends every third second: five, and what chance may bring on top."""
    it = admission(ends_a_second=1 / 3)
    for _ in range(100):
        place = await it.enter()
        await anyio.sleep(15.0)
        place.reached(Step.INTEND)
        place.leave()
    it.slots.held = 10
    assert len(await fill(it)) == 10  # 5 + 2 * sqrt(5)


async def test_the_bound_is_kept() -> None:
    """However long preparation takes: no more ahead than the bound, or than half of many slots."""
    for slots, most in ((10, 16), (100, 50)):
        it = admission(slots=slots, ends_a_second=10.0)
        it.time.learn(1000.0)
        it.slots.held = slots
        assert len(await fill(it)) == most


async def test_an_allowance_that_is_still_to_be_found_is_met_with_many() -> None:
    """As long as every create raises the limit, the bound itself is prepared."""
    it = admission(slots=None)
    assert len(await fill(it)) == it.slots.allowance.limit + 16


async def test_a_job_that_needs_no_slot_lets_another_in() -> None:
    """Refused jobs, and those that are done already, make room at once."""
    it = admission(slots=1)
    places = await fill(it)
    places[0].leave()
    places[1].reached(Step.FETCH)
    assert len(await fill(it)) == 2


@pytest.mark.parametrize(("identify", "sigma"), [(15.0, 0.0), (60.0, 0.4)])
async def test_no_slot_waits_for_identify(world: World, identify: float, sigma: float) -> None:
    """Each job with a video of its own, tasks of four minutes, all at once or spread: the next job is always ready."""
    world.settings = {"identify_seconds": identify, "task_sigma": sigma, "seed": 3}
    jobs = (job(f"job-{n}", video=Video.from_url(f"{VIDEO}?copy={n}")) for n in range(50))
    async with world.coordinator(limits=Limits(running_tasks=5, requests_per_second=None)) as coordinator:
        outcomes = await coordinator.run_all(jobs)
    assert {outcome.status for outcome in outcomes} == {Status.SUCCEEDED}
    spans = [(task["created_at"], task["updated_at"]) for task in world.sandbox.tasks()]
    begin, end = min(span[0] for span in spans), max(span[0] for span in spans)
    used = sum(min(stop, end) - start for start, stop in spans)
    assert used / (5 * (end - begin)) >= 0.98


async def test_identify_does_not_run_far_ahead(world: World) -> None:
    """Sessions age: while five slots are busy for minutes, only a few of a hundred videos have been identified."""
    jobs: list[Job] = [job(f"job-{n}", video=Video.from_url(f"{VIDEO}?copy={n}")) for n in range(100)]
    with anyio.move_on_after(200.0):
        async with world.coordinator() as coordinator:
            await coordinator.run_all(jobs)
    assert world.stats()["identify_calls"] <= 5 + LEAST_AHEAD + 1
