from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from kling_lipsync._checks import ONE_STEP, SoundFacts, VideoFacts
from kling_lipsync.models import Audio, Verdict, Video

from .build import GOOD_SOUND, GOOD_VIDEO, a_job, a_text, findings, message_of

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
MIB = 1024 * 1024


def test_a_good_job_has_no_problems() -> None:
    """A job of which everything is known and within the limits passes without a word."""
    assert findings(a_job()) == {}


@pytest.mark.parametrize(
    ("rule", "facts", "verdict"),
    [
        ("video-container", {"container": "mp4"}, PASS),
        ("video-container", {"container": "mov"}, PASS),
        ("video-container", {"container": "webm"}, FAIL),
        ("video-container", {"container": "m4a"}, FAIL),
        ("video-container", {"container": None}, UNKNOWN),
        ("video-size", {"size": 100_000_000}, PASS),
        ("video-size", {"size": 100_000_001}, UNKNOWN),
        ("video-size", {"size": 100 * MIB}, UNKNOWN),
        ("video-size", {"size": 100 * MIB + 1}, FAIL),
        ("video-size", {"size": None}, UNKNOWN),
        ("video-duration", {"duration_ms": 1_999}, FAIL),
        ("video-duration", {"duration_ms": 2_000}, PASS),
        ("video-duration", {"duration_ms": 60_000}, PASS),
        ("video-duration", {"duration_ms": 60_001}, FAIL),
        ("video-duration", {"duration_ms": None}, UNKNOWN),
        ("video-sides", {"width": 511}, FAIL),
        ("video-sides", {"width": 512}, PASS),
        ("video-sides", {"width": 2160}, PASS),
        ("video-sides", {"width": 2161}, FAIL),
        ("video-sides", {"height": 511}, FAIL),
        ("video-sides", {"height": 2161}, FAIL),
        ("video-sides", {"width": None}, UNKNOWN),
        ("video-sides", {"width": None, "height": 2161}, FAIL),
        ("video-resolution", {"width": 720, "height": 1280}, PASS),
        ("video-resolution", {"width": 1920, "height": 1080}, PASS),
        ("video-resolution", {"width": 1080, "height": 1080}, PASS),
        ("video-resolution", {"width": 960, "height": 540}, UNKNOWN),
        ("video-resolution", {"width": 2160, "height": 1440}, UNKNOWN),
    ],
)
def test_each_limit_of_the_video_holds_at_its_edge(rule: str, facts: dict[str, Any], verdict: Verdict) -> None:
    """Every limit on the video takes its last good value, refuses the next one, and says what it does not know."""
    assert findings(a_job(), video=evolve(GOOD_VIDEO, **facts)).get(rule, PASS) is verdict


@pytest.mark.parametrize(
    ("rule", "facts", "verdict"),
    [
        *(("sound-container", {"container": name}, PASS) for name in ("mp3", "wav", "m4a", "aac")),
        ("sound-container", {"container": "flac"}, FAIL),
        ("sound-container", {"container": None}, UNKNOWN),
        ("sound-size", {"size": 3_750_000}, PASS),
        ("sound-size", {"size": 3_750_001}, UNKNOWN),
        ("sound-size", {"size": 5 * MIB}, UNKNOWN),
        ("sound-size", {"size": 5 * MIB + 1}, FAIL),
        ("sound-size", {"size": None}, UNKNOWN),
        ("sound-duration", {"duration_ms": 1_999}, FAIL),
        ("sound-duration", {"duration_ms": 2_000}, PASS),
        ("sound-duration", {"duration_ms": 60_000}, PASS),
        ("sound-duration", {"duration_ms": 60_001}, FAIL),
        ("sound-duration", {"duration_ms": None}, UNKNOWN),
    ],
)
def test_each_limit_of_the_sound_holds_at_its_edge(rule: str, facts: dict[str, Any], verdict: Verdict) -> None:
    """Every limit on the sound takes its last good value, refuses the next one, and says what it does not know."""
    assert findings(a_job(), sound=evolve(GOOD_SOUND, **facts)).get(rule, PASS) is verdict


