"""Finds out what a file is from its content, never from its name, and reads its length and size."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .info import ByteRange, MediaInfo, Steps, UnreadableMedia
from .reader import Reader
from .signatures import BEGINNING, foreign, is_movie, is_wave


def probe(size: int | None) -> Steps[MediaInfo]:
    """A prober for a file of so many bytes: yields the ranges it needs, is sent their bytes, returns what it found.

    Fewer bytes than asked for mean that the file ends there; with `size` None the prober learns it from that. Whoever
    drives it carries the ranges: to a file, to bytes in memory, or to a server. UnreadableMedia where the bytes are no
    file of a known kind.
    """
    reader = Reader(size)
    head = yield from reader.read(0, BEGINNING)
    # A kind's reader is imported when the first file of that kind comes: together they take 20 ms, and a batch has one.
    if is_movie(head):
        from .movies import read_movie

        return (yield from read_movie(reader))
    if is_wave(head):
        from .wav import read_wav

        return (yield from read_wav(reader))
    name = foreign(head)
    if name is not None:
        raise UnreadableMedia(name)
    from .streams import read_stream

    return (yield from read_stream(reader))


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
