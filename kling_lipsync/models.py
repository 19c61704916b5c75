"""What a caller asks for and what Kling answers: plain frozen values, without I/O.

Milliseconds are ``_ms`` integers, seconds are floats, units of money are ``Decimal``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from attrs import field, frozen, validators


class Status(Enum):
    """How a job stands at the end of a run."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INVALID = "invalid"
    IN_DOUBT = "in_doubt"
    RUNNING = "running"
    NOT_STARTED = "not_started"

    def __str__(self) -> str:
        return self.value


class TaskStatus(Enum):
    """How a task stands at Kling, in Kling's words."""

    SUBMITTED = "submitted"
    PROCESSING = "processing"
    SUCCEED = "succeed"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether the task moves no more, and so holds no slot."""
        return self in (TaskStatus.SUCCEED, TaskStatus.FAILED)


class Verdict(Enum):
    """What a local check knows of a job; only ``FAIL`` refuses it."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"


@frozen
class Interval:
    """A stretch of time from ``start_ms`` to ``end_ms``, the end not included."""

    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        """Its length in ms, never negative."""
        return max(0, self.end_ms - self.start_ms)

    def overlap_ms(self, other: Interval) -> int:
        """How many ms it shares with ``other``."""
        return max(0, min(self.end_ms, other.end_ms) - max(self.start_ms, other.start_ms))


@frozen(kw_only=True)
class Video:
    """A video Kling can reach: a URL, or the id of a video that Kling made."""

    url: str | None = None
    id: str | None = None
    duration_ms: int | None = None

    def __attrs_post_init__(self) -> None:
        if (self.url is None) == (self.id is None):
            raise ValueError("a Video has a URL or an id, and not both")

    @classmethod
    def from_url(cls, url: str, duration_ms: int | None = None) -> Video:
        """A video to be fetched by Kling from ``url`` (.mp4 or .mov, 2-60 s, at most 100 MB).

        ``duration_ms`` spares the look at its header, where it is known already.
        """
        return cls(url=url, duration_ms=duration_ms)

    @classmethod
    def from_id(cls, video_id: str, duration_ms: int | None = None) -> Video:
        """A video that Kling made, at most 30 days ago and at most 60 s long."""
        return cls(id=video_id, duration_ms=duration_ms)


@frozen(kw_only=True)
class Audio:
    """A sound: a local file, bytes, a URL, or the id of a sound that Kling spoke."""

    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)
    url: str | None = None
    id: str | None = None
    duration_ms: int | None = None

    def __attrs_post_init__(self) -> None:
        if (self.path, self.data, self.url, self.id).count(None) != 3:
            raise ValueError("an Audio has exactly one of: a path, data, a URL, an id")

    @classmethod
    def from_file(cls, path: str | Path) -> Audio:
        """A local mp3, wav, m4a or aac file, at most 5 MB; read as it is sent."""
        return cls(path=Path(path))

    @classmethod
    def from_bytes(cls, data: bytes) -> Audio:
        """An mp3, wav, m4a or aac file held in memory; it is never written to the journal."""
        return cls(data=data)

    @classmethod
    def from_url(cls, url: str, duration_ms: int | None = None) -> Audio:
        """A sound to be fetched by Kling from ``url``."""
        return cls(url=url, duration_ms=duration_ms)

    @classmethod
    def from_id(cls, audio_id: str, duration_ms: int | None = None) -> Audio:
        """A sound that Kling spoke (see ``KlingClient.speak``), at most 30 days ago."""
        return cls(id=audio_id, duration_ms=duration_ms)


@frozen
class Speech:
    """A text to be spoken by Kling's text-to-speech, at most 1000 characters.

    ``voice_id`` and ``language`` ("zh" or "en") together name a voice: see ``kling-lipsync voices``.
    ``speed`` is 0.8 to 2.0.
    """

    text: str
    voice_id: str
    language: str = field(default="zh", kw_only=True)
    speed: float = field(default=1.0, kw_only=True)


def _strings(mapping: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in mapping.items()}


