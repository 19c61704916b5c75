"""The testing support, used as the README shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kling_lipsync import Audio, Coordinator, Job, Status, Video
from kling_lipsync.sandbox import Sandbox
from kling_lipsync.testing import SANDBOX_URL, kling_sandbox, sandbox_client

__all__ = ["kling_sandbox"]

SPEECH = Path(__file__).parents[1] / "kling_lipsync" / "sandbox" / "samples" / "speech.mp3"


@pytest.mark.anyio
async def test_a_job_runs_against_the_fixture(kling_sandbox: Sandbox) -> None:
    """A journal in memory, a client on the sandbox in process, one job: it succeeds."""
    async with (
        sandbox_client(kling_sandbox) as client,
        Coordinator(client, journal=":memory:") as coordinator,
    ):
        video = Video.from_url(f"{SANDBOX_URL}/media/one-face.mp4")
        outcome = await coordinator.run(Job(key="a", video=video, audio=Audio.from_file(SPEECH)))
    assert outcome.status is Status.SUCCEEDED
