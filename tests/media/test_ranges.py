"""How little a prober asks for: each range is a request where the file is remote."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from attrs import evolve

from kling_lipsync._media import ByteRange, Steps, UnreadableMedia, probe, probe_bytes, probe_file
from kling_lipsync._media.reader import READ_LIMIT, Reader

from .driving import drive, reading
from .making import Film, Sound, film_bytes, presented_ms, sound_bytes

MEGABYTE = 1024 * 1024
AAC = Sound(codec="aac", rate=44_100, samples=44_100 * 20)


@cache
def long_film(flags: str) -> bytes:
    """A film of 20 s with sound, the index of which is some 10 KB long."""
    return film_bytes(Film(frames=500, sound=AAC, muxer="mp4", options={"movflags": flags} if flags else {}))


def swollen(data: bytes, size: int) -> tuple[Callable[[int, int], bytes], int]:
    """The film with so many more bytes of media, which are made as they are read; its size."""
    at = data.index(b"mdat") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    before, after = data[:at] + (length + size).to_bytes(4, "big") + data[at + 4 : at + length], data[at + length :]
    total = len(data) + size

    after_at = total - len(after)

    def read(start: int, count: int) -> bytes:
        end = min(start + count, total)
        zeros = bytes(max(min(end, after_at) - max(start, len(before)), 0))
        return before[start:end] + zeros + after[max(start - after_at, 0) : max(end - after_at, 0)]

    return read, total


@pytest.mark.parametrize("size_known", [True, False])
def test_index_at_the_end_of_80_mb(size_known: bool) -> None:
    """The head tells where the media end, and there the index is: two or three requests."""
    data = long_film("")
    read, total = swollen(data, 80 * MEGABYTE)
    info, asked = drive(read, total if size_known else None)
    assert (info.duration_ms, info.width, info.size) == (20_000, 64, total)
    assert len(asked) <= 3
    assert sum(len(read(wanted.start, wanted.length)) for wanted in asked) <= 77 * 1024


def test_index_at_the_beginning_of_80_mb() -> None:
    """A film made for streaming tells all at once."""
    read, total = swollen(long_film("faststart"), 80 * MEGABYTE)
    info, asked = drive(read, total)
    assert info.duration_ms == 20_000
    assert len(asked) <= 2
    assert sum(wanted.length for wanted in asked) <= 77 * 1024
    unknown, _ = drive(read, None)
    assert unknown.size is None, "nobody said it, and the end was not met"


def test_a_tagged_mp3_takes_one_look() -> None:
    """A tag that agrees with the size of the file spares reading its frames."""
    data = sound_bytes(Sound(codec="libmp3lame", rate=44_100, samples=44_100 * 20, muxer="mp3"))
    assert len(data) > 150_000
    info, asked = drive(reading(data), len(data))
    assert info.duration_ms == 20_000
    assert len(asked) == 1
    without_size, asked = drive(reading(data), None)
    assert (without_size.duration_ms, without_size.size) == (20_000, len(data))
    assert len(asked) == 2, "a look at the end makes sure that it is whole"


def test_an_untagged_mp3_is_read_in_growing_pieces() -> None:
    """Every frame has to be seen, but not in a request each, and no byte twice."""
    options = {"write_xing": "0"}
    data = sound_bytes(Sound(codec="libmp3lame", rate=44_100, samples=44_100 * 20, muxer="mp3", options=options))
    _, asked = drive(reading(data), len(data))
    assert len(asked) <= 5
    assert sum(wanted.length for wanted in asked) <= len(data)


def test_fragments_with_an_index_are_not_visited() -> None:
    """Where `sidx` covers the file, the fragments and what lies between them stay unread."""
    options = {"movflags": "dash+global_sidx+frag_keyframe+empty_moov"}
    data = film_bytes(Film(frames=500, sound=AAC, muxer="mp4", options=options, codec_options={"g": "25"}))
    assert data.count(b"moof") > 10
    info, asked = drive(reading(data), len(data))
    assert info.duration_ms == pytest.approx(presented_ms(data), abs=8)
    assert len(asked) <= 2


@cache
def short_sound(codec: str, muxer: str) -> bytes:
    """A file with a sound of two seconds."""
    return sound_bytes(Sound(codec=codec, rate=44_100, samples=100_000, muxer=muxer))


KINDS: dict[str, Callable[[], bytes]] = {
    "index-last": lambda: long_film(""),
    "index-first": lambda: long_film("faststart"),
    "fragments": lambda: long_film("frag_keyframe+empty_moov"),
    "mp3": lambda: short_sound("libmp3lame", "mp3"),
    "aac": lambda: short_sound("aac", "adts"),
    "m4a": lambda: short_sound("aac", "ipod"),
    "wav": lambda: short_sound("pcm_s16le", "wav"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_way_does_not_matter(kind: str, tmp_path: Path) -> None:
    """From memory, from disk, and from a source of unknown size come the same facts."""
    data, path = KINDS[kind](), tmp_path / "media"
    path.write_bytes(data)
    expected = probe_bytes(data)
    assert probe_file(path) == expected
    info, _ = drive(reading(data), None)
    assert evolve(info, size=None) == evolve(expected, size=None)
    assert info.size in (None, len(data))


def test_a_source_that_sends_too_much_is_cut() -> None:
    """A server that ignores ranges and sends all does no harm."""
    data = long_film("faststart")
    info, _ = drive(lambda start, _: data[start:], len(data))
    assert info == probe_bytes(data)


def test_a_source_shorter_than_announced() -> None:
    """A file that shrank is cut short, whatever it was said to be."""
    data = long_film("")
    with pytest.raises(UnreadableMedia, match=r"^truncated"):
        drive(reading(data[:-2000]), len(data))


def finish(steps: Steps[object], read: Callable[[ByteRange], bytes]) -> None:
    """Runs a reader's steps to their end."""
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(read(wanted))
    except StopIteration:
        return


def test_what_is_read_in_all_is_bounded() -> None:
    """A source that never ends is given up on."""
    with pytest.raises(UnreadableMedia, match="more than 128 MB"):
        finish(Reader(None).end(), lambda wanted: bytes(wanted.length))
    with pytest.raises(UnreadableMedia, match="more than 128 MB"):
        finish(Reader(None).read(0, READ_LIMIT + 1), lambda wanted: bytes(wanted.length))


def test_a_source_that_contradicts_itself_ends() -> None:
    """Bytes at an offset beyond an end that was met before do not make the search for the end endless."""
    reader = Reader(None)
    answers = {0: b"x" * 16_384, 100_000: b"x" * 16_384, 50_000: b""}
    for start in (0, 100_000, 50_000):
        finish(reader.read(start, 10), lambda wanted: answers.get(wanted.start, b""))
    finish(reader.end(), lambda wanted: answers.get(wanted.start, b""))
    assert reader.size == 50_000


def test_nothing_is_asked_of_an_empty_file() -> None:
    """A size of 0 says it all."""
    with pytest.raises(UnreadableMedia, match="an empty file"):
        next(probe(0))
    with pytest.raises(UnreadableMedia, match="an empty file"):
        probe_bytes(b"")
