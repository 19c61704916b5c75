"""Files at hosts that are not Kling's API: opened without the key, redirects followed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
from attrs import frozen

from ..errors import DownloadError, KlingError
from .failures import Dropped, explain, place_of
from .outgoing import Outgoing, media_request
from .patience import Patience

LARGEST = 1024**3
"""Bytes of a file, at most, unless the caller says otherwise."""

MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEAD = frozenset({403, 404, 410})
"""What hosts say of a signed link that has expired, and of a file that is gone."""


@frozen(kw_only=True)
class LinkOpener:
    """Opens links with ``client``, which lends its connections and its ``User-Agent`` and nothing else."""

    client: httpx.AsyncClient
    timeout: httpx.Timeout

    async def open(self, url: str, headers: Mapping[str, str], patience: Patience) -> httpx.Response:
        """The answer where the redirects end, whatever its status, its body still to be read and to be closed.

        ``patience`` starts as each request leaves. Raises ``DownloadError`` for an address that is not http or https
        and for more than five redirects, and httpx's errors.
        """
        target = _web_address(url)
        for _ in range(MOST_REDIRECTS + 1):
            response = await self._get(target, headers, patience)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or location is None:
                return response
            await response.aclose()
            target = _web_address(target, location)
        raise DownloadError(f"{place_of(url)} redirects more than {MOST_REDIRECTS} times; check the link")

    async def _get(self, url: httpx.URL, headers: Mapping[str, str], patience: Patience) -> httpx.Response:
        patience.stop()
        request = media_request(self.client, url, headers, Outgoing(None, patience.start), self.timeout)
        response = await self.client.send(request, stream=True, auth=None, follow_redirects=False)
        patience.start()
        return response


@contextmanager
def link_errors(place: str) -> Iterator[None]:
    """What goes wrong while a link is read, as a ``DownloadError``: ``Dropped`` where the network failed."""
    try:
        yield
    except KlingError:
        raise
    except httpx.TransportError as error:
        raise Dropped(f"the file at {place} could not be fetched: {explain(error)}") from error
    except Exception as error:
        raise DownloadError(f"the file at {place} could not be fetched: {explain(error)}") from error


def refuse_status(response: httpx.Response, place: str) -> None:
    """Raises ``DownloadError`` for an answer that is no file; ``expired`` where the link is dead."""
    if response.status_code in (200, 206):
        return
    answered = f"{place} answered {response.status_code} instead of the file"
    if response.status_code in _DEAD:
        raise DownloadError(f"{answered}: the link has expired or died; ask for a fresh one", expired=True)
    raise DownloadError(f"{answered}; try again later")


def refuse_encoding(response: httpx.Response, place: str) -> None:
    """Raises ``DownloadError`` where the file would have to be unpacked, which was not asked for."""
    if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise DownloadError(f"{place} sends the file packed, which was not asked for")


def content_length(response: httpx.Response) -> int | None:
    """How long the body will be, where the answer says so."""
    told = response.headers.get("Content-Length", "")
    return int(told) if told.isdecimal() else None


def _web_address(base: httpx.URL | str, location: str = "") -> httpx.URL:
    try:
        url = httpx.URL(base).join(location) if location else httpx.URL(base)
    except httpx.InvalidURL as error:
        raise DownloadError("the link of the file, or where it redirects to, is not a URL") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise DownloadError(f"a file is fetched by http or https only, not by {url.scheme[:20]!r}; check the link")
    return url
