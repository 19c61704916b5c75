"""The script that a good engineer writes by hand: asyncio, httpx, and a semaphore around identify, create and poll."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from typing import Any

import httpx


async def lip_sync(client: httpx.AsyncClient, slots: asyncio.Semaphore, video: str, sound: str, interval: float) -> str:
    """The result's URL of one job."""
    async with slots:
        session = await post(client, "/v1/videos/identify-face", {"video_url": video})
        choice = {
            "face_id": session["face_data"][0]["face_id"],
            "sound_file": sound,
            "sound_start_time": 0,
            "sound_end_time": 4000,
            "sound_insert_time": 0,
        }
        body = {"session_id": session["session_id"], "face_choose": [choice]}
        task = await post(client, "/v1/videos/advanced-lip-sync", body)
        while task["task_status"] not in ("succeed", "failed"):
            await asyncio.sleep(interval)
            answer = await client.get(f"/v1/videos/advanced-lip-sync/{task['task_id']}")
            task = answer.raise_for_status().json()["data"]
        return str(task["task_result"]["videos"][0]["url"])


async def post(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer's ``data``."""
    answer = await client.post(path, json=body)
    data: dict[str, Any] = answer.raise_for_status().json()["data"]
    return data


async def main(base_url: str, jobs: int, slots: int, interval: float, sound: Path) -> None:
    """All jobs, at most ``slots`` at once."""
    encoded = base64.b64encode(sound.read_bytes()).decode()  # noqa: ASYNC240 - nothing else runs yet
    headers = {"Authorization": f"Bearer {os.environ['KLING_API_KEY']}"}
    limits = httpx.Limits(max_connections=2 * slots)
    timeout = httpx.Timeout(120.0, pool=None)
    async with httpx.AsyncClient(base_url=base_url, headers=headers, limits=limits, timeout=timeout) as client:
        gate = asyncio.Semaphore(slots)
        videos = (f"{base_url}/media/one-face.mp4?copy={n}" for n in range(jobs))
        await asyncio.gather(*(lip_sync(client, gate, video, encoded, interval) for video in videos))
