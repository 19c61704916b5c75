"""Coordinators that come and go on one journal, together and cancelled at any moment: each job is bought once."""

from __future__ import annotations

import random

import anyio
import pytest
from attrs import define, field

from kling_lipsync import Coordinator, Status
from kling_lipsync.errors import ClaimLost
from kling_lipsync.sandbox import Fault

from .conftest import World, job

pytestmark = pytest.mark.anyio

SLOTS = 7
AWAITED = [f"awaited-{number}" for number in range(40)]
SUBMITTED = [f"submitted-{number}" for number in range(12)]


@define
class Service:
    """What runs of it do to a journal: some await jobs, some submit them, some take them back."""

    world: World
    chance: random.Random
    discarded: set[str] = field(factory=set)

    async def live(self, seconds: float) -> None:
        """A run that is cancelled after so many seconds, wherever it stands."""
        async with self.world.coordinator(slots=SLOTS) as coordinator:
            await coordinator.resume()
            with anyio.move_on_after(seconds):
                async with anyio.create_task_group() as group:
                    group.start_soon(self._submit, coordinator)
                    group.start_soon(self._discard, coordinator)
                    await coordinator.run_all([job(key) for key in self.chance.sample(AWAITED, len(AWAITED))])

    async def finish(self) -> None:
        """A run in which nothing is cancelled, until every job has ended that was not taken back."""
        async with self.world.coordinator(slots=SLOTS) as coordinator:
            await self._submit(coordinator)
            await coordinator.run_all([job(key) for key in AWAITED])
            for key in self.wanted():
                while not await succeeded(coordinator, key):
                    await anyio.sleep(5)

    def wanted(self) -> list[str]:
        return [key for key in SUBMITTED if key not in self.discarded]

    async def _submit(self, coordinator: Coordinator) -> None:
        for key in self.wanted():
            await anyio.sleep(self.chance.uniform(0, 5))
            await coordinator.submit(job(key))

    async def _discard(self, coordinator: Coordinator) -> None:
        for _ in range(2):
            await anyio.sleep(self.chance.uniform(0, 100))
            key = self.chance.choice(SUBMITTED)
            try:
                if await coordinator.discard(key):
                    self.discarded.add(key)
            except ClaimLost:
                continue  # another run has it


async def succeeded(coordinator: Coordinator, key: str) -> bool:
    outcome = await coordinator.get(key)
    return outcome is not None and outcome.status is Status.SUCCEEDED


@pytest.mark.parametrize("seed", range(3))
async def test_runs_that_come_and_go_together_buy_each_job_once(world: World, seed: int) -> None:
    """Up to three coordinators at a time share the slots, lose answers, are cancelled, submit and take back: no task is
    bought twice, none too many runs, nothing stays reserved, and every job that is still wanted succeeds.
    """
    chance = random.Random(seed)  # noqa: S311 - moments, no secrets
    world.settings = {"duplicates": "allow", "slots": 1000, "task_sigma": 0.3, "list_delay": 2.0}
    world.sandbox.faults.add(Fault("drop", "create", when="after", probability=0.1))
    world.sandbox.faults.add(Fault("stall", "create", when="before", probability=0.2, seconds=8))
    service = Service(world, chance)
    for _ in range(8):
        async with anyio.create_task_group() as group:
            for _ in range(chance.randint(1, 3)):
                group.start_soon(service.live, chance.uniform(0, 600))
    with anyio.fail_after(100_000):
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(service.finish)
    stats = world.stats()
    async with world.coordinator() as coordinator:
        rows = [row async for row in coordinator.rows() if row.status is Status.SUCCEEDED]
        totals = await coordinator.totals()
    assert {row.key for row in rows} >= {*AWAITED, *service.wanted()}
    assert (stats["tasks"], stats["bought_twice"]) == (len(rows), [])
    assert stats["max_running"] <= SLOTS
    assert (totals.slots, totals.reserved, totals.in_doubt) == (0, 0, 0)
    assert float(totals.spent) == stats["units"]
