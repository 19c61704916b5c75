"""What the rules judge: a job, what is known of its media, and the contract it is held to."""

from __future__ import annotations

from attrs import frozen

from ..models import Audio, Job, Speech
from .addresses import is_web
from .contract import Contract


@frozen(kw_only=True)
class VideoFacts:
    """What is known of the video: ``duration_ms`` in ms, sides in pixels as shown, ``size`` in bytes; ``None``: not
    known.
    """

    container: str | None = None
    duration_ms: int | None = None
    width: int | None = None
    height: int | None = None
    size: int | None = None


@frozen(kw_only=True)
class SoundFacts:
    """What is known of the sound: ``duration_ms`` in ms, ``size`` in bytes; ``None``: not known."""

    container: str | None = None
    duration_ms: int | None = None
    size: int | None = None


@frozen(kw_only=True)
class Case:
    """One job to be judged."""

    job: Job
    video: VideoFacts
    sound: SoundFacts
    contract: Contract
    fit: bool = False

    @property
    def audio(self) -> Audio | None:
        """The job's sound, ``None`` where it is a text to be spoken."""
        return self.job.audio if isinstance(self.job.audio, Audio) else None

    @property
    def is_spoken(self) -> bool:
        """Whether the sound is a text that has yet to be spoken."""
        return isinstance(self.job.audio, Speech)

    @property
    def sound_url(self) -> str | None:
        """The sound's URL, if it has one."""
        return self.audio.url if self.audio else None

    @property
    def sound_id(self) -> str | None:
        """The sound's id, if Kling spoke it before."""
        return self.audio.id if self.audio else None

    @property
    def video_ms(self) -> int | None:
        """How long the video is: what was measured, else what the job says."""
        measured = self.video.duration_ms
        return self.job.video.duration_ms if measured is None else measured

    @property
    def sound_ms(self) -> int | None:
        """How long the sound is: what was measured, else what the job says."""
        told = self.audio.duration_ms if self.audio else None
        return told if self.sound.duration_ms is None else self.sound.duration_ms

    @property
    def has_video_file(self) -> bool:
        """Whether the video is a file on the web, not one that Kling made."""
        return self.job.video.url is not None and is_web(self.job.video.url)

    @property
    def has_inline_sound(self) -> bool:
        """Whether the sound travels inside the request."""
        return self.audio is not None and (self.audio.path is not None or self.audio.data is not None)

    @property
    def has_sound_file(self) -> bool:
        """Whether the sound is a file, here or on the web, not one that Kling spoke."""
        return self.has_inline_sound or is_web(self.sound_url or "")
