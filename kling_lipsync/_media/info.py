"""What a prober asks for and what it finds out."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from attrs import frozen

_T = TypeVar("_T")


@frozen
class ByteRange:
    """The bytes that a prober wants next: `length` of them from offset `start` on."""

    start: int
    length: int


Steps = Generator[ByteRange, bytes, _T]
"""A prober at work: it yields ranges, is sent their bytes, and returns what it found. Fewer bytes than it asked for
mean that the file ends there."""


@frozen(kw_only=True)
class MediaInfo:
    """What a media file says about itself.

    `container` is one of `mp4 mov m4a wav mp3 aac`. `duration_ms` is the length as a player plays it, rounded down to
    whole milliseconds, None where nothing tells it. `width` and `height` are pixels as shown, so after a rotation.
    `size` is the length of the file in bytes, None where nobody said it and its end was not met. Codecs bear FFmpeg's
    names (`h264`, `aac`), or the container's own four letters where FFmpeg's name is not known here.
    """

    container: str
    duration_ms: int | None
    size: int | None
    has_video: bool = False
    has_audio: bool = False
    width: int | None = None
    height: int | None = None
    video_codec: str | None = None
    audio_codec: str | None = None


class UnreadableMedia(Exception):
    """These bytes are no media file that can be read here; the message says what they are: `a WebM file`."""
