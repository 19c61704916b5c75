"""A look into the header of a remote file: by ranged reads, without the key, and once per file."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator

import anyio
from attrs import evolve

from .._media import ByteRange, MediaInfo, UnreadableMedia, probe
from ..errors import DownloadError
from ..models import Problem, Verdict

ReadRange = Callable[[str, int, int], Awaitable[tuple[bytes, int | None]]]
"""A ranged read of a URL: (url, start, length) to its bytes and the file's size."""

PATIENCE = 20.0
"""Seconds for all reads of one file; a slow host leaves its facts unknown."""

KEPT = 256
"""Files whose facts are kept: many jobs share a video."""


class RemoteLook:
    """Looks into remote files with ``read_range``, and remembers what the last ones are."""

    def __init__(self, read_range: ReadRange) -> None:
        self._read_range = read_range
        self._known: OrderedDict[str, MediaInfo] = OrderedDict()

    async def probe(self, url: str, what: str) -> tuple[MediaInfo | None, list[Problem]]:
        """What the file is, or ``None`` and why that is not known; ``what`` names it ("video", "sound")."""
        if url in self._known:
            self._known.move_to_end(url)
            return self._known[url], []
        try:
            with anyio.fail_after(PATIENCE):
                info = await _drive(probe(None), url, self._read_range)
        except UnreadableMedia as error:
            advice = f"give the URL of the {what} itself, or skip this look (remote=False, --no-remote)"
            return None, [Problem(f"{what}-readable", f"what the {what}'s URL gives is no {what}: {error}; {advice}")]
        except (TimeoutError, DownloadError) as error:
            return None, [_unknown(what, error)]
        self._known[url] = info
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return info, []


def _unknown(what: str, error: Exception) -> Problem:
    why = str(error) if isinstance(error, DownloadError) else f"its host did not answer within {PATIENCE:.0f} s"
    message = f"the {what} could not be looked at from here: {why}; make sure that Kling can fetch it"
    return Problem(f"{what}-readable", message, Verdict.UNKNOWN)


async def _drive(prober: Generator[ByteRange, bytes, MediaInfo], url: str, read_range: ReadRange) -> MediaInfo:
    size: int | None = None
    try:
        wanted = next(prober)
        while True:
            data, told = await read_range(url, wanted.start, wanted.length)
            size = size if told is None else told
            wanted = prober.send(data)
    except StopIteration as end:
        info: MediaInfo = end.value
        return info if info.size is not None else evolve(info, size=size)
