"""Broken, mutated and made-up files: an answer or UnreadableMedia, within bounds, and nothing else."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_lipsync._media import MediaInfo, UnreadableMedia, probe_bytes

from .driving import drive, reading
from .making import Film, Sound, film_bytes, sound_bytes

AAC = Sound(codec="aac", rate=8_000, samples=4_000)


@cache
def real_files() -> tuple[bytes, ...]:
    """Small files of every kind that is read."""
    flags = ("faststart", "empty_moov+frag_keyframe", "dash+global_sidx+frag_keyframe+delay_moov")
    films = [film_bytes(Film(frames=10, muxer="mp4", options={"movflags": flag}, sound=AAC)) for flag in flags]
    films.append(film_bytes(Film(frames=10, muxer="mov", sound=AAC)))
    sounds = [
        sound_bytes(Sound(codec=codec, rate=8_000, samples=4_000, muxer=muxer, options=options))
        for codec, muxer, options in (
            ("libmp3lame", "mp3", {}),
            ("libmp3lame", "mp3", {"write_xing": "0"}),
            ("aac", "adts", {}),
            ("aac", "ipod", {}),
            ("pcm_s16le", "wav", {}),
            ("pcm_s16le", "wav", {"rf64": "always"}),
            ("adpcm_ms", "wav", {}),
        )
    ]
    return tuple(films + sounds)


def tried(data: bytes, size: int | None) -> MediaInfo | None:
    """What is found out, None where it is refused; every other exception passes through and fails the test."""
    try:
        info, asked = drive(reading(data), size)
    except UnreadableMedia:
        return None
    assert info.duration_ms is None or info.duration_ms >= 0
    assert len(asked) <= 2 + len(data) // 1000
    return info


@settings(deadline=None)
@given(data=st.binary(max_size=3_000), prefix=st.sampled_from((b"", b"RIFF\xff\xff\xff\xffWAVE", b"ID3\4\0\0\0\0\0\0")))
def test_random_bytes(data: bytes, prefix: bytes) -> None:
    """Bytes at random, alone or behind a beginning that promises something."""
    tried(prefix + data, len(prefix + data))


BOX_NAMES = [b"ftyp", b"moov", b"mvhd", b"trak", b"mdia", b"mdhd", b"hdlr", b"moof", b"traf", b"trun", b"sidx", b"free"]


@st.composite
def boxes(draw: st.DrawFn, depth: int = 4) -> bytes:
    """Boxes within boxes, some of which lie about their length."""
    name = draw(st.sampled_from(BOX_NAMES))
    within = boxes(depth - 1) if depth else st.binary(max_size=40)
    body = b"".join(draw(st.lists(st.one_of(within, st.binary(max_size=40)), max_size=3)))
    length = draw(st.one_of(st.just(len(body) + 8), st.integers(0, 2**32 - 1)))
    return length.to_bytes(4, "big") + name + body


@settings(deadline=None)
@given(parts=st.lists(boxes(), max_size=4), size_known=st.booleans())
def test_random_boxes(parts: list[bytes], size_known: bool) -> None:
    """A tree of boxes that makes no sense."""
    data = b"\0\0\0\x10ftypisom\0\0\0\0" + b"".join(parts)
    tried(data, len(data) if size_known else None)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_mutated_files(data: st.DataObject) -> None:
    """Real files in which some bytes are others, preferably in their headers."""
    original = data.draw(st.sampled_from(real_files()))
    mutated = bytearray(original)
    reach = data.draw(st.sampled_from((64, 1_500, len(original))))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, min(reach, len(original)) - 1))
        new = data.draw(st.one_of(st.binary(min_size=1, max_size=4), st.sampled_from((b"\0" * 4, b"\xff" * 4))))
        mutated[at : at + len(new)] = new
    tried(bytes(mutated), data.draw(st.sampled_from((len(mutated), None))))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_truncated_files(data: st.DataObject) -> None:
    """Real files that end early are refused, or are as long as what is left of them: never longer than the whole."""
    original = data.draw(st.sampled_from(real_files()))
    cut = original[: data.draw(st.integers(0, len(original) - 1))]
    whole, part = probe_bytes(original), tried(cut, data.draw(st.sampled_from((len(cut), None))))
    if part is not None and part.duration_ms is not None:
        assert whole.duration_ms is not None
        assert part.duration_ms <= whole.duration_ms + 1000 * 529 // 8000


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_spliced_files(data: st.DataObject) -> None:
    """The head of one real file and the tail of another."""
    head, tail = (data.draw(st.sampled_from(real_files())) for _ in range(2))
    spliced = head[: data.draw(st.integers(0, len(head)))] + tail[data.draw(st.integers(0, len(tail))) :]
    tried(spliced, len(spliced))


def box(name: bytes, body: bytes) -> bytes:
    """A box as it should be."""
    return (len(body) + 8).to_bytes(4, "big") + name + body


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (box(b"ftyp", b"isom") + box(b"moov", box(b"free", b"") * 10_001), "more than 10000 others"),
        (box(b"ftyp", b"isom") + box(b"free", b"") * 100_001, "more than 100000 boxes"),
        (box(b"ftyp", b"isom") + b"\0\0\0\0moov" + bytes(17 << 20), "longer than 16 MB"),
        (box(b"ftyp", b"isom") + b"\0\0\0\x07moov", "claims 7 bytes"),
        (b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 1_001, "without sound"),
        (b"ID3\4\0\0\0\0\0\0" * 1_000, "no media file of a known kind"),
    ],
    ids=["children", "boxes", "endless-index", "short-box", "chunks", "tags"],
)
def test_bounds(data: bytes, message: str) -> None:
    """Whatever repeats without end is given up on."""
    with pytest.raises(UnreadableMedia, match=message):
        drive(reading(data), None)


def test_an_index_of_a_gigabyte_is_not_read() -> None:
    """What a box claims is looked at before it is read."""
    start = box(b"ftyp", b"isom") + (2**30).to_bytes(4, "big") + b"moov"
    with pytest.raises(UnreadableMedia, match="moov box claims 1073741816 bytes"):
        drive(lambda at, length: start[at : at + length].ljust(length, b"\0"), 2**31)
