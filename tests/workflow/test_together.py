"""Two coordinators on one journal, as in two processes: what each may do, and what the other makes of it."""

from __future__ import annotations

from decimal import Decimal

import anyio
import pytest

from kling_lipsync import Budget, Coordinator, Outcome, Status, Video
from kling_lipsync.errors import BudgetExceeded
from kling_lipsync.sandbox import Fault

from .conftest import VIDEO, World, job

pytestmark = pytest.mark.anyio


async def both(first: Coordinator, second: Coordinator, count: int) -> list[Outcome]:
    """The outcomes of the same jobs from both, in one list."""
    outcomes: list[Outcome] = []

    async def run(coordinator: Coordinator) -> None:
        outcomes.extend(await coordinator.run_all([job(f"job-{number}") for number in range(count)]))

    async with anyio.create_task_group() as group:
        group.start_soon(run, first)
        group.start_soon(run, second)
    return outcomes


async def test_both_end_with_every_job_and_each_is_bought_once(world: World) -> None:
    """Whoever did a job, both tell its outcome; the slots are shared."""
    async with world.coordinator() as first, world.coordinator() as second:
        outcomes = await both(first, second, 30)
    assert [outcome.status for outcome in outcomes] == [Status.SUCCEEDED] * 60
    assert len({outcome.task_id for outcome in outcomes}) == 30
    assert (world.stats()["tasks"], world.stats()["max_running"]) == (30, 5)


async def test_waiting_for_the_others_is_told_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Who finds its jobs in other hands says so aloud, once however many they are."""
    async with world.coordinator() as first, world.coordinator() as second:
        await both(first, second, 30)
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert 1 <= len(told) <= 2  # one for each of the two
    assert all("is being run by another process" in line and "This run waits for it" in line for line in told)


async def test_a_failed_attempt_is_retried_once_by_both(world: World) -> None:
    """What failed before either began is tried again by one of them; what fails again is not, by the other."""
    world.sandbox.faults.add(Fault("fail", "create", count=2, message="no mouth to move"))
    async with world.coordinator() as coordinator:
        assert (await coordinator.run(job("job-0"))).status is Status.FAILED
    async with world.coordinator(retry_failed=True) as first, world.coordinator(retry_failed=True) as second:
        outcomes = await both(first, second, 1)
    assert [(outcome.status, outcome.attempts) for outcome in outcomes] == [(Status.FAILED, 2)] * 2
    assert world.stats()["tasks"] == 2


async def test_a_budget_is_one_for_both(world: World) -> None:
    """The worst case of both together stays below the cap, and both are stopped by it."""
    budget = Budget(units=Decimal(5))
    async with world.coordinator(budget=budget) as first, world.coordinator(budget=budget) as second:
        await both(first, second, 12)
        assert isinstance(first.stopped, BudgetExceeded)
        assert isinstance(second.stopped, BudgetExceeded)
        totals = await first.totals()
    assert totals.spent + totals.reserved <= 5
    assert world.stats()["units"] <= 5


async def test_a_coordinator_that_ends_leaves_its_tasks_to_the_other(world: World) -> None:
    """The tasks of the one that went are watched by the one that stays, whether it was given their jobs or not."""
    async with world.coordinator() as stays:
        async with world.coordinator() as goes:
            with anyio.move_on_after(60):
                await goes.run_all([job("theirs"), job("too")])
        await stays.run_all([job(f"mine-{number}", video=Video.from_url(VIDEO)) for number in range(8)])
        theirs = await stays.get("theirs")
    assert theirs is not None
    assert theirs.status is Status.SUCCEEDED
    assert (world.stats()["tasks"], world.stats()["max_running"]) == (10, 5)
