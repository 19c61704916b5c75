"""The same jobs through the coordinator."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from kling_lipsync import Audio, Coordinator, Job, KlingClient, Limits, PollPolicy, Status, Video


async def main(base_url: str, jobs: int, slots: int, interval: float, sound: Path) -> None:
    """All jobs, at most ``slots`` at once; each video is another, as in the script by hand."""
    wanted = (
        Job(
            key=f"job-{n}",
            video=Video.from_url(f"{base_url}/media/one-face.mp4?copy={n}", duration_ms=8000),
            audio=Audio.from_file(sound),
            sound_end_ms=4000,
        )
        for n in range(jobs)
    )
    limits = Limits(running_tasks=slots, requests_per_second=None)
    poll = PollPolicy(interval=interval)
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "jobs.db"
        async with (
            KlingClient(api_key=os.environ["KLING_API_KEY"], base_url=base_url) as client,
            Coordinator(client, journal=journal, limits=limits, poll=poll, remote=False) as coordinator,
            coordinator.as_completed(wanted) as outcomes,
        ):
            async for outcome in outcomes:
                assert outcome.status is Status.SUCCEEDED, outcome
