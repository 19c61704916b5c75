"""What a media file is and how long it lasts, read with PyAV; and whether Kling would take it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from kling_lipsync.sandbox.model import SoundFacts, VideoFacts
from kling_lipsync.sandbox.naming import content_key
from kling_lipsync.sandbox.refusals import wrong

MIB = 1024 * 1024
VIDEO_BYTES = 100 * MIB
SOUND_BYTES = 5 * MIB
MEDIA_MS = (2_000, 60_000)
ONE_STEP_MS = (2_000, 10_000)
SIDE_PIXELS = (512, 2160)
SHORT_SIDE_PIXELS = (720, 1080)
"""Limits from Kling's documentation of identify-face and advanced-lip-sync; sizes in bytes, durations in ms."""

VIDEO_CONTAINERS = frozenset({"mov", "mp4"})
SOUND_CONTAINERS = {"mp3": "mp3", "wav": "wav", "aac": "aac", "m4a": "m4a"}


def read_video(path: Path) -> VideoFacts:
    """The facts of a video file.

    Raises:
        Refused: 1201, where the file cannot be read or holds no picture.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise wrong("video: the file holds no picture")
            stream = container.streams.video[0]
            return VideoFacts(
                key=content_key(path),
                format=container.format.name,
                size_bytes=path.stat().st_size,
                duration_ms=_header_duration_ms(container),
                width=stream.width,
                height=stream.height,
                has_sound=bool(container.streams.audio),
            )
    except av.error.FFmpegError as error:
        raise wrong("video: the file cannot be read, its format must be .mp4 or .mov") from error


def check_video(facts: VideoFacts, durations_ms: tuple[int, int] = MEDIA_MS) -> None:
    """Nothing, where Kling takes such a video.

    Raises:
        Refused: 1201 with the rule that is broken.
    """
    short, long = sorted((facts.width, facts.height))
    low, high = durations_ms
    if not VIDEO_CONTAINERS & set(facts.format.split(",")):
        raise wrong(f"video: format must be .mp4 or .mov, not {facts.format}")
    if facts.size_bytes > VIDEO_BYTES:
        raise wrong("video: file size must not be more than 100MB")
    if not low <= facts.duration_ms <= high:
        raise wrong(f"video: duration must be {low // 1000}s to {high // 1000}s, not {facts.duration_ms} ms")
    if short < SIDE_PIXELS[0] or long > SIDE_PIXELS[1]:
        raise wrong(f"video: width and height must be 512px to 2160px, not {facts.width}x{facts.height}")
    if short not in SHORT_SIDE_PIXELS:
        raise wrong(f"video: resolution must be 720p or 1080p, not {facts.width}x{facts.height}")


def read_sound(path: Path) -> SoundFacts:
    """The facts of a sound file; its duration is the sum of its packets, not what its header says.

    Raises:
        Refused: 1201 "Audio format is invalid", where it is not one of mp3, wav, m4a and aac.
    """
    try:
        with av.open(str(path)) as container:
            name = _sound_format(container)
            duration_ms = _packets_ms(container, container.streams.audio[0])
    except (av.error.FFmpegError, IndexError) as error:
        raise wrong("Audio format is invalid") from error
    return SoundFacts(key=content_key(path), format=name, size_bytes=path.stat().st_size, duration_ms=duration_ms)


def check_sound(facts: SoundFacts, refused_formats: frozenset[str] = frozenset()) -> None:
    """Nothing, where Kling takes such a sound.

    Raises:
        Refused: 1201 with the rule that is broken.
    """
    low, high = MEDIA_MS
    if facts.format in refused_formats:
        raise wrong("Audio format is invalid")
    if not low <= facts.duration_ms <= high:
        raise wrong(f"audio duration must be 2s to 60s, not {facts.duration_ms} ms")


def _sound_format(container: InputContainer) -> str:
    names = container.format.name.split(",")
    if "m4a" in names and not container.streams.video:
        return "m4a"
    if len(names) == 1 and names[0] in SOUND_CONTAINERS:
        return SOUND_CONTAINERS[names[0]]
    raise wrong("Audio format is invalid")


def _packets_ms(container: InputContainer, stream: AudioStream) -> int:
    total = sum(
        (packet.duration * packet.time_base for packet in container.demux(stream) if packet.duration),
        Fraction(0),
    )
    return round(total * 1000)


def _header_duration_ms(container: InputContainer) -> int:
    return round((container.duration or 0) * 1000 / av.time_base)
