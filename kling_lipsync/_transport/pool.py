"""The connections of a transport that brings no client of its own: httpx's interface over httpcore2's pool.

httpx's own pool scans every connection for every waiter; with fifty requests in flight that costs six times as much.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import httpcore2
import httpx

from .listening import ListeningBackend
from .proxies import environment_proxies

KEEP_ALIVE = 4.0
"""Seconds that an idle connection is kept: less than any usual server does (5 s), as one that the server closes while
a request leaves costs the request its answer."""

_NAMES = (
    "ConnectError",
    "ConnectTimeout",
    "LocalProtocolError",
    "NetworkError",
    "PoolTimeout",
    "ProtocolError",
    "ProxyError",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "TimeoutException",
    "UnsupportedProtocol",
    "WriteError",
    "WriteTimeout",
)
_HTTPX: dict[type[Exception], type[httpx.TransportError]] = {
    getattr(httpcore2, name): getattr(httpx, name) for name in _NAMES
}


def default_client(connections: int | None = None) -> httpx.AsyncClient:
    """A client over httpcore2 with the proxies of the environment and at most ``connections`` open at once for each."""
    return httpx.AsyncClient(
        transport=Httpcore2Transport(connections=connections), mounts=environment_mounts(connections)
    )


def environment_mounts(connections: int | None) -> dict[str, httpx.AsyncBaseTransport | None]:
    """The proxies of the environment as an ``httpx.AsyncClient`` takes them."""
    return {
        pattern: Httpcore2Transport(connections=connections, proxy=proxy) if proxy else None
        for pattern, proxy in environment_proxies().items()
    }


class Httpcore2Transport(httpx.AsyncBaseTransport):
    """HTTP/1.1 for an ``httpx.AsyncClient``; certificates are checked as httpx checks them.

    ``connections`` is how many may be open at once, ``None`` not limiting them. The pool never sends a request twice.
    """

    def __init__(self, *, connections: int | None = None, proxy: str | None = None) -> None:
        self._connections = connections
        self._proxy = proxy
        self._pool: httpcore2.AsyncConnectionPool | None = None

    @property
    def pool(self) -> httpcore2.AsyncConnectionPool:
        """The connections; opening them reads the certificates."""
        if self._pool is None:
            self._pool = self._open()
        return self._pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer's head, its body still to be read; raises httpx's errors."""
        with httpx_errors():
            answer = await self.pool.handle_async_request(_httpcore_request(request))
        stream = _AnswerStream(answer.stream)  # type: ignore[arg-type]  # asynchronous, as the pool is
        return httpx.Response(answer.status, headers=answer.headers, stream=stream, extensions=answer.extensions)

    async def aclose(self) -> None:
        """Closes every connection."""
        if self._pool is not None:
            await self._pool.aclose()

    def _open(self) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            proxy=_httpcore_proxy(self._proxy) if self._proxy else None,
            max_connections=self._connections,
            keepalive_expiry=KEEP_ALIVE,
            network_backend=ListeningBackend(),
        )


class _AnswerStream(httpx.AsyncByteStream):
    """An answer's body; an object rather than a generator, so that stopping early closes all that is below it."""

    def __init__(self, stream: AsyncGenerator[bytes, None]) -> None:
        self._stream = stream
        self._pieces = aiter(stream)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        with httpx_errors():
            return await anext(self._pieces)

    async def aclose(self) -> None:
        with httpx_errors():
            try:
                await self._pieces.aclose()  # type: ignore[attr-defined]  # a generator
            finally:
                await self._stream.aclose()


@contextmanager
def httpx_errors() -> Iterator[None]:
    """Puts httpx's errors in the place of those of httpcore2."""
    try:
        yield
    except tuple(_HTTPX) as error:
        kind = next(kind for kind in type(error).__mro__ if kind in _HTTPX)
        raise _HTTPX[kind](str(error)) from error


def _httpcore_request(request: httpx.Request) -> httpcore2.Request:
    return httpcore2.Request(
        method=request.method,
        url=httpcore_url(request.url),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def httpcore_url(url: httpx.URL) -> httpcore2.URL:
    """The same address in httpcore2's terms."""
    return httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _httpcore_proxy(address: str) -> httpcore2.Proxy:
    try:
        proxy = httpx.Proxy(address)
    except (ValueError, httpx.InvalidURL) as error:
        raise httpx.ProxyError("its address is none of http://, https:// or socks5://") from error
    if proxy.url.scheme.startswith("socks") and find_spec("socksio") is None:
        raise httpx.ProxyError("a SOCKS proxy needs the package socksio")
    return httpcore2.Proxy(httpcore_url(proxy.url), auth=proxy.raw_auth)
