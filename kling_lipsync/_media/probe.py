"""Finds out what a file is from its content, never from its name, and reads its length and size."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .adts import parse_adts, read_adts
from .frames import first_frame
from .id3 import skip_tags
from .info import ByteRange, MediaInfo, Steps, UnreadableMedia
from .movies import read_movie
from .mp3 import MP3, parse_mp3, read_mp3
from .reader import Reader
from .signatures import foreign, is_movie
from .wav import SIGNATURES, read_wav

HEAD = 512


def probe(size: int | None) -> Steps[MediaInfo]:
    """A prober for a file of so many bytes: yields the ranges it needs, is sent their bytes, returns what it found.

    Fewer bytes than asked for mean that the file ends there; with `size` None the prober learns it from that. Whoever
    drives it carries the ranges: to a file, to bytes in memory, or to a server. UnreadableMedia where the bytes are no
    file of a known kind.
    """
    reader = Reader(size)
    head = yield from reader.read(0, HEAD)
    if is_movie(head):
        return (yield from read_movie(reader))
    if head[:4] in SIGNATURES and head[8:12] == b"WAVE":
        return (yield from read_wav(reader))
    name = foreign(head)
    if name is not None:
        raise UnreadableMedia(name)
    return (yield from _read_frames(reader))


def _read_frames(reader: Reader) -> Steps[MediaInfo]:
    """MP3 or ADTS, whichever begins first after the tags."""
    start = yield from skip_tags(reader)
    name = foreign((yield from reader.read(start, HEAD))) if start else None
    if name is not None:
        raise UnreadableMedia(f"{name} behind an ID3 tag")
    first = yield from first_frame(reader, start, lambda data: parse_mp3(data) or parse_adts(data))
    if first is None:
        raise UnreadableMedia("no media file of a known kind")
    read = read_mp3 if first.frame.stream[0] == MP3 else read_adts
    return (yield from read(reader, first))


def probe_bytes(data: bytes) -> MediaInfo:
    """Probes a file that is in memory. UnreadableMedia where it is no file of a known kind."""
    return _drive(probe(len(data)), lambda wanted: data[wanted.start : wanted.start + wanted.length])


def probe_file(path: Path) -> MediaInfo:
    """Probes a file on disk, of which only the ranges that tell something are read.

    UnreadableMedia where it is no file of a known kind; an OSError where it cannot be opened or read.
    """
    with path.open("rb") as file:

        def read(wanted: ByteRange) -> bytes:
            file.seek(wanted.start)
            return file.read(wanted.length)

        return _drive(probe(file.seek(0, os.SEEK_END)), read)


def _drive(prober: Steps[MediaInfo], read: Callable[[ByteRange], bytes]) -> MediaInfo:
    try:
        wanted = next(prober)
        while True:
            wanted = prober.send(read(wanted))
    except StopIteration as end:
        info: MediaInfo = end.value
        return info
