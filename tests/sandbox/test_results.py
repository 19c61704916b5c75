from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from kling_lipsync.sandbox import Fault, Sandbox

from .making import (
    CREATE,
    IDENTIFY,
    KEY,
    ORIGIN,
    HandClock,
    buy,
    connect,
    decode_sound,
    identify,
    inline,
    look,
    make_sandbox,
    make_sound,
    make_video,
    silence,
    strength,
    tone,
)  # fmt: skip

pytestmark = pytest.mark.anyio

FRAME_S = 1 / 25
ORIGINAL_HZ, INSERTED_HZ = 440.0, 1000.0


async def _make(
    sandbox: Sandbox, clock: HandClock, into: Path, clip: str = "clip.mp4", **changes: Any
) -> tuple[dict[str, str], Path]:
    """A finished job's video as the query names it, and its file."""
    async with connect(sandbox) as client, connect(sandbox, key=None) as stranger:
        task_id = await buy(client, (await identify(client, clip))["session_id"], **changes)
        clock.now += 240
        video: dict[str, str] = (await look(client, task_id))["task_result"]["videos"][0]
        path = into / "result.mp4"
        path.write_bytes((await stranger.get(video["url"])).content)
    return video, path


def _lengths(path: Path) -> dict[str, float]:
    """Seconds of picture and sound, counted by packets, and of the container."""
    lengths = {}
    with av.open(str(path)) as container:
        assert container.duration is not None
        lengths["container"] = container.duration / av.time_base
        for stream in container.streams:
            ticks = sum(packet.duration or 0 for packet in container.demux(stream))
            lengths[stream.type] = float(ticks * (stream.time_base or 0))
            container.seek(0)
    return lengths


async def test_the_sound_is_where_it_was_put(sandbox: Sandbox, clock: HandClock, tmp_path: Path) -> None:
    """The tone of the crop is heard from 1.0 s to 3.0 s, the original all the time, each at its volume."""
    _, result = await _make(
        sandbox, clock, tmp_path, sound_start_time=500, sound_end_time=2500, sound_insert_time=1000,
        sound_volume=0.5, original_audio_volume=1.5,
    )  # fmt: skip
    before, during, after = ((0.2, 0.9), (1.1, 2.9), (3.1, 3.8))
    assert strength(result, INSERTED_HZ, *before) < 0.005
    assert strength(result, INSERTED_HZ, *during) == pytest.approx(0.25 * 0.5, rel=0.1)
    assert strength(result, INSERTED_HZ, *after) < 0.005
    for span in (before, during, after):
        assert strength(result, ORIGINAL_HZ, *span) == pytest.approx(0.25 * 1.5, rel=0.1)


async def test_the_edges_of_the_insertion_are_exact(sandbox: Sandbox, clock: HandClock, tmp_path: Path) -> None:
    """With the original muted, sound begins within 30 ms of the insertion and ends within 30 ms of its end."""
    _, result = await _make(sandbox, clock, tmp_path, sound_insert_time=1500, original_audio_volume=0)
    loud = [index for index, value in enumerate(decode_sound(result)) if abs(value) > 0.05]
    assert loud[0] / 44_100 == pytest.approx(1.5, abs=0.03)
    assert loud[-1] / 44_100 == pytest.approx(3.5, abs=0.03)


async def test_the_crop_is_taken_from_its_place(media: Path, clock: HandClock, tmp_path: Path) -> None:
    """Of a sound that is low first and high later, the crop [2, 4] s holds the high part only."""
    make_sound(tmp_path / "two.wav", tone(2.0, 300.0) + tone(2.0, 2000.0))
    make_video(tmp_path / "clip.mp4")
    with make_sandbox(clock, tmp_path) as sandbox:
        _, result = await _make(
            sandbox, clock, tmp_path, sound_file=f"{ORIGIN}/media/two.wav", sound_start_time=2000,
            sound_end_time=4000, sound_insert_time=0,
        )  # fmt: skip
    assert strength(result, 2000.0, 0.1, 1.9) == pytest.approx(0.25, rel=0.1)
    assert strength(result, 300.0, 0.1, 1.9) < 0.005


