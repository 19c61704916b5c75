"""What a task is bought with."""

from __future__ import annotations

from attrs import frozen

from ..models import Plan, Speech, Video
from .bodies import SoundData


@frozen
class AudioId:
    """A sound that Kling spoke, by its id."""

    id: str


@frozen
class SoundUrl:
    """A sound that Kling fetches."""

    url: str


Sound = AudioId | SoundUrl | SoundData


@frozen(kw_only=True)
class Order:
    """A task of the two-step contract: Kling's documentation of advanced-lip-sync. Volumes are 0 to 2."""

    session_id: str
    face_id: str
    sound: Sound
    plan: Plan
    sound_volume: float = 1.0
    original_audio_volume: float = 1.0
    watermark: bool = False
    external_task_id: str | None = None
    callback_url: str | None = None


@frozen(kw_only=True)
class OneStepOrder:
    """A task of the one-step contract: a video of 2 to 10 s with a sound, or with a text of at most 120 characters
    that Kling speaks (mode audio2video or text2video).
    """

    video: Video
    sound: SoundUrl | SoundData | Speech
    callback_url: str | None = None
