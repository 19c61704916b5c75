"""One job given as options: its key is made of its inputs, so that the same line means the same job."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import urlsplit

from attrs import evolve, fields, frozen
from cyclopts import Group, Parameter

from .._workflow.settings_of import settings_of
from ..errors import ConfigurationError
from ..gateways import Gateway
from ..models import Audio, Job, Speech, Status, Video
from ._earlier import kept
from ._options import Whole

_OPEN = (Status.NOT_STARTED, Status.RUNNING, Status.IN_DOUBT)
_ONE_OF_SOUND = "--audio, --audio-id or --text"


@Parameter(name="*", group=Group("One job, instead of a manifest", sort_key=3))
@frozen(kw_only=True)
class Single:
    """One job."""

    video: str | None = None
    """The video's URL."""

    video_id: str | None = None
    """The id of a video that Kling made."""

    audio: str | None = None
    """The sound: a file or a URL."""

    audio_id: str | None = None
    """The id of a sound that Kling spoke."""

    text: str | None = None
    """A text for Kling to speak; needs --voice-id."""

    voice_id: str | None = None
    """The voice for --text; see: kling-lipsync voices."""

    voice_language: str = "zh"
    """The voice's language: zh (default) or en."""

    voice_speed: float = 1.0
    """0.8 to 2.0; default: 1."""

    face: str = "longest"
    """longest (default), only, most-overlap, index:N, at:MS or id:X."""

    sound_start_ms: Whole | None = None
    """Where the used part of the sound begins."""

    sound_end_ms: Whole | None = None
    """Where the used part of the sound ends."""

    sound_insert_ms: Whole | None = None
    """Where in the video the sound begins; default: it is planned."""

    sound_volume: float = 1.0
    """0 to 2; default: 1."""

    original_audio_volume: float = 1.0
    """0 to 2; default: 1."""

    watermark: bool = False
    """Ask for a watermarked version as well."""

    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None
    """The result's file; default: the video's name and the job's digest, in this folder."""

    again: bool = False
    """Pay for the same job once more."""

    @property
    def given(self) -> list[str]:
        """The options that were given, by name."""
        defaults = {option.name: option.default for option in fields(Single)}
        return [f"--{name.replace('_', '-')}" for name, default in defaults.items() if getattr(self, name) != default]

    def job(self, gateway: Gateway) -> Job:
        """The job that the options say. Raises ConfigurationError for too few or too many of them."""
        if (self.video is None) == (self.video_id is None):
            raise ConfigurationError("one job needs one of --video or --video-id")
        job = Job(
            key="?",
            video=Video(url=self.video, id=self.video_id),
            audio=self._sound(),
            face=self.face,
            sound_start_ms=self.sound_start_ms,
            sound_end_ms=self.sound_end_ms,
            sound_insert_ms=self.sound_insert_ms,
            sound_volume=self.sound_volume,
            original_audio_volume=self.original_audio_volume,
            watermark=self.watermark,
        )
        return _keyed(job, gateway, self.output)

    def _sound(self) -> Audio | Speech:
        sources = [source for source in (self.audio, self.audio_id, self.text) if source is not None]
        if len(sources) != 1:
            raise ConfigurationError(f"one job needs one of {_ONE_OF_SOUND}")
        if self.text is not None:
            return self._speech(self.text)
        if self.audio_id is not None:
            return Audio.from_id(self.audio_id)
        is_url = re.match(r"[a-z][a-z0-9+.-]+://", sources[0], re.IGNORECASE)
        return Audio.from_url(sources[0]) if is_url else Audio.from_file(sources[0])

    def _speech(self, text: str) -> Speech:
        if self.voice_id is None:
            raise ConfigurationError("--text needs a --voice-id (see: kling-lipsync voices)")
        return Speech(text, self.voice_id, language=self.voice_language, speed=self.voice_speed)


def _keyed(job: Job, gateway: Gateway, output: Path | None) -> Job:
    inputs = [gateway.name, gateway.base_url, settings_of(job), _content(job)]
    digest = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()
    source = job.video.id or PurePosixPath(urlsplit(job.video.url or "").path).stem
    name = re.sub(r"[^\w.-]+", "-", source)[:80] or "video"
    return evolve(job, key=f"run-{digest[:16]}", output=str(output or f"{name}-{digest[:8]}.mp4"))


def _content(job: Job) -> str | None:
    """A digest of what a local sound holds: the same name with another content is another job."""
    path = job.audio.path if isinstance(job.audio, Audio) else None
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(f"--audio {path}: {error.strerror}") from error


async def next_key(key: str, journal: Path, *, again: bool) -> str:
    """The key to run the job under.

    ``again`` gives a new one behind those that ended; one that has not ended is gone on with. Raises JournalError.
    """
    view = await kept(journal) if again else None
    if view is None:
        return key
    number, candidate = 1, key
    while (row := await view.row(candidate)) is not None and row.status not in _OPEN:
        number += 1
        candidate = f"{key}-{number}"
    return candidate


def state_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The folder where the user's single jobs are journalled; made if missing, for the user alone.

    Raises ConfigurationError where there can be none.
    """
    try:
        folder = _state_base(environ, platform) / "kling-lipsync"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError) as error:
        raise ConfigurationError(f"no folder to keep the journal in: {error}; give --journal FILE") from error
    return folder


def _state_base(environ: Mapping[str, str], platform: str) -> Path:
    given = environ.get("XDG_STATE_HOME", "")
    if Path(given).is_absolute():
        return Path(given)
    if platform == "win32" and environ.get("LOCALAPPDATA"):
        return Path(environ["LOCALAPPDATA"])
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path.home() / ".local" / "state"
