"""A few bytes out of the middle of a remote file, for a look at its header."""

from __future__ import annotations

from contextlib import aclosing

import httpx

from ..errors import DownloadError
from .failures import place_of
from .incoming import raw_pieces
from .links import LinkOpener, content_length, link_errors, refuse_encoding, refuse_status
from .patience import Patience
from .ranges import ContentRange, range_header

MOST_SKIPPED = 1024 * 1024
"""Bytes before the wanted ones that are read and dropped where a host does not serve parts of files."""


async def read_range(
    opener: LinkOpener, url: str, start: int, length: int, *, within: float
) -> tuple[bytes, int | None]:
    """Up to ``length`` bytes from ``start`` on, fewer at the end of the file, and the file's size where it is told.

    A GET and no HEAD, as links are often signed for GET alone. ``within`` bounds the whole answer (seconds). A host
    that sends the whole file instead is heard as far as is needed. Raises ``DownloadError``.
    """
    if start < 0 or length < 1:
        raise ValueError(f"a range begins at 0 or later and has a length: {start}, {length}")
    place = place_of(url)
    with Patience(within) as patience, link_errors(place):
        response = await opener.open(url, {"Range": range_header(start, start + length)}, patience)
        async with aclosing(response):
            return await _read(response, place, start, length)
    raise DownloadError(f"{place} did not send a part of the file within {within:g} s")


async def _read(response: httpx.Response, place: str, start: int, length: int) -> tuple[bytes, int | None]:
    told = ContentRange.parse(response.headers.get("Content-Range", ""))
    if response.status_code == 416 and told and told.total is not None and told.total <= start:
        return b"", told.total
    refuse_status(response, place)
    refuse_encoding(response, place)
    if response.status_code == 200:
        return await _from_the_whole(response, place, start, length)
    if told is None or told.start != start or told.end is None:
        raise DownloadError(f"{place} sent another part of the file than was asked for")
    wanted = min(length, told.end - start)
    return await _exactly(response, place, wanted), told.total


async def _from_the_whole(response: httpx.Response, place: str, start: int, length: int) -> tuple[bytes, int | None]:
    if start > MOST_SKIPPED:
        raise DownloadError(f"{place} does not serve parts of files, and the part wanted is far into this one")
    total = content_length(response)
    read = await _up_to(response, start + length)
    if total is not None and len(read) < min(start + length, total):
        raise DownloadError(f"{place} closed the connection in the midst of the file")
    return read[start:], total


async def _exactly(response: httpx.Response, place: str, length: int) -> bytes:
    read = await _up_to(response, length)
    if len(read) < length:
        raise DownloadError(f"{place} closed the connection in the midst of the file")
    return read


async def _up_to(response: httpx.Response, most: int) -> bytes:
    """The first bytes of the body; one of just that length is read to its end, which keeps its connection usable."""
    read = bytearray()
    ends_there = content_length(response) == most
    async with aclosing(raw_pieces(response)) as pieces:
        async for piece in pieces:
            read += piece
            if len(read) > most or (len(read) == most and not ends_there):
                break
    return bytes(read[:most])