def test_a_sound_on_the_web_is_not_sent_as_base64() -> None:
    """The doubt whether base64 counts is for sounds inside the request; for a URL all of 5 MB is sure."""
    job = a_job(audio=Audio.from_url("https://media.example/line.mp3"))
    verdicts = [findings(job, sound=evolve(GOOD_SOUND, size=size)) for size in (5_000_000, 5 * MIB, 5 * MIB + 1)]
    assert verdicts == [{}, {"sound-size": UNKNOWN}, {"sound-size": FAIL}]


def test_bytes_in_memory_are_judged_like_a_file() -> None:
    """A sound given as bytes obeys the limits of a file."""
    job = a_job(audio=Audio.from_bytes(b"ID3"))
    assert findings(job, sound=evolve(GOOD_SOUND, container="ogg")) == {"sound-container": FAIL}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/media/clip.mp4",
        "https://10.0.0.7/clip.mp4",
        "http://localhost/clip",
        "http://[::1]:8000/clip.mp4",
        "HTTPS://media.example/clip.mp4?signature=abc%20def",
        "https://bücher.example/clip.mp4",
        "https://h/" + "x" * (8192 - len("https://h/")),
    ],
)
def test_urls_that_kling_or_a_gateway_may_reach_pass(url: str) -> None:
    """Any well-formed http(s) URL passes, private hosts among them, up to the longest."""
    assert findings(a_job(video=Video.from_url(url), audio=Audio.from_url(url), callback_url=url)) == {}


@pytest.mark.parametrize(
    "url",
    [
        "clip.mp4",
        "/home/me/clip.mp4",
        "C:\\clips\\clip.mp4",
        "file:///home/me/clip.mp4",
        "data:video/mp4;base64,AAAA",
        "media.example/clip.mp4",
        "s3://bucket/clip.mp4",
        "",
    ],
)
def test_what_is_no_web_address_is_told_where_to_go(url: str) -> None:
    """A local path or another scheme is refused with what to do, and with nothing else about that video."""
    job = a_job(video=Video.from_url(url))
    assert findings(job, video=VideoFacts()) == {"video-url": FAIL}
    assert "Kling takes no uploads: put the video where Kling can fetch it" in message_of("video-url", job)


@pytest.mark.parametrize(
    ("url", "flaw"),
    [
        ("https://", "has no host"),
        ("http:///clip.mp4", "has no host"),
        ("https://media.example/my clip.mp4", "blanks"),
        ("https://media.example/clip\n.mp4", "blanks or control characters"),
        ("https://media.example:port/clip.mp4", "malformed"),
        ("https://[::1/clip.mp4", "malformed"),
        ("https://h/" + "x" * (8193 - len("https://h/")), "8193 characters"),
    ],
)
def test_malformed_urls_are_refused_wherever_they_stand(url: str, flaw: str) -> None:
    """A URL that nobody could fetch is refused as a video, as a sound and as a callback."""
    job = a_job(video=Video.from_url(url), audio=Audio.from_url(url), callback_url=url)
    assert {rule: verdict for rule, verdict in findings(job).items() if rule.endswith("-url")} == {
        "video-url": FAIL,
        "sound-url": FAIL,
        "callback-url": FAIL,
    }
    assert flaw in message_of("video-url", job)


def test_messages_keep_the_secrets_of_a_url() -> None:
    """Neither the password nor the signature of a refused URL is repeated."""
    job = a_job(video=Video.from_url("https://me:pa@ss@media.example:port/clip.mp4?signature=secret#secret"))
    message = message_of("video-url", job)
    assert "media.example" in message
    assert not any(word in message for word in ("pa@ss", "ss@", "secret"))


