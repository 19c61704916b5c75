"""Result files on disk: whole, or not there."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import anyio
import httpx
from attrs import define, frozen

from ..errors import DownloadError
from ..policies import RetryPolicy
from .failures import Dropped, place_of
from .files import PartialFile
from .incoming import raw_pieces
from .links import LARGEST, LinkOpener, content_length, link_errors, refuse_encoding, refuse_status
from .patience import Patience
from .ranges import ContentRange, range_header
from .retry import retry_delays

_BLOCK = 256 * 1024
_PAGES = ("text/html", "application/xhtml+xml", "application/json")
_PAGE_BEGINS = (b"<!doctype html", b"<html")


@frozen(kw_only=True)
class Downloader:
    """Fetches files by links; ``patience`` is how long it waits for the answer, and then for each 256 KB (seconds)."""

    opener: LinkOpener
    patience: float
    retries: RetryPolicy = RetryPolicy(tries=5, first_wait=0.5, longest_wait=5.0)

    async def fetch(
        self, url: str, path: Path, *, largest: int = LARGEST, expected: int | None = None, threads: bool = True
    ) -> int:
        """Writes the file at ``url`` to ``path`` and gives its size in bytes; see ``HttpTransport.download``."""
        delays = retry_delays(self.retries)
        async with PartialFile(path, threads=threads) as file:
            transfer = _Transfer(url=url, place=place_of(url), file=file, largest=largest, expected=expected)
            while True:
                try:
                    await self._attempt(transfer)
                    return await file.publish()
                except Dropped as drop:
                    delay = next(delays, None)
                    if delay is None:
                        raise DownloadError(f"{drop.message}; tried {self.retries.tries} times") from drop
                await anyio.sleep(delay)

    async def _attempt(self, transfer: _Transfer) -> None:
        with Patience(self.patience) as patience, link_errors(transfer.place):
            response = await self.opener.open(transfer.url, transfer.headers(), patience)
            async with aclosing(response):
                return await transfer.take(response, patience)
        raise Dropped(f"{transfer.place} sent too little of the file within {self.patience:g} s")


@define(kw_only=True)
class _Transfer:
    """One file on its way to disk, over as many connections as it takes.

    ``validator`` marks the version that the first part came from: only more of the same may be added to it.
    """

    url: str
    place: str
    file: PartialFile
    largest: int
    expected: int | None
    validator: str | None = None

    def headers(self) -> dict[str, str]:
        """Asks for what is missing, or for all of it where nothing usable is there."""
        if not self.file.size or self.validator is None:
            return {}
        return {"Range": range_header(self.file.size), "If-Range": self.validator}

    async def take(self, response: httpx.Response, patience: Patience) -> None:
        """Writes what ``response`` brings.

        Raises ``Dropped`` where it ends early, ``DownloadError`` where it is not the file.
        """
        if response.status_code == 416:
            self.validator = None
            raise Dropped(f"{self.place} would not send the rest of the file")
        refuse_status(response, self.place)
        refuse_encoding(response, self.place)
        total = await self._whole_size(response)
        self._refuse_size(self.file.size if total is None else total, total)
        await self._write(response, patience)
        if total is not None and self.file.size != total:
            raise Dropped(f"{self.place} sent {self.file.size} of {total} bytes")
        self._refuse_size(self.file.size, self.file.size)

    async def _whole_size(self, response: httpx.Response) -> int | None:
        """How large the file will be, after making room for what comes now."""
        if response.status_code == 206:
            return self._continued(response)
        await self.file.restart()
        self.validator = _validator(response)
        return content_length(response)

    def _continued(self, response: httpx.Response) -> int | None:
        told = ContentRange.parse(response.headers.get("Content-Range", ""))
        if told is None or told.start != self.file.size:
            self.validator = None
            raise Dropped(f"{self.place} sent another part of the file than was asked for")
        return told.total

    async def _write(self, response: httpx.Response, patience: Patience) -> None:
        block = bytearray()
        try:
            async with aclosing(raw_pieces(response)) as pieces:
                async for piece in pieces:
                    block += piece
                    if len(block) >= _BLOCK:
                        await self._flush(block, response)
                        patience.start()
        except httpx.TransportError:
            await self._flush(block, response)  # what came before the connection broke is worth keeping
            raise
        await self._flush(block, response)

    async def _flush(self, block: bytearray, response: httpx.Response) -> None:
        if not self.file.size and _is_page(response, block):
            raise DownloadError(f"{self.place} sent a web page or a message instead of the file; check the link")
        self._refuse_size(self.file.size + len(block), None)
        await self.file.write(bytes(block))
        block.clear()

    def _refuse_size(self, size: int, whole: int | None) -> None:
        if size > self.largest:
            raise DownloadError(f"the file at {self.place} is larger than {self.largest} bytes")
        if self.expected is not None and whole not in (None, self.expected):
            raise DownloadError(f"the file at {self.place} has {whole} bytes, not the {self.expected} expected")


def _validator(response: httpx.Response) -> str | None:
    """What names this version of the file for certain: a strong ETag, else its date."""
    etag: str = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


def _is_page(response: httpx.Response, beginning: bytearray) -> bool:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind in _PAGES or bytes(beginning[:64]).lstrip().lower().startswith(_PAGE_BEGINS)
