from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from kling_lipsync.sandbox import Sandbox, SizeCounted

from .making import CREATE, IDENTIFY, ORIGIN, HandClock, buy, connect, identify, inline, look, make_order, make_sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"session_id": ""}, "session_id"),
        ({"session_id": 5}, "session_id: must be a string"),
        ({"session_id": "unknown"}, "session not found"),
        ({"face_choose": None}, "face_choose"),
        ({"face_choose": {}}, "face_choose: must be an array"),
        ({"face_choose": []}, "face_choose"),
        ({"face_choose": ["0"]}, "face_choose[0]: must be an object"),
        ({"face_choose": [{}, {}]}, "only one"),
        ({"face_id": "7"}, "face not found"),
        ({"face_id": 0}, "face_choose[0].face_id: must be a string"),
        ({"audio_id": "1"}, "mutually exclusive"),
        ({"sound_file": ""}, "is required"),
        ({"sound_file": "data:audio/wav;base64,AAAA"}, "data: prefix"),
        ({"sound_file": "not base64!"}, "base64"),
        ({"sound_file": base64.b64encode(b"no sound at all").decode()}, "Audio format is invalid"),
        ({"sound_file": f"{ORIGIN}/media/tone.flac"}, "Audio format is invalid"),
        ({"sound_file": f"{ORIGIN}/media/clip.mp4"}, "Audio format is invalid"),
        ({"sound_file": f"{ORIGIN}/media/short.wav"}, "2s to 60s"),
        ({"sound_file": f"{ORIGIN}/media/nothing.wav"}, "cannot be downloaded"),
        ({"sound_start_time": "0"}, "face_choose[0].sound_start_time: must be an integer"),
        ({"sound_start_time": True}, "face_choose[0].sound_start_time: must be an integer"),
        ({"sound_start_time": 0.5}, "face_choose[0].sound_start_time: must be an integer"),
        ({"sound_start_time": -1, "sound_end_time": 2000}, "face_choose[0].sound_start_time"),
        ({"sound_start_time": None}, "face_choose[0].sound_start_time: must not be null"),
        ({"sound_end_time": 1999}, "2 seconds"),
        ({"sound_start_time": 1001, "sound_end_time": 3000}, "2 seconds"),
        ({"sound_start_time": 1151, "sound_end_time": 3151}, "later than the duration of the audio"),
        ({"sound_insert_time": 2001}, "later than the video"),
        ({"sound_insert_time": None}, "face_choose[0].sound_insert_time: must not be null"),
        ({"sound_volume": 2.01}, "face_choose[0].sound_volume: must be less than or equal to 2.0"),
        ({"sound_volume": -0.1}, "face_choose[0].sound_volume: must be greater than or equal to 0.0"),
        ({"sound_volume": 10**400}, "face_choose[0].sound_volume"),
        ({"original_audio_volume": "1"}, "face_choose[0].original_audio_volume: must be a number"),
        ({"watermark_info": True}, "watermark_info: must be an object"),
        ({"watermark_info": {"enabled": 1}}, "watermark_info.enabled: must be a boolean"),
        ({"external_task_id": 12}, "external_task_id: must be a string"),
        ({"callback_url": "ftp://example.org/x"}, "callback_url"),
    ],
)
async def test_create_refuses_what_breaks_a_rule(sandbox: Sandbox, changes: dict[str, Any], said: str) -> None:
    """HTTP 400 and 1201, with a message that names the field or the rule; nothing is bought."""
    async with connect(sandbox) as client:
        session_id = (await identify(client))["session_id"]
        order = make_order(session_id, **changes)
        answer = await client.post(CREATE, json={name: value for name, value in order.items() if value is not None})
    assert (answer.status_code, answer.json()["code"]) == (400, 1201), answer.text
    assert said in answer.json()["message"]
    assert sandbox.stats()["tasks"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sound_start_time": 1000, "sound_end_time": 3000},
        {"sound_insert_time": 0, "sound_end_time": 3000},
        {"sound_insert_time": 2000},
        {"sound_volume": 0, "original_audio_volume": 2},
        {"sound_file": f"{ORIGIN}/media/tone.mp3"},
        {"sound_file": f"{ORIGIN}/media/tone.m4a"},
        {"sound_file": f"{ORIGIN}/media/tone.aac"},
        {"watermark_info": {"enabled": True}, "callback_url": "", "external_task_id": ""},
    ],
)
async def test_create_takes_what_keeps_every_rule(sandbox: Sandbox, changes: dict[str, Any]) -> None:
    """Limits themselves are allowed, and so are all four sound formats."""
    async with connect(sandbox) as client:
        await buy(client, (await identify(client))["session_id"], **changes)
    assert sandbox.stats()["tasks"] == 1


async def test_a_sound_travels_inline(sandbox: Sandbox, media: Path) -> None:
    """Raw base64 is a sound as well as a URL is."""
    async with connect(sandbox) as client:
        session_id = (await identify(client))["session_id"]
        for name in ("tone.wav", "tone.mp3", "tone.m4a", "tone.aac"):
            await buy(client, session_id, sound_file=inline(media / name))


