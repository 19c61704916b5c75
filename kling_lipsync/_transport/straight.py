"""The way to a pool of our own where no proxy is in between: what httpx's client does for each request is left out.

There are no cookies, hooks or redirects here, and a batch asks the same few addresses again and again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, asynccontextmanager
from functools import lru_cache

import httpcore2
import httpx
from attrs import frozen

from ..abc import Request
from .incoming import Answer
from .outgoing import Outgoing, RawHeader, api_headers
from .pool import Httpcore2Transport, environment_mounts, httpcore_url, httpx_errors
from .ways import ClientWay, Way


def own_way(connections: int | None) -> Way:
    """A way over at most ``connections`` connections of our own, by the proxies of the environment if there are any."""
    transport = Httpcore2Transport(connections=connections)
    mounts = environment_mounts(connections)
    client = httpx.AsyncClient(transport=transport, mounts=mounts)
    return ClientWay(client) if mounts else StraightWay(client, transport)


@frozen
class StraightWay:
    """Straight to the connections of ``transport``, which ``client`` shares and whose headers go along."""

    client: httpx.AsyncClient
    transport: Httpcore2Transport

    @asynccontextmanager
    async def answered(
        self, request: Request, outgoing: Outgoing, timeouts: httpx.Timeout
    ) -> AsyncGenerator[Answer, None]:
        """See ``Way``."""
        url, host = _target(request.url)
        wired = httpcore2.Request(
            method=request.method,
            url=url,
            headers=api_headers(self.client.headers.raw, request, host),
            content=outgoing,
            extensions={"timeout": timeouts.as_dict()},
        )
        with httpx_errors():
            response = await self.transport.pool.handle_async_request(wired)
            async with aclosing(response), aclosing(aiter(response.stream)) as pieces:  # type: ignore[type-var,arg-type]
                yield Answer(status=response.status, headers=_joined(response.headers), pieces=pieces)


@lru_cache(maxsize=64)
def _target(address: str) -> tuple[httpcore2.URL, bytes]:
    """Where a request goes, and its ``Host``; raises httpx.InvalidURL."""
    url = httpx.URL(address)
    return httpcore_url(url), url.netloc


def _joined(headers: Iterable[RawHeader]) -> dict[str, str]:
    """Names in lower case, the values of one name in a row."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined
