"""Drives a prober by hand, and notes what it asks for."""

from __future__ import annotations

from collections.abc import Callable

from kling_lipsync._media import ByteRange, MediaInfo, probe


def drive(read: Callable[[int, int], bytes], size: int | None) -> tuple[MediaInfo, list[ByteRange]]:
    """What a prober finds out that is told this size, and the ranges that it asked for."""
    asked: list[ByteRange] = []
    prober = probe(size)
    try:
        asked.append(next(prober))
        while True:
            asked.append(prober.send(read(asked[-1].start, asked[-1].length)))
    except StopIteration as end:
        info: MediaInfo = end.value
        return info, asked


def reading(data: bytes) -> Callable[[int, int], bytes]:
    """Reads ranges of these bytes."""
    return lambda start, length: data[start : start + length]