def test_a_local_sound_given_as_a_url_is_told_where_it_belongs() -> None:
    """A path or a data: URL as the sound's URL is refused; local sounds do travel, another way."""
    job = a_job(audio=Audio.from_url("line.mp3"))
    assert findings(job, sound=SoundFacts()) == {"sound-url": FAIL}
    assert "Audio.from_file" in message_of("sound-url", job)


def test_a_video_of_kling_is_judged_by_its_length_alone() -> None:
    """Of a video id only the length matters, and it is seldom known."""
    job = a_job(video=Video.from_id("823417"))
    assert findings(job, video=VideoFacts()) == {"video-duration": UNKNOWN}
    assert findings(job, video=VideoFacts(duration_ms=60_001)) == {"video-duration": FAIL}
    assert findings(job, video=VideoFacts(container="avi", duration_ms=5_000, width=960, height=540, size=1)) == {}
    assert findings(a_job(video=Video.from_id("823417", 5_000)), video=VideoFacts()) == {}


@pytest.mark.parametrize(
    ("text", "verdict"), [("8" * 256, PASS), ("8" * 257, FAIL), ("", FAIL), ("8 2", FAIL), ("8\n", FAIL)]
)
def test_ids_of_kling_are_plain_and_bounded(text: str, verdict: Verdict) -> None:
    """An id that Kling cannot have given is refused, as a video's and as a sound's."""
    found = findings(a_job(video=Video.from_id(text, 5_000), audio=Audio.from_id(text)))
    assert (found.get("video-id", PASS), found.get("sound-id", PASS)) == (verdict, verdict)


def test_a_sound_of_kling_is_judged_by_its_length_alone() -> None:
    """Of an audio id only the length matters."""
    job = a_job(audio=Audio.from_id("77", duration_ms=1_500))
    assert findings(job, sound=SoundFacts()) == {"sound-duration": FAIL}


def test_what_the_job_says_of_a_length_counts_until_it_is_measured() -> None:
    """A declared length is believed where nothing was measured, and gives way to a measured one."""
    job = a_job(video=Video.from_url("https://media.example/clip.mp4", duration_ms=70_000))
    assert findings(job, video=evolve(GOOD_VIDEO, duration_ms=None)) == {"video-duration": FAIL}
    assert findings(job, video=GOOD_VIDEO) == {}


def test_the_length_of_a_text_is_not_known_before_it_is_spoken() -> None:
    """A text's length is reported as not known, and judged by the same limits once it is."""
    job = a_job(audio=a_text())
    assert findings(job, sound=SoundFacts()) == {"sound-duration": UNKNOWN}
    assert findings(job, sound=SoundFacts(duration_ms=1_999)) == {"sound-duration": FAIL}


@pytest.mark.parametrize(("duration_ms", "verdict"), [(1_999, FAIL), (2_000, PASS), (10_000, PASS), (10_001, FAIL)])
def test_one_step_gateways_take_short_videos(duration_ms: int, verdict: Verdict) -> None:
    """The one-step contract takes 2 to 10 s."""
    video = evolve(GOOD_VIDEO, duration_ms=duration_ms)
    assert findings(a_job(), video=video, contract=ONE_STEP).get("video-duration", PASS) is verdict


def test_one_step_gateways_take_no_audio_id_and_speak_inside_the_task() -> None:
    """An audio id has no place there; a text needs no length of its own."""
    assert findings(a_job(audio=Audio.from_id("77")), contract=ONE_STEP) == {"sound-id": FAIL}
    assert findings(a_job(audio=a_text()), sound=SoundFacts(), contract=ONE_STEP) == {}


def test_a_message_says_what_was_found_and_what_is_allowed() -> None:
    """The numbers found and allowed stand in the message, and what to change."""
    message = message_of("video-duration", a_job(), video=evolve(GOOD_VIDEO, duration_ms=61_000))
    assert message == "the video lasts 61000 ms: Kling takes 2000 to 60000 ms; cut it"