@pytest.mark.parametrize("name", ["tone.mp3", "tone.m4a", "tone.aac"])
async def test_compressed_sounds_are_mixed_in_place(
    sandbox: Sandbox, clock: HandClock, tmp_path: Path, name: str
) -> None:
    """Their encoders' delay does not shift them by more than a frame's worth."""
    sound = f"{ORIGIN}/media/{name}"
    _, result = await _make(sandbox, clock, tmp_path, sound_file=sound, original_audio_volume=0)
    loud = [index for index, value in enumerate(decode_sound(result)) if abs(value) > 0.1]
    assert loud[0] / 44_100 == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("clip", ["clip.mp4", "silent.mp4", "one-face.mp4", "two-faces.mp4"])
async def test_a_result_is_as_long_as_its_source(
    sandbox: Sandbox, clock: HandClock, media: Path, tmp_path: Path, clip: str
) -> None:
    """Picture, sound and container: within one frame, with or without a sound of the source's own."""
    video, result = await _make(sandbox, clock, tmp_path, clip)
    samples = Path(__file__).parents[2] / "kling_lipsync/sandbox/samples"
    source = _lengths(next(path for path in (media / clip, samples / clip) if path.is_file()))
    for kind, seconds in _lengths(result).items():
        assert seconds == pytest.approx(source["video"], abs=FRAME_S), kind
    assert float(video["duration"]) == pytest.approx(source["video"], abs=FRAME_S)


async def test_the_picture_is_copied_bit_by_bit(
    sandbox: Sandbox, clock: HandClock, media: Path, tmp_path: Path
) -> None:
    """The packets of the result's picture are the source's."""
    _, result = await _make(sandbox, clock, tmp_path)
    packets = []
    for path in (media / "clip.mp4", result):
        with av.open(str(path)) as container:
            packets.append([bytes(packet) for packet in container.demux(video=0) if packet.dts is not None])
    assert packets[0] == packets[1]


