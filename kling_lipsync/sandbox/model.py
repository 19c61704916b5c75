"""The things that live in the sandbox: facts of media, sessions, orders and tasks. No clock, no I/O."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from pathlib import Path

from attrs import frozen

Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""


class TaskStatus(Enum):
    """Where a task is, in Kling's words."""

    SUBMITTED = "submitted"
    PROCESSING = "processing"
    SUCCEED = "succeed"
    FAILED = "failed"


class Family(Enum):
    """The two products that make tasks; a task is found only under its own path."""

    ADVANCED = "advanced-lip-sync"
    ONE_STEP = "lip-sync"


@frozen(kw_only=True)
class VideoFacts:
    """What was measured of a video file; ``key`` stands for its content."""

    key: str
    format: str
    size_bytes: int
    duration_ms: int
    width: int
    height: int
    has_sound: bool


@frozen(kw_only=True)
class SoundFacts:
    """What was measured of a sound file: ``format`` is one of mp3, wav, m4a, aac; ``key`` stands for its content."""

    key: str
    format: str
    size_bytes: int
    duration_ms: int


@frozen(kw_only=True)
class Stretch:
    """One person, seen without a gap of more than a second: ``[start_ms, end_ms)`` and where in the frame."""

    start_ms: int
    end_ms: int
    box: Box


@frozen(kw_only=True)
class Video:
    """A video that jobs may use: its file, what was measured of it and how the caller named it."""

    path: Path
    facts: VideoFacts
    url: str
    video_id: str = ""


@frozen(kw_only=True)
class Face:
    """A stretch as a session names it; ``image`` is the name of its picture among the results."""

    face_id: str
    stretch: Stretch
    image: str


@frozen(kw_only=True)
class Session:
    """What identify-face found in one video for one account."""

    session_id: str
    video: Video
    faces: tuple[Face, ...]
    created_at: float


@frozen(kw_only=True)
class Sound:
    """A sound that a task uses: its file and what was measured of it."""

    path: Path
    facts: SoundFacts


@frozen(kw_only=True)
class Mix:
    """Where a sound goes and how loud: the crop on the sound's clock, the insertion on the video's."""

    start_ms: int
    end_ms: int
    insert_ms: int
    sound_volume: float = 1.0
    original_volume: float = 1.0

    @property
    def length_ms(self) -> int:
        """How long the crop is."""
        return self.end_ms - self.start_ms


@frozen(kw_only=True)
class Order:
    """A create that has passed every check: all that is needed to run and render it."""

    family: Family
    video: Video
    sound: Sound
    mix: Mix
    session_id: str = ""
    face_id: str = ""
    watermark: bool = False
    external_task_id: str = ""
    callback_url: str = ""
    fate: str | None = None
    """A message: the task will fail with it."""
    origin: str = ""
    """Scheme and host under which the caller reached the sandbox."""


@frozen(kw_only=True)
class Task:
    """A bought task. Its status is a function of the clock; ``ends_at`` is infinite for one that is stuck."""

    task_id: str
    result_id: str
    order: Order
    created_at: float
    starts_at: float
    ends_at: float
    price: Decimal

    def status(self, now: float) -> TaskStatus:
        """Where the task is at ``now``."""
        if now < self.starts_at:
            return TaskStatus.SUBMITTED
        if now < self.ends_at:
            return TaskStatus.PROCESSING
        return TaskStatus.FAILED if self.order.fate is not None else TaskStatus.SUCCEED

    def changed_at(self, now: float) -> float:
        """When the task took the status that it has at ``now``."""
        return max(moment for moment in (self.created_at, self.starts_at, self.ends_at) if moment <= now)

    def units(self, now: float) -> Decimal:
        """What the task has cost by ``now``: nothing until it succeeds."""
        return self.price if self.status(now) is TaskStatus.SUCCEED else Decimal(0)


@frozen(kw_only=True)
class SpokenAudio:
    """A sound that speech made."""

    audio_id: str
    task_id: str
    name: str
    duration_ms: int
    units: Decimal
    created_at: float
