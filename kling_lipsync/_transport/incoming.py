"""Answers on their way in, never more of them than was asked for."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Protocol

import httpx
from attrs import frozen

from .failures import UnreadableAnswer

_GZIP = 16 + zlib.MAX_WBITS


@frozen(kw_only=True)
class Answer:
    """An answer whose body is still to come; ``pieces`` are as they are on the wire, header names in lower case."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]


async def raw_pieces(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The body as it is on the wire, in the network's pieces; to be used with ``aclosing``, as one may stop early."""
    stream = aiter(response.stream)  # type: ignore[arg-type]  # of an AsyncClient, so never a synchronous one
    try:
        async for piece in stream:
            yield piece
    finally:
        if close := getattr(stream, "aclose", None):
            await close()


async def read_answer(coming: Answer, largest: int) -> bytes:
    """The decoded body of at most ``largest`` bytes; raises ``UnreadableAnswer`` where it is larger or broken."""
    decoder = _decoder(coming.headers.get("content-encoding", ""))
    answer = bytearray()
    async for piece in coming.pieces:
        answer += decoder.decode(piece, largest + 1 - len(answer))
        if len(answer) > largest:
            raise UnreadableAnswer(f"it is larger than {largest} bytes")
    decoder.finish()
    return bytes(answer)


class _Decoder(Protocol):
    def decode(self, piece: bytes, most: int) -> bytes: ...

    def finish(self) -> None: ...


class _Identity:
    def decode(self, piece: bytes, most: int) -> bytes:
        return piece[:most]

    def finish(self) -> None:
        """Nothing can be left."""


class _Gzip:
    """Unpacks no more than it is asked for, so that a small piece cannot fill the memory."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(_GZIP)
        self._begun = False

    def decode(self, piece: bytes, most: int) -> bytes:
        self._begun = self._begun or bool(piece)
        try:
            return self._unpacker.decompress(piece, most)
        except zlib.error as error:
            raise UnreadableAnswer("its gzip encoding is broken") from error

    def finish(self) -> None:
        if self._begun and not self._unpacker.eof:
            raise UnreadableAnswer("its gzip encoding ends too early")


def _decoder(encoding: str) -> _Decoder:
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return _Identity()
    if name in ("gzip", "x-gzip"):
        return _Gzip()
    raise UnreadableAnswer(f"it is encoded as {name[:40]!r}, which was not asked for")