@pytest.mark.parametrize("overrun", [1, 150])
async def test_a_crop_a_little_too_long_fails_at_the_end(sandbox: Sandbox, clock: HandClock, overrun: int) -> None:
    """Up to 150 ms beyond the sound: accepted, then failed with a message and without a price."""
    async with connect(sandbox) as client:
        session_id = (await identify(client))["session_id"]
        task_id = await buy(client, session_id, sound_start_time=1000, sound_end_time=3000 + overrun)
        clock.now += 239
        assert (await look(client, task_id))["task_status"] == "processing"
        clock.now += 1
        task = await look(client, task_id)
    assert task["task_status"] == "failed"
    assert "sound_end_time" in task["task_status_msg"]
    assert task["final_unit_deduction"] == "0"
    assert task["task_result"] == {}


async def test_the_insertion_must_overlap_the_face(media: Path, clock: HandClock, tmp_path: Path) -> None:
    """Two seconds shared with the face's true time are enough; the over-reported end is not counted."""
    clip = (media / "clip.mp4").read_bytes()
    (tmp_path / "late.mp4").write_bytes(clip)
    (tmp_path / "late.faces.json").write_text('[{"start_ms": 1000, "end_ms": 3500, "box": [0, 0, 99, 99]}]')
    (tmp_path / "tone.wav").write_bytes((media / "tone.wav").read_bytes())
    with make_sandbox(clock, tmp_path) as sandbox:
        async with connect(sandbox) as client:
            session_id = (await identify(client, "late.mp4"))["session_id"]
            await buy(client, session_id, sound_insert_time=1500)
            late = await client.post(CREATE, json=make_order(session_id, sound_insert_time=1501))
            early = await client.post(CREATE, json=make_order(session_id, sound_insert_time=999))
    for answer in (late, early):
        assert "overlap" in answer.json()["message"]


@pytest.mark.parametrize(("counted", "taken"), [(SizeCounted.DECODED, True), (SizeCounted.ENCODED, False)])
async def test_where_the_five_megabytes_are_counted(
    media: Path, clock: HandClock, counted: SizeCounted, *, taken: bool
) -> None:
    """A sound of 4 MB is 5.3 MB in base64: too big only where that is counted."""
    data = (media / "tone.wav").read_bytes()
    padded = base64.b64encode(data + bytes(4 * 1024 * 1024 - len(data))).decode()
    with make_sandbox(clock, media, size_counted=counted) as sandbox:
        async with connect(sandbox) as client:
            session_id = (await identify(client))["session_id"]
            answer = await client.post(CREATE, json=make_order(session_id, sound_file=padded))
            huge = base64.b64encode(data + bytes(5 * 1024 * 1024)).decode()
            too_big = await client.post(CREATE, json=make_order(session_id, sound_file=huge))
    assert (answer.json()["code"] == 0) is taken
    assert "5MB" in too_big.json()["message"]


async def test_documented_formats_can_be_refused(media: Path, clock: HandClock) -> None:
    """As one client saw it: a valid m4a is answered "Audio format is invalid"."""
    with make_sandbox(clock, media, refused_audio={"m4a"}) as sandbox:
        async with connect(sandbox) as client:
            session_id = (await identify(client))["session_id"]
            refused = await client.post(CREATE, json=make_order(session_id, sound_file=inline(media / "tone.m4a")))
            await buy(client, session_id)
    assert refused.json()["message"] == "Audio format is invalid"


@pytest.mark.parametrize("refuses", [True, False])
async def test_unknown_fields_are_noted_or_refused(media: Path, clock: HandClock, *, refuses: bool) -> None:
    """A misspelt field is listed in the statistics, and refused where that is set."""
    with make_sandbox(clock, media, refuse_unknown_fields=refuses) as sandbox:
        async with connect(sandbox) as client:
            session_id = (await identify(client))["session_id"]
            answer = await client.post(CREATE, json=make_order(session_id, original_audio_volumn=1))
    assert answer.json()["code"] == (1201 if refuses else 0)
    assert sandbox.stats()["unknown_fields"] == ["face_choose[0].original_audio_volumn"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000])
async def test_a_body_must_be_a_json_object(sandbox: Sandbox, body: bytes) -> None:
    """Anything else is 1200."""
    async with connect(sandbox) as client:
        answer = await client.post(IDENTIFY, content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 1200)


async def test_a_body_beyond_the_bound_gets_a_proxys_answer(media: Path, clock: HandClock) -> None:
    """More than ``body_bytes`` is HTTP 413 with a page, as gateways answer."""
    with make_sandbox(clock, media, body_bytes=1000) as sandbox:
        async with connect(sandbox) as client:
            answer = await client.post(IDENTIFY, json={"video_url": "x" * 1000})
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("text/html")
