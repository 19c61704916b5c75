"""Request bodies: small ones in one slice; one with a sound inside is written piece by piece, its length known
before.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any, BinaryIO

from attrs import field, frozen

from . import wire

RAW_SLICE = 96 * 1024
"""Bytes of a sound per slice; a multiple of 3, so that the slices' base64 joins up."""

SMALL = 4 * 1024
"""What is shorter travels with the slice that follows: each slice is a write of its own."""

_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


@frozen
class SoundData:
    """A sound that travels inside the request.

    ``size`` is its length in bytes; ``open`` opens it to be read from its beginning, and may be called again.
    """

    size: int
    open: Callable[[], BinaryIO] = field(repr=False)

    @classmethod
    def from_bytes(cls, data: bytes) -> SoundData:
        """A sound held in memory."""
        return cls(len(data), lambda: BytesIO(data))


@frozen
class JsonBody:
    """A JSON body in one slice."""

    data: bytes = field(repr=False)
    content_type: str = field(default=wire.JSON_TYPE, init=False)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> JsonBody:
        """The document as JSON. Raises ValueError for a number that JSON has no word for."""
        return cls(_dumped(document).encode())

    @property
    def length(self) -> int:
        """Its exact length in bytes."""
        return len(self.data)

    def slices(self) -> Iterator[bytes]:
        """The body, whole."""
        yield self.data


@frozen
class SoundBody:
    """A JSON body with one sound inside as raw base64 (Kling takes no ``data:`` prefix), never held whole."""

    head: bytes = field(repr=False)
    sound: SoundData
    tail: bytes = field(repr=False)
    content_type: str = field(default=wire.JSON_TYPE, init=False)

    @classmethod
    def of(cls, document: Mapping[str, Any], sound: SoundData) -> SoundBody:
        """The document with the sound in the place of its very last value, which must be an empty text."""
        head, _, tail = _dumped(document).rpartition('""')
        return cls(f'{head}"'.encode(), sound, f'"{tail}'.encode())

    @property
    def length(self) -> int:
        """Its exact length in bytes."""
        return len(self.head) + (self.sound.size + 2) // 3 * 4 + len(self.tail)

    def slices(self) -> Iterator[bytes]:
        """The body from its beginning.

        Raises OSError before the last slice if the sound is not as long as it was said to be: a request that is not
        whole is never taken for a sent one.
        """
        pending = self.head
        for part in _encoded(self.sound):
            if len(pending) < SMALL:
                pending += part
            else:
                yield pending
                pending = part
        yield pending + self.tail


def _dumped(document: Mapping[str, Any]) -> str:
    return _ENCODER.encode(document)


def _encoded(sound: SoundData) -> Iterator[bytes]:
    with sound.open() as file:
        for left in range(sound.size, 0, -RAW_SLICE):
            piece = file.read(RAW_SLICE)
            if len(piece) != min(left, RAW_SLICE):
                raise _changed(sound)
            yield b64encode(piece)
        if file.read(1):
            raise _changed(sound)


def _changed(sound: SoundData) -> OSError:
    return OSError(f"the sound is not {sound.size} bytes long any more: it changed while it was sent")
