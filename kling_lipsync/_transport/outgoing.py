"""Requests on their way out: what they carry to whom, and how far they have got."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

import httpx

from ..abc import Body, Request
from .failures import Unsendable, reason_of

RawHeader = tuple[bytes, bytes]
_OURS = frozenset({b"authorization"})


class Outgoing(httpx.AsyncByteStream):
    """A request's body as it is handed to the pool, slice by slice, or the empty one of a request without a body.

    ``on_left`` is called as the last slice goes. ``unsendable`` is set where the body could not be read.
    """

    def __init__(self, body: Body | None, on_left: Callable[[], None]) -> None:
        self._body = body
        self._length = body.length if body else 0
        self._on_left = on_left
        self._whole = False
        self.unsendable: Unsendable | None = None

    @property
    def left(self) -> bool | None:
        """Whether the last slice has been handed over, even once; ``None`` where there is none and nobody asked."""
        return self._whole or (False if self._length else None)

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The slices; what comes after a failed read or a wrong length would not be this body any more."""
        return _Handover(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        handed_over = 0
        if self._body is None or not self._length:
            self._leave()
            return
        for piece in self._slices(self._body):
            handed_over += len(piece)
            if handed_over > self._length:
                raise self._broken(f"the body is longer than the {self._length} bytes announced")
            if handed_over == self._length:
                self._leave()
            yield piece
        if handed_over < self._length:
            raise self._broken(f"the body ended after {handed_over} of {self._length} bytes")

    def _slices(self, body: Body) -> Iterator[bytes]:
        try:
            yield from body.slices()
        except OSError as error:
            raise self._broken(f"the body cannot be read ({reason_of(error)})") from error

    def _leave(self) -> None:
        self._whole = True
        self._on_left()

    def _broken(self, text: str) -> Unsendable:
        self.unsendable = Unsendable(text)
        return self.unsendable


class _Handover:
    """Hands the slices over; no generator, which a pool that stops in the midst would leave open."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            raise StopAsyncIteration from None


def api_request(
    client: httpx.AsyncClient, request: Request, outgoing: Outgoing, timeout: httpx.Timeout
) -> httpx.Request:
    """A request as the client's owner wants them to look, but with no ``Authorization`` other than its own.

    Raises httpx.InvalidURL, and ``Unsendable`` for a header that HTTP cannot carry.
    """
    url = httpx.URL(request.url)
    if client.params:
        url = url.copy_with(params=client.params.merge(url.params))
    headers = httpx.Headers(api_headers(client.headers.raw, request))
    return _assembled(request.method, url, headers, outgoing, timeout, client.cookies)


def api_headers(theirs: Iterable[RawHeader], request: Request, host: bytes | None = None) -> list[RawHeader]:
    """Their headers but for any ``Authorization``, the request's in the place of those of the same name.

    In one go: httpx's ``update`` goes through all headers again for each. Raises ``Unsendable`` for a header that HTTP
    cannot carry.
    """
    told = {"Accept-Encoding": "gzip", **_length_and_type(request), **_checked(request.headers)}
    named = {
        name.lower().encode("ascii"): (name.encode("ascii"), value.encode("ascii")) for name, value in told.items()
    }
    if host is not None:
        named.setdefault(b"host", (b"Host", host))
    return [*(header for header in theirs if header[0].lower() not in _OURS | named.keys()), *named.values()]


def media_request(
    client: httpx.AsyncClient, url: httpx.URL, headers: Mapping[str, str], outgoing: Outgoing, timeout: httpx.Timeout
) -> httpx.Request:
    """A GET for a file at a host that is none of the client's: of the client it bears the ``User-Agent`` alone."""
    own = httpx.Headers({"Accept": "*/*", "Accept-Encoding": "identity", **headers})
    if agent := client.headers.get("User-Agent"):
        own["User-Agent"] = agent
    return _assembled("GET", url, own, outgoing, timeout)


def _assembled(
    method: str,
    url: httpx.URL,
    headers: httpx.Headers,
    outgoing: Outgoing,
    timeout: httpx.Timeout,
    cookies: httpx.Cookies | None = None,
) -> httpx.Request:
    """To a request that is given as a stream httpx adds nothing of its own, so the host is named here."""
    headers.setdefault("Host", url.netloc.decode("ascii"))
    extensions = {"timeout": timeout.as_dict()}
    return httpx.Request(method, url, headers=headers, cookies=cookies, stream=outgoing, extensions=extensions)


def _length_and_type(request: Request) -> dict[str, str]:
    if request.body is not None:
        return {"Content-Length": str(request.body.length), "Content-Type": request.body.content_type}
    return {"Content-Length": "0"} if request.method.upper() in ("POST", "PUT", "PATCH") else {}


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers, or an error that does not show the value, as the HTTP library's would: it may be the key."""
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()) or value != value.strip():
            raise Unsendable(f"the header {name} has a line break, a space at its end or a letter beyond ASCII")
    return headers
