from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kling_lipsync.sandbox import Sandbox

from .making import CREATE, ORIGIN, HandClock, connect, inline

pytestmark = pytest.mark.anyio

PATH = "/v1/videos/lip-sync"
SPOKEN = {
    "mode": "text2video",
    "video_url": f"{ORIGIN}/media/clip.mp4",
    "text": "Good morning to everybody",
    "voice_id": "oversea_male1",
    "voice_language": "en",
}
SENT = {"mode": "audio2video", "video_url": f"{ORIGIN}/media/clip.mp4", "audio_type": "file"}


async def test_a_text_becomes_a_task_under_its_own_path(sandbox: Sandbox, clock: HandClock) -> None:
    """The task is created, listed and found under ``lip-sync`` and not under ``advanced-lip-sync``."""
    async with connect(sandbox) as client:
        created = (await client.post(PATH, json={"input": SPOKEN})).json()["data"]
        clock.now += 240
        task = (await client.get(f"{PATH}/{created['task_id']}")).json()["data"]
        listed = (await client.get(PATH)).json()["data"]
        elsewhere = await client.get(f"{CREATE}/{created['task_id']}")
        result = await client.get(task["task_result"]["videos"][0]["url"])
    assert task["task_status"] == "succeed"
    assert [row["task_id"] for row in listed] == [created["task_id"]]
    assert elsewhere.json()["code"] == 1203
    assert result.content[4:8] == b"ftyp"


async def test_a_sound_is_taken_inline_or_from_a_url(sandbox: Sandbox, media: Path) -> None:
    """``audio_type`` says which of the two fields holds it."""
    by_url = {**SENT, "audio_type": "url", "audio_url": f"{ORIGIN}/media/tone.mp3"}
    async with connect(sandbox) as client:
        for source in ({**SENT, "audio_file": inline(media / "tone.wav")}, by_url):
            assert (await client.post(PATH, json={"input": source})).json()["code"] == 0


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "input.mode: must not be null"),
        ({"mode": "dance"}, "input.mode: must be one of text2video, audio2video"),
        ({"mode": "text2video"}, "video_id or video_url is required"),
        ({"mode": "audio2video", "video_url": SPOKEN["video_url"]}, "Audio type is null"),
        ({**SPOKEN, "text": ""}, "text is required"),
        ({**SPOKEN, "voice_id": "nobody"}, "Voice id not found"),
        ({**SPOKEN, "voice_speed": 2.5}, "input.voiceSpeed: must be less than or equal to 2.0"),
        ({**SPOKEN, "text": "x" * 121}, "input.text: must not be longer than 120 characters"),
        ({**SENT, "audio_type": "tape"}, "input.audio_type: must be one of file, url"),
        ({**SENT, "audio_type": "url", "audio_url": "x"}, "input.audio_url: must be an http or https URL"),
    ],
)
async def test_refusals_read_as_on_the_live_service(sandbox: Sandbox, source: dict[str, Any], message: str) -> None:
    """HTTP 400, code 1201, and the message that clients have seen."""
    async with connect(sandbox) as client:
        answer = await client.post(PATH, json={"input": source} if source else {})
    assert (answer.status_code, answer.json()["code"], answer.json()["message"]) == (400, 1201, message)


async def test_a_video_without_a_face_fails_after_the_create(sandbox: Sandbox, clock: HandClock) -> None:
    """Here nobody looks for faces before the task runs."""
    async with connect(sandbox) as client:
        source = {**SPOKEN, "video_url": f"{ORIGIN}/media/empty.mp4"}
        created = (await client.post(PATH, json={"input": source})).json()["data"]
        clock.now += 240
        task = (await client.get(f"{PATH}/{created['task_id']}")).json()["data"]
    assert task["task_status"] == "failed"
    assert "human" in task["task_status_msg"]
