"""Jobs of a gateway that creates tasks at once, without faces: check, intend, create, watch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kling_lipsync import Coordinator, Gateway, Job, Speech, Status
from kling_lipsync._protocol import Contract, Dialect
from kling_lipsync.errors import InvalidJob
from kling_lipsync.sandbox import Fault
from kling_lipsync.sandbox.faults import When
from kling_lipsync.testing import SANDBOX_URL

from .conftest import World, job

pytestmark = pytest.mark.anyio

ONE_STEP = Gateway(
    name="one-step",
    base_url=SANDBOX_URL,
    dialect=Dialect(
        contract=Contract.ONE_STEP,
        identify=None,
        create="/v1/videos/lip-sync",
        tasks="/v1/videos/lip-sync",
        speech=None,
    ),
)
SPOKEN = Speech("Good morning, and welcome.", "oversea_male1", language="en")


@asynccontextmanager
async def coordinator(world: World, download_to: Path | None = None) -> AsyncIterator[Coordinator]:
    async with (
        world.client(gateway=ONE_STEP, base_url=None) as client,
        Coordinator(client, journal=world.journal, download_to=download_to) as it,
    ):
        yield it


@pytest.mark.parametrize("given", [job(), job(audio=SPOKEN)], ids=["sound", "text"])
async def test_a_one_step_job_becomes_a_video(world: World, tmp_path: Path, given: Job) -> None:
    """A sound or a text: no faces are identified, one task is bought, its video is fetched."""
    async with coordinator(world, tmp_path) as batch:
        outcome = await batch.run(given)
    assert outcome.error is None
    assert outcome.status is Status.SUCCEEDED
    assert outcome.file is not None
    assert outcome.face is None
    assert "identify" not in world.stats()["requests"]
    assert world.stats()["tasks"] == 1


async def test_timing_is_refused_where_the_gateway_has_none(world: World) -> None:
    """Times and faces cannot be asked for in one step: the job is refused before anything is sent."""
    async with coordinator(world) as batch:
        outcome = await batch.run(job(sound_insert_ms=500, face="index:1"))
    assert outcome.status is Status.INVALID
    assert isinstance(outcome.error, InvalidJob)
    assert "tasks" not in world.stats()["requests"]


async def test_without_list_and_lookup_a_lost_answer_stays_in_doubt(world: World) -> None:
    """Nobody can tell whether the task was bought: it is not bought again, and the doubt is shown."""
    world.sandbox.faults.add(Fault("drop", "one_step_create", when=When.AFTER, count=1))
    async with coordinator(world) as batch:
        outcome = await batch.run(job())
        totals = await batch.totals()
    assert outcome.status is Status.IN_DOUBT
    assert "may have been created and paid" in str(outcome.error)
    assert totals.jobs[Status.IN_DOUBT] == 1
    assert world.stats()["tasks"] == 1