async def test_a_picture_of_an_old_codec_is_encoded_anew(clock: HandClock, media: Path, tmp_path: Path) -> None:
    """A .mov of MPEG-4 Part 2 gives an mp4 that plays everywhere."""
    make_video(tmp_path / "old.mov", codec="mpeg4")
    (tmp_path / "tone.wav").write_bytes((media / "tone.wav").read_bytes())
    with make_sandbox(clock, tmp_path) as sandbox:
        _, result = await _make(sandbox, clock, tmp_path, "old.mov")
    with av.open(str(result)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert len(list(container.decode(video=0))) == 100


async def test_an_original_that_begins_late_stays_late(clock: HandClock, media: Path, tmp_path: Path) -> None:
    """A source whose sound track begins at second one keeps that second silent."""
    make_video(tmp_path / "clip.mp4", sound=tone(3.0, ORIGINAL_HZ), sound_at=1.0)
    make_sound(tmp_path / "quiet.wav", silence(3.0))
    with make_sandbox(clock, tmp_path) as sandbox:
        _, result = await _make(sandbox, clock, tmp_path, sound_file=f"{ORIGIN}/media/quiet.wav")
    assert strength(result, ORIGINAL_HZ, 0.0, 0.9) < 0.005
    assert strength(result, ORIGINAL_HZ, 1.1, 3.8) == pytest.approx(0.25, rel=0.1)


async def test_a_silent_sound_is_mixed_as_silence(clock: HandClock, media: Path, tmp_path: Path) -> None:
    """The original goes on under it."""
    make_video(tmp_path / "clip.mp4", sound=tone(4.0, ORIGINAL_HZ))
    make_sound(tmp_path / "quiet.wav", silence(3.0))
    with make_sandbox(clock, tmp_path) as sandbox:
        _, result = await _make(sandbox, clock, tmp_path, sound_file=f"{ORIGIN}/media/quiet.wav")
    assert strength(result, ORIGINAL_HZ, 0.2, 3.8) == pytest.approx(0.25, rel=0.1)


async def test_the_watermark_is_in_the_picture(sandbox: Sandbox, clock: HandClock, tmp_path: Path) -> None:
    """The lower right corner differs from the plain result, the middle does not, and the sound is the same."""
    video, result = await _make(sandbox, clock, tmp_path, watermark_info={"enabled": True})
    marked = tmp_path / "marked.mp4"
    async with connect(sandbox, key=None) as stranger:
        marked.write_bytes((await stranger.get(video["watermark_url"])).content)
    plain_corner, plain_middle = _brightness(result)
    marked_corner, marked_middle = _brightness(marked)
    assert marked_corner - plain_corner > 10
    assert abs(marked_middle - plain_middle) < 2
    assert _lengths(marked)["video"] == pytest.approx(4.0, abs=FRAME_S)
    assert decode_sound(marked) == decode_sound(result)


def _brightness(path: Path) -> tuple[float, float]:
    """Mean light of the lower right corner and of the middle, in a late frame."""
    with av.open(str(path)) as container:
        frame = list(container.decode(video=0))[90].reformat(format="gray")
    plane, width = bytes(frame.planes[0]), frame.planes[0].line_size
    corner = [plane[row * width + column] for row in range(630, 710) for column in range(1190, 1270)]
    middle = [plane[row * width + column] for row in range(320, 400) for column in range(600, 680)]
    return sum(corner) / len(corner), sum(middle) / len(middle)


async def test_face_images_are_jpegs_of_the_face(sandbox: Sandbox) -> None:
    """The picture behind ``face_image`` is a JPEG about as large as the face."""
    async with connect(sandbox) as client, connect(sandbox, key=None) as stranger:
        (face,) = (await identify(client, "one-face.mp4"))["face_data"]
        picture = await stranger.get(face["face_image"])
    assert picture.headers["content-type"] == "image/jpeg"
    with av.open(_as_file(picture)) as container:
        frame = next(container.decode(video=0))
    assert 226 < frame.width < 2 * 226
    assert 274 < frame.height < 2 * 274


def _as_file(response: httpx.Response) -> Any:
    import io

    return io.BytesIO(response.content)


async def test_a_link_opens_with_its_signature_for_its_time(sandbox: Sandbox, clock: HandClock, tmp_path: Path) -> None:
    """No signature, another file's and one that has run out are answered 403; the file goes after 30 days."""
    video, _ = await _make(sandbox, clock, tmp_path)
    bare, _, query = video["url"].partition("?")
    async with connect(sandbox, key=None) as stranger:
        statuses = [
            (await stranger.get(url)).status_code
            for url in (bare, f"{bare}?expires=9999999999&sign=0", f"{ORIGIN}/results/other.mp4?{query}")
        ]
        clock.now += 30 * 24 * 3600
        expired = (await stranger.get(video["url"])).status_code
    assert statuses == [403, 403, 403]
    assert expired == 403


async def test_a_query_signs_anew(media: Path, clock: HandClock, tmp_path: Path) -> None:
    """A link that died after an hour is replaced by asking again; after 30 days nothing is there."""
    with make_sandbox(clock, media, result_url_lifetime=3600) as sandbox:
        video, _ = await _make(sandbox, clock, tmp_path)
        clock.now += 3600
        async with connect(sandbox) as client, connect(sandbox, key=None) as stranger:
            task_id = (await client.get(CREATE)).json()["data"][0]["task_id"]
            again = (await look(client, task_id))["task_result"]["videos"][0]["url"]
            statuses = [(await stranger.get(url)).status_code for url in (video["url"], again)]
            clock.now += 30 * 24 * 3600
            gone = (await look(client, task_id))["task_result"]["videos"][0]["url"]
            assert (await stranger.get(gone)).status_code == 404
    assert statuses == [403, 200]


async def test_files_are_served_in_ranges(sandbox: Sandbox, clock: HandClock, tmp_path: Path) -> None:
    """206 with the bytes asked for, 416 beyond the end, the whole file where ``If-Range`` does not match."""
    video, result = await _make(sandbox, clock, tmp_path)
    whole = result.read_bytes()
    async with connect(sandbox, key=None) as stranger:
        head = await stranger.head(video["url"])
        tag = head.headers["etag"]
        cases = {
            "bytes=0-99": whole[:100], "bytes=100-": whole[100:], "bytes=-7": whole[-7:],
            "bytes=5-9999999": whole[5:],
        }  # fmt: skip
        for asked, expected in cases.items():
            part = await stranger.get(video["url"], headers={"range": asked, "if-range": tag})
            assert (part.status_code, part.content) == (206, expected)
            assert part.headers["content-length"] == str(len(expected))
            assert part.headers["content-range"].endswith(f"/{len(whole)}")
        beyond = await stranger.get(video["url"], headers={"range": f"bytes={len(whole)}-"})
        other = await stranger.get(video["url"], headers={"range": "bytes=0-9", "if-range": '"other"'})
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(whole)))
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(whole)}"
    assert (other.status_code, other.content) == (200, whole)


