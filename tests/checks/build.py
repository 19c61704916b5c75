"""Jobs and facts to be judged: a good one of each, and what to change about it."""

from __future__ import annotations

from typing import Any

from kling_lipsync._checks import TWO_STEP, Contract, SoundFacts, VideoFacts, find_problems
from kling_lipsync.models import Audio, Face, Interval, Job, Speech, Verdict, Video

GOOD_VIDEO = VideoFacts(container="mp4", duration_ms=8_000, width=1280, height=720, size=1_000_000)
GOOD_SOUND = SoundFacts(container="mp3", duration_ms=4_000, size=100_000)


def a_job(**changes: Any) -> Job:
    """A job that Kling takes, but for the changes."""
    settings: dict[str, Any] = {
        "key": "scene-1",
        "video": Video.from_url("https://media.example/clip.mp4"),
        "audio": Audio.from_file("line.mp3"),
    }
    return Job(**(settings | changes))


def a_text(text: str = "Hello there", voice_id: str = "oversea_male1", **changes: Any) -> Speech:
    """A text that Kling speaks, but for the changes."""
    return Speech(text, voice_id, **({"language": "en"} | changes))


def a_face(start_ms: int, end_ms: int, face_id: str = "0") -> Face:
    """A face seen in one stretch."""
    return Face(face_id=face_id, interval=Interval(start_ms, end_ms))


def findings(
    job: Job,
    *,
    video: VideoFacts = GOOD_VIDEO,
    sound: SoundFacts = GOOD_SOUND,
    contract: Contract = TWO_STEP,
    fit: bool = False,
) -> dict[str, Verdict]:
    """What the rules find, by the rules' names."""
    return {problem.rule: problem.verdict for problem in find_problems(job, video, sound, contract, fit=fit)}


def message_of(
    rule: str,
    job: Job,
    *,
    video: VideoFacts = GOOD_VIDEO,
    sound: SoundFacts = GOOD_SOUND,
    contract: Contract = TWO_STEP,
) -> str:
    """What one rule says."""
    return next(p.message for p in find_problems(job, video, sound, contract) if p.rule == rule)
