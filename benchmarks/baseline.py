"""The script that a good engineer writes by hand: httpx, and a semaphore around identify, create and poll.

It repeats what fails, a create as well, as such scripts do; it looks as often as the coordinator is told to. It runs on
trio too, for virtual time.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anyio
import httpx

TRIES = 5
PASSING = frozenset({429, 500, 502, 503, 504})


async def run(client: httpx.AsyncClient, videos: Iterable[str], sound: Path, slots: int, interval: float) -> None:
    """Every video lip-synced to ``sound``, at most ``slots`` at once; every task must succeed."""
    free = anyio.Semaphore(slots)
    async with anyio.create_task_group() as group:
        for video in videos:
            group.start_soon(lip_sync, client, free, video, sound, interval)


async def lip_sync(client: httpx.AsyncClient, free: anyio.Semaphore, video: str, sound: Path, interval: float) -> str:
    """The result's URL of one job."""
    async with free:
        session = await ask(client, "POST", "/v1/videos/identify-face", {"video_url": video})
        choice = {
            "face_id": session["face_data"][0]["face_id"],
            "sound_file": base64.b64encode(sound.read_bytes()).decode(),  # noqa: ASYNC240 - as such scripts do
            "sound_start_time": 0,
            "sound_end_time": 4000,
            "sound_insert_time": 0,
        }
        body = {"session_id": session["session_id"], "face_choose": [choice]}
        task = await ask(client, "POST", "/v1/videos/advanced-lip-sync", body)
        while task["task_status"] not in ("succeed", "failed"):
            await anyio.sleep(interval)
            task = await ask(client, "GET", f"/v1/videos/advanced-lip-sync/{task['task_id']}")
    return str(task["task_result"]["videos"][0]["url"])


async def ask(client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The answer's ``data``; what may pass by itself is asked again."""
    for tried in range(TRIES):
        try:
            answer = await client.request(method, path, json=body)
        except httpx.TransportError:
            if tried == TRIES - 1:
                raise
        else:
            if answer.status_code not in PASSING or tried == TRIES - 1:
                data: dict[str, Any] = answer.raise_for_status().json()["data"]
                return data
        await anyio.sleep(2**tried)
    raise AssertionError("unreachable: the last try returns or raises")


def over_http(url: str, jobs: int, slots: int, interval: float, sound: str) -> None:
    """The script against the sandbox at ``url``."""

    async def main() -> None:
        limits, timeout = httpx.Limits(max_connections=2 * slots), httpx.Timeout(120.0, pool=None)
        headers = {"Authorization": "Bearer bench"}
        async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=timeout) as client:
            await run(client, videos(url, jobs), Path(sound), slots, interval)

    anyio.run(main)


def videos(url: str, jobs: int) -> Iterable[str]:
    """A video for each job: the same file, but under a URL of its own."""
    return (f"{url}/media/one-face.mp4?copy={n}" for n in range(jobs))
