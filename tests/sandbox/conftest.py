from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kling_lipsync.sandbox import Sandbox

from .making import HandClock, make_sandbox, make_sound, make_video, tone


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a clip of one face over four seconds, sound files, and clips that are wrong."""
    directory = tmp_path_factory.mktemp("media")
    make_video(directory / "clip.mp4", sound=tone(4.0, 440.0))
    make_video(directory / "silent.mp4", rate=10)
    make_video(directory / "empty.mp4", faces=(), rate=2)
    make_sound(directory / "tone.wav", tone(3.0, 1000.0))
    make_sound(directory / "tone.mp3", tone(3.0, 1000.0), "libmp3lame")
    make_sound(directory / "tone.m4a", tone(3.0, 1000.0), "aac")
    make_sound(directory / "tone.aac", tone(3.0, 1000.0), "aac")
    make_sound(directory / "short.wav", tone(1.5, 1000.0))
    make_sound(directory / "tone.flac", tone(3.0, 1000.0), "flac")
    return directory


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands still until it is moved."""
    return HandClock()


@pytest.fixture
def sandbox(clock: HandClock, media: Path) -> Iterator[Sandbox]:
    """A sandbox in virtual time with everything else as it is by default."""
    with make_sandbox(clock, media) as made:
        yield made


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip that is longer than a one-step task takes."""
    return make_video(tmp_path_factory.mktemp("long") / "long.mp4", seconds=11.0, rate=2)
