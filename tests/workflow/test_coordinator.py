"""Many jobs to their ends, in virtual time, against the sandbox in process."""

from __future__ import annotations

from pathlib import Path

import pytest

from kling_lipsync import Status

from .conftest import World, job

pytestmark = pytest.mark.anyio


async def test_a_job_comes_to_its_end_and_its_video_to_disk(world: World, tmp_path: Path) -> None:
    """One awaited call: identified, planned, created, watched, downloaded; the outcome tells all of it."""
    async with world.coordinator(download_to=tmp_path / "out") as coordinator:
        outcome = await coordinator.run(job(meta={"client": "acme"}))
    assert outcome.error is None
    assert outcome.status is Status.SUCCEEDED
    assert outcome.file == tmp_path / "out" / "a.mp4"
    assert outcome.file.stat().st_size > 10_000
    assert outcome.meta == {"client": "acme"}
