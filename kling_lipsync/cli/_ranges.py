"""Ranged reads that are remembered: a video that many jobs share is looked at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from attrs import define, field

from .._transport import HttpTransport
from .._workflow.inspect import ReadRange
from ..policies import Timeouts

_URLS_KEPT = 256

Range = tuple[bytes, int | None]


@define(eq=False)
class _Remembered:
    """The ranges read of one URL; asked for one at a time, so that nothing is read twice."""

    lock: anyio.Lock = field(factory=anyio.Lock)
    ranges: dict[tuple[int, int], Range] = field(factory=dict)


@asynccontextmanager
async def remembering() -> AsyncIterator[ReadRange]:
    """A ranged read that remembers what it read of the last 256 URLs; no key goes with it."""
    transport = HttpTransport(None, timeouts=Timeouts())
    kept: OrderedDict[str, _Remembered] = OrderedDict()

    async def read_range(url: str, start: int, length: int) -> Range:
        of_url = kept.setdefault(url, _Remembered())
        kept.move_to_end(url)
        if len(kept) > _URLS_KEPT:
            kept.popitem(last=False)
        async with of_url.lock:
            if (start, length) not in of_url.ranges:
                of_url.ranges[start, length] = await transport.read_range(url, start, length)
            return of_url.ranges[start, length]

    try:
        yield read_range
    finally:
        await transport.aclose()
