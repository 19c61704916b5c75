"""Streams of frames, each with its own header, as in MP3 and ADTS: finding them, and counting what they hold."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from .info import Steps, UnreadableMedia
from .reader import Reader

HEADER = 7
"""Bytes of a frame that tell all about it."""
LONGEST = 8191
"""Bytes of the longest frame: ADTS has 13 bits for it."""
CONFIRMED_BY = 2
"""How many frames have to follow one that stands alone in unknown bytes."""
TRAILERS = (b"TAG", b"APETAGEX")
"""How tags begin that stand behind the last frame."""
CHUNK = 64 * 1024
MOST_FRAMES = 1_000_000
"""Frames that are counted, at most: six hours and more."""
JUNK_LIMIT = 256 * 1024
"""Bytes that may stand before the first frame."""


@frozen
class Frame:
    """One frame: its length in bytes, its samples per channel, and their rate in Hz.

    `stream` begins with the encoding and holds all that the frames of one stream have in common.
    """

    length: int
    samples: int
    rate: int
    stream: tuple[str | int, ...]


ParseFrame = Callable[[bytes], Frame | None]
"""Reads a frame's first HEADER bytes, or as many as there are; None where they are no such header."""


@frozen
class Sync:
    """Where a frame was found, and the frame."""

    position: int
    frame: Frame


def first_frame(reader: Reader, position: int, parse: ParseFrame) -> Steps[Sync | None]:
    """The first frame at or after the position; None where there is none within JUNK_LIMIT."""
    frame = yield from _confirmed(reader, position, parse)
    if frame is not None:
        return Sync(position, frame)
    for start in range(position, position + JUNK_LIMIT, CHUNK):
        found = yield from _search(reader, start, parse)
        if found is not None:
            return found
    return None


def count_samples(reader: Reader, first: Sync, parse: ParseFrame) -> Steps[tuple[int, int]]:
    """How many whole frames of the stream the file has from the first one on, and how many samples they hold.

    Every header is read. What does not belong to the stream (tags, junk) is passed over, a last frame cut short is not
    counted. UnreadableMedia where the file is too long for that.
    """
    position, samples = first.position, 0
    same = _same_stream(first.frame, parse)
    for frames in range(MOST_FRAMES):
        frame = same((yield from reader.read(position, HEADER)))
        if frame is None:
            found = yield from _resume(reader, position, same)
            if found is None:
                return frames, samples
            position, frame = found.position, found.frame
        position += frame.length
        if len((yield from reader.read(position - 1, 1))) == 0:
            return frames, samples
        samples += frame.samples
    raise UnreadableMedia(f"longer than {MOST_FRAMES} frames of sound")


def _same_stream(first: Frame, parse: ParseFrame) -> ParseFrame:
    def same(data: bytes) -> Frame | None:
        frame = parse(data)
        return frame if frame is not None and frame.stream == first.stream else None

    return same


def _resume(reader: Reader, position: int, parse: ParseFrame) -> Steps[Sync | None]:
    """The next frame after something else; None where the file ends before."""
    while len((yield from reader.read(position, HEADER))) == HEADER:
        found = yield from _search(reader, position, parse)
        if found is not None:
            return found
        position += CHUNK
    return None


def _search(reader: Reader, start: int, parse: ParseFrame) -> Steps[Sync | None]:
    """The first frame that begins within CHUNK bytes of the start. What may confirm it is read along, so that going
    on from the next byte costs no request.
    """
    data = yield from reader.read(start, CHUNK + CONFIRMED_BY * LONGEST + HEADER)
    at = data.find(b"\xff", 0, CHUNK)
    while at >= 0:
        if parse(data[at : at + HEADER]) is not None:
            frame = yield from _confirmed(reader, start + at, parse)
            if frame is not None:
                return Sync(start + at, frame)
        at = data.find(b"\xff", at + 1, CHUNK)
    return None


def _confirmed(reader: Reader, position: int, parse: ParseFrame) -> Steps[Frame | None]:
    """The frame at the position if as many follow it as have to, or as the file ends with."""
    first = parse((yield from reader.read(position, HEADER)))
    if first is None:
        return None
    same = _same_stream(first, parse)
    following = position + first.length
    for _ in range(CONFIRMED_BY):
        data = yield from reader.read(following - 1, 1 + HEADER)
        if len(data) == 1 or data.startswith(TRAILERS, 1):
            return first
        frame = same(data[1:])
        if frame is None:
            return None
        following += frame.length
    return first