async def test_a_key_sent_to_a_file_is_a_leak(sandbox: Sandbox) -> None:
    """Media and results need no key: one that comes is counted."""
    async with connect(sandbox, key=None) as stranger:
        await stranger.get("/media/tone.wav")
        assert sandbox.stats()["leaked_keys"] == 0
        await stranger.get("/media/tone.wav", headers={"authorization": f"Bearer {KEY}"})
        await stranger.get("/results/x.mp4", headers={"authorization": f"Bearer {KEY}"})
    assert sandbox.stats()["leaked_keys"] == 2


@pytest.mark.parametrize("name", ["nothing.mp4", "..%2Fconftest.py", "%2Fetc%2Fpasswd"])
async def test_only_files_of_the_directory_are_served(sandbox: Sandbox, name: str) -> None:
    """A path out of the directory finds nothing."""
    async with connect(sandbox) as client:
        assert (await client.get(f"/media/{name}")).status_code == 404


async def test_equal_results_are_made_once(sandbox: Sandbox, clock: HandClock, tmp_path: Path) -> None:
    """Two tasks with equal input have results of their own that share a file; another input makes another file."""
    videos = [(await _make(sandbox, clock, tmp_path, sound_insert_time=at))[0] for at in (1000, 1000, 1200)]
    async with connect(sandbox, key=None) as stranger:
        tags = [(await stranger.head(video["url"])).headers["etag"] for video in videos]
    assert len({video["id"] for video in videos}) == 3
    assert tags[0] == tags[1] != tags[2]


async def test_what_does_not_fit_is_made_again(media: Path, clock: HandClock, tmp_path: Path) -> None:
    """Beyond the bound the oldest file goes; its link still works."""
    with make_sandbox(clock, media, cache_bytes=1) as sandbox:
        first, result = await _make(sandbox, clock, tmp_path)
        expected = result.read_bytes()
        await _make(sandbox, clock, tmp_path, sound_insert_time=1200)
        async with connect(sandbox, key=None) as stranger:
            again = await stranger.get(first["url"])
    assert len(again.content) == len(expected)


async def test_a_result_whose_input_is_gone_is_gone(media: Path, clock: HandClock, tmp_path: Path) -> None:
    """A sound sent inline that had to make room cannot be mixed any more: 404, as for a deleted result."""
    with make_sandbox(clock, media, cache_bytes=1) as sandbox:
        async with connect(sandbox) as client, connect(sandbox, key=None) as stranger:
            session_id = (await identify(client))["session_id"]
            task_id = await buy(client, session_id, sound_file=inline(media / "tone.wav"))
            await buy(client, session_id, sound_file=inline(media / "tone.mp3"))
            clock.now += 240
            url = (await look(client, task_id))["task_result"]["videos"][0]["url"]
            assert (await stranger.get(url)).status_code == 404


async def test_a_result_is_a_video_by_its_link_too(sandbox: Sandbox, clock: HandClock, tmp_path: Path) -> None:
    """Identify takes the sandbox's own result URL, and refuses it without its signature."""
    video, _ = await _make(sandbox, clock, tmp_path)
    async with connect(sandbox) as client:
        signed = await client.post(IDENTIFY, json={"video_url": video["url"]})
        bare = await client.post(IDENTIFY, json={"video_url": video["url"].partition("?")[0]})
    assert "did not detect a human" in signed.json()["message"]
    assert "cannot be downloaded" in bare.json()["message"]


async def test_files_can_only_be_read(sandbox: Sandbox) -> None:
    """Another method is 405."""
    async with connect(sandbox, key=None) as stranger:
        assert (await stranger.post("/media/tone.wav")).status_code == 405


@pytest.mark.parametrize(("kind", "status"), [("502", 502), ("5001", 503)])
async def test_files_fail_on_demand(sandbox: Sandbox, kind: str, status: int) -> None:
    """Faults strike downloads as well."""
    sandbox.faults.add(Fault(kind, "media", count=1))
    async with connect(sandbox, key=None) as stranger:
        assert (await stranger.get("/media/tone.wav")).status_code == status
        assert (await stranger.get("/media/tone.wav")).status_code == 200
