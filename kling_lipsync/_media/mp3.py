"""MP3 (ISO 11172-3 and 13818-3, layer III): an Xing tag tells the length, else the frames are counted."""

from __future__ import annotations

from functools import lru_cache

from attrs import frozen

from .frames import Frame, Sync, count_samples
from .info import MediaInfo, Steps
from .reader import Reader

MP3 = "mp3"
MPEG_1 = 3
RATES = {MPEG_1: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""By the header's two bits for the version: 0 is the unofficial MPEG 2.5."""
KILOBITS = {
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of index 1 to 14, by whether the version is MPEG 1. Index 0, the free format, is what nobody writes."""
LAYER_III = 0x02
MONO = 3
SIDE_INFO = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}
"""Bytes between the first frame's header and its tag, by MPEG 1 and mono."""
VBRI_OFFSET = 36
TAG_SLACK = 1024
"""A file that is longer by no more bytes than this than its tag says has but an ID3v1 tag at its end."""
DECODER_DELAY = 529
"""Samples by which a decoder lags behind; the padding counts them, but a file that was cut short has lost it."""
HAS_FRAMES, HAS_BYTES, HAS_TABLE, HAS_QUALITY = 1, 2, 4, 8


@frozen(kw_only=True)
class VbrTag:
    """What the first frame, which holds no sound, says of all that follow; 0 stands for what it does not say.

    `skipped` are the samples at both ends that the encoder added and a decoder takes away, as (delay, padding).
    """

    frames: int
    length: int
    skipped: tuple[int, int]


def parse_mp3(data: bytes) -> Frame | None:
    """Reads a layer III header; None where the bytes are none."""
    return _parse(data[:4])


@lru_cache(maxsize=4096)
def _parse(data: bytes) -> Frame | None:
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE0 | LAYER_III:
        return None
    version, rate_index, kilobit_index = data[1] >> 3 & 3, data[2] >> 2 & 3, data[2] >> 4
    if version == 1 or rate_index == 3 or not 1 <= kilobit_index <= 14:
        return None
    rate = RATES[version][rate_index]
    samples = 1152 if version == MPEG_1 else 576
    bits = KILOBITS[version == MPEG_1][kilobit_index - 1] * 1000
    length = samples // 8 * bits // rate + (data[2] >> 1 & 1)
    return Frame(length, samples, rate, (MP3, version, rate_index))


def read_mp3(reader: Reader, first: Sync) -> Steps[MediaInfo]:
    """Believes a tag that agrees with the size of the file, else counts the frames."""
    tag = parse_tag((yield from reader.read(first.position, first.frame.length)))
    if tag is None:
        _, samples = yield from count_samples(reader, first, parse_mp3)
    else:
        samples = yield from _tagged_samples(reader, first, tag)
    return MediaInfo(
        container="mp3",
        duration_ms=samples * 1000 // first.frame.rate,
        size=reader.size,
        has_audio=True,
        audio_codec="mp3",
    )


def _tagged_samples(reader: Reader, first: Sync, tag: VbrTag) -> Steps[int]:
    if (yield from _agrees(reader, first, tag)):
        return max(tag.frames * first.frame.samples - sum(tag.skipped), 0)
    after = Sync(first.position + first.frame.length, first.frame)
    frames, samples = yield from count_samples(reader, after, parse_mp3)
    delay, padding = tag.skipped
    if frames != tag.frames:
        padding = DECODER_DELAY if delay else 0
    return max(samples - delay - padding, 0)


def _agrees(reader: Reader, first: Sync, tag: VbrTag) -> Steps[bool]:
    """Whether the file ends where the tag says, give or take a small tag: neither cut short nor put together."""
    if tag.frames == 0 or tag.length == 0:
        return False
    end = first.position + tag.length
    if reader.size is None:
        yield from reader.read(end - 1, 1)
    return reader.size is not None and 0 <= reader.size - end <= TAG_SLACK


def parse_tag(frame: bytes) -> VbrTag | None:
    """The tag that a first frame may hold: Xing's, which LAME calls Info at a constant rate, or Fraunhofer's VBRI."""
    if frame[VBRI_OFFSET : VBRI_OFFSET + 4] == b"VBRI" and len(frame) >= VBRI_OFFSET + 18:
        length, frames = _number(frame, VBRI_OFFSET + 10), _number(frame, VBRI_OFFSET + 14)
        return VbrTag(frames=frames, length=length, skipped=(0, 0))
    start = 4 + SIDE_INFO[frame[1] >> 3 & 3 == MPEG_1, frame[3] >> 6 == MONO]
    if frame[start : start + 4] not in (b"Xing", b"Info"):
        return None
    return _parse_xing(frame, start)


def _parse_xing(frame: bytes, start: int) -> VbrTag:
    flags = _number(frame, start + 4)
    at = start + 8
    frames = _number(frame, at) if flags & HAS_FRAMES else 0
    at += 4 if flags & HAS_FRAMES else 0
    length = _number(frame, at) if flags & HAS_BYTES else 0
    at += 4 if flags & HAS_BYTES else 0
    at += 100 if flags & HAS_TABLE else 0
    at += 4 if flags & HAS_QUALITY else 0
    return VbrTag(frames=frames, length=length, skipped=_skipped(frame[at : at + 24]))


def _skipped(lame: bytes) -> tuple[int, int]:
    """Delay and padding out of LAME's part of the tag: two numbers of 12 bits, 21 bytes after the encoder's name."""
    if len(lame) < 24 or not lame[:4].isalnum():
        return 0, 0
    both = int.from_bytes(lame[21:24], "big")
    return both >> 12, both & 0xFFF


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")