@frozen(kw_only=True)
class Job:
    """One lip-sync that the caller wants.

    ``key`` is the caller's own stable name for it: the journal knows the job by it, and the same key is never paid
    twice. ``face`` is a rule of ``kling_lipsync.faces`` ("longest", "only", "most-overlap", "index:N", "at:MS",
    "id:X"). The times are ms: ``sound_start_ms``/``sound_end_ms`` crop the sound, ``sound_insert_ms`` says where the
    crop begins in the video; what is left out is planned. Volumes are 0 to 2. ``output`` names the result file below
    the download folder. ``scene`` and ``meta`` are the caller's own and only passed through.
    """

    key: str = field(validator=validators.min_len(1))
    video: Video
    audio: Audio | Speech
    face: str = "longest"
    sound_start_ms: int | None = None
    sound_end_ms: int | None = None
    sound_insert_ms: int | None = None
    sound_volume: float = 1.0
    original_audio_volume: float = 1.0
    watermark: bool = False
    callback_url: str | None = None
    external_task_id: str | None = None
    output: str | None = None
    scene: str | None = None
    meta: Mapping[str, str] = field(factory=dict, converter=_strings)


@frozen(kw_only=True)
class Face:
    """One person's stretch of a video, as Kling saw it; the id belongs to its session."""

    face_id: str
    interval: Interval
    image_url: str | None = None


@frozen(kw_only=True)
class FaceSession:
    """What identify-face found: a session that several tasks on the same video may use, and its faces."""

    session_id: str
    faces: tuple[Face, ...]
    units: Decimal | None = None
    raw: Mapping[str, Any] = field(factory=dict, repr=False, eq=False)


@frozen(kw_only=True)
class Task:
    """A task at Kling: its state and, once it succeeded, where its video is.

    ``units`` is what Kling says it deducted, ``None`` where it does not say. Times are Unix ms on Kling's clock.
    ``raw`` is the answer as it came.
    """

    task_id: str
    status: TaskStatus
    message: str = ""
    external_task_id: str | None = None
    video_id: str | None = None
    video_url: str | None = None
    watermark_url: str | None = None
    video_duration_ms: int | None = None
    units: Decimal | None = None
    created_ms: int | None = None
    updated_ms: int | None = None
    raw: Mapping[str, Any] = field(factory=dict, repr=False, eq=False)


@frozen(kw_only=True)
class SpokenAudio:
    """A sound that Kling spoke: ``audio_id`` goes into a task if the sound lasts 2-60 s."""

    audio_id: str
    url: str | None = None
    duration_ms: int | None = None
    units: Decimal | None = None
    raw: Mapping[str, Any] = field(factory=dict, repr=False, eq=False)


@frozen(kw_only=True)
class ResourcePack:
    """One prepaid pack of an account; quantities are units, times are Unix ms; the rest lags 12 h."""

    name: str
    pack_id: str
    kind: str
    status: str
    total: Decimal
    remaining: Decimal
    starts_ms: int | None = None
    ends_ms: int | None = None
    raw: Mapping[str, Any] = field(factory=dict, repr=False, eq=False)


@frozen
class Plan:
    """Where the sound will go: [start, end) of the sound, from ``sound_insert_ms`` on in the video."""

    sound_start_ms: int
    sound_end_ms: int
    sound_insert_ms: int

    @property
    def crop(self) -> Interval:
        """The part of the sound that is used, on the sound's clock."""
        return Interval(self.sound_start_ms, self.sound_end_ms)

    @property
    def inserted(self) -> Interval:
        """The part of the video that gets the sound, on the video's clock."""
        return Interval(self.sound_insert_ms, self.sound_insert_ms + self.crop.duration_ms)


@frozen
class Problem:
    """One rule that a job breaks (``FAIL``), or that could not be checked (``UNKNOWN``).

    ``message`` says what is wrong and what to change; ``rule`` is a short stable name.
    """

    rule: str
    message: str
    verdict: Verdict = Verdict.FAIL


def worst_verdict(problems: Sequence[Problem]) -> Verdict:
    """``FAIL`` if any rule is broken, else ``UNKNOWN`` if any could not be checked, else ``PASS``."""
    verdicts = {problem.verdict for problem in problems}
    return next((v for v in (Verdict.FAIL, Verdict.UNKNOWN) if v in verdicts), Verdict.PASS)


@frozen(kw_only=True)
class CheckReport:
    """What ``check`` knows of a job.

    Durations are ms; ``worst_case_units`` is ``None`` where the gateway has no prices.
    """

    verdict: Verdict
    problems: tuple[Problem, ...]
    plan: Plan | None
    sound_duration_ms: int | None
    video_duration_ms: int | None
    worst_case_units: Decimal | None


@frozen(kw_only=True)
class Prices:
    """What a gateway charges, in units; ``lip_sync`` is for each started 5 s of video."""

    identify: Decimal = Decimal("0.05")
    speech: Decimal = Decimal("0.05")
    lip_sync: Decimal = Decimal("0.5")
