"""The same jobs through the coordinator."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio

from benchmarks.baseline import videos
from kling_lipsync import Audio, Coordinator, Job, KlingClient, Limits, PollPolicy, Status, Video


def jobs_on(url: str, jobs: int, sound: Path, **changes: Any) -> Iterator[Job]:  # noqa: ANN401 - a job's fields
    """The jobs, made as they are asked for."""
    for n, video in enumerate(videos(url, jobs)):
        wanted = Video.from_url(video, duration_ms=8000)
        yield Job(key=f"job-{n}", video=wanted, audio=Audio.from_file(sound), sound_end_ms=4000, **changes)


async def run(client: KlingClient, jobs: Iterator[Job], *, slots: int, interval: float, **options: Any) -> None:  # noqa: ANN401 - the coordinator's
    """Takes the jobs to their end; every one must succeed."""
    limits = options.pop("limits", Limits(running_tasks=slots, requests_per_second=None))
    async with (
        Coordinator(client, limits=limits, poll=PollPolicy(interval=interval), **options) as coordinator,
        coordinator.as_completed(jobs) as outcomes,
    ):
        async for outcome in outcomes:
            assert outcome.status is Status.SUCCEEDED, outcome


def over_http(
    url: str, jobs: int, slots: int, interval: float, sound: str, remote: bool = False, journal: str | None = None
) -> None:
    """The jobs against the sandbox at ``url``; ``remote`` looks into each video's header, which the script does not."""

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            kept = journal or Path(folder) / "jobs.db"
            async with KlingClient(api_key="bench", base_url=url) as client:
                wanted = jobs_on(url, jobs, Path(sound))
                await run(client, wanted, slots=slots, interval=interval, journal=kept, remote=remote)

    anyio.run(main)
