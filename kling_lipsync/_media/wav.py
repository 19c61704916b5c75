"""WAVE files: RIFF, and RF64 or BW64 for what is longer than 4 GB (EBU Tech 3306)."""

from __future__ import annotations

from attrs import define, frozen

from .codecs import wave_codec
from .info import MediaInfo, Steps, UnreadableMedia
from .reader import Reader

FIRST_CHUNK = 12
MOST_CHUNKS = 1_000
EXTENSIBLE = 0xFFFE
COUNTED_IN_BLOCKS = {1, 3, 6, 7}
"""PCM, floating point, A-law and mu-law: so many bytes are so many samples."""
UNKNOWN_SAMPLES = 0xFFFF_FFFF
IN_DS64 = 0xFFFF_FFFF
PLACEHOLDER = 0x7FFF_0000
"""A writer that cannot go back to fill in the length of the sound leaves 0, or a number from here on."""
SLACK = 64
"""Bytes that the sound may be announced too long: some writers count the headers."""


@frozen(kw_only=True)
class Format:
    """The chunk `fmt `: how bytes become samples."""

    tag: int
    rate: int
    bytes_per_second: int
    block: int
    bits: int


@define
class Chunks:
    """What the chunks before the sound have told."""

    layout: Format | None = None
    samples: int = 0
    """From the chunk `fact`."""
    long_length: int | None = None
    """The length of the sound from `ds64`."""


def read_wav(reader: Reader) -> Steps[MediaInfo]:
    """Reads the chunks as far as the sound; UnreadableMedia where it is missing, cut short, or has no format."""
    found = Chunks()
    position = FIRST_CHUNK
    for _ in range(MOST_CHUNKS):
        header = yield from reader.exactly(position, 8, "a chunk's header")
        kind, length = header[:4], _number(header, 4, 4)
        body = position + 8
        if kind == b"data":
            return _info(reader, found, (yield from _sound_length(reader, found, body, length)))
        if kind in (b"fmt ", b"fact", b"ds64"):
            _take_in(found, kind, (yield from reader.exactly(body, min(length, 40), "a chunk")))
        position = body + length + length % 2
    raise UnreadableMedia("broken: a WAVE file without sound")


def _take_in(found: Chunks, kind: bytes, body: bytes) -> None:
    if kind == b"fmt ":
        found.layout = _parse_format(body)
    elif kind == b"fact":
        found.samples = _number(body, 0, 4)
    else:
        found.long_length = _number(body, 8, 8)


def _parse_format(body: bytes) -> Format:
    if len(body) < 16:
        raise UnreadableMedia("broken: its fmt chunk is too short")
    tag = _number(body, 0, 2)
    layout = Format(
        tag=_number(body, 24, 2) if tag == EXTENSIBLE else tag,
        rate=_number(body, 4, 4),
        bytes_per_second=_number(body, 8, 4),
        block=_number(body, 12, 2),
        bits=_number(body, 14, 2),
    )
    if layout.rate == 0 or (layout.tag in COUNTED_IN_BLOCKS and layout.block == 0):
        raise UnreadableMedia("broken: its fmt chunk says 0 samples a second, or 0 bytes a sample")
    return layout


def _sound_length(reader: Reader, found: Chunks, body: int, length: int) -> Steps[int]:
    """How many bytes of sound there are: as many as are announced, or all up to the end of a file that was streamed."""
    if length == IN_DS64 and found.long_length:
        length = found.long_length
    streamed = length == 0 or length >= PLACEHOLDER
    size = (yield from reader.end()) if streamed else reader.size
    if size is None:
        return length
    there = max(size - body, 0)
    if 0 < length <= there:
        return length
    if not streamed and length - there > SLACK:
        raise UnreadableMedia(f"truncated: {length} bytes of sound are announced, {there} are there")
    return there


def _info(reader: Reader, found: Chunks, length: int) -> MediaInfo:
    layout = found.layout
    if layout is None:
        raise UnreadableMedia("broken: a WAVE file without a fmt chunk")
    return MediaInfo(
        container="wav",
        duration_ms=_duration_ms(layout, found.samples, length),
        size=reader.size,
        has_audio=True,
        audio_codec=wave_codec(layout.tag, layout.bits),
    )


def _duration_ms(layout: Format, samples: int, length: int) -> int | None:
    """A compressed format tells its samples in `fact`, else its bytes per second; None where it tells neither."""
    if layout.tag in COUNTED_IN_BLOCKS:
        return length // layout.block * 1000 // layout.rate
    if samples not in (0, UNKNOWN_SAMPLES):
        return samples * 1000 // layout.rate
    return length * 1000 // layout.bytes_per_second if layout.bytes_per_second else None


def _number(data: bytes, at: int, width: int) -> int:
    return int.from_bytes(data[at : at + width], "little")
