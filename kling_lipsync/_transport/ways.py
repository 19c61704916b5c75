"""The ways that a request can take: by an httpx client, or straight to the connections of a pool of our own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Protocol

import httpx
from attrs import frozen

from ..abc import Request
from .incoming import Answer, raw_pieces
from .outgoing import Outgoing, api_request

_NO_AUTH = httpx.Auth()
"""Unlike ``None``, it does not turn a name and password in the URL into a header either."""


class Way(Protocol):
    """Brings one request out and its answer in, and lends the connections for links."""

    @property
    def client(self) -> httpx.AsyncClient:
        """The client over the same connections."""

    def answered(
        self, request: Request, outgoing: Outgoing, timeouts: httpx.Timeout
    ) -> AbstractAsyncContextManager[Answer]:
        """The answer, from its head to the end of the block; no redirect is followed. Raises httpx's errors."""


@frozen
class ClientWay:
    """By a client, whose headers, cookies, parameters, hooks and mounts count."""

    client: httpx.AsyncClient

    @asynccontextmanager
    async def answered(
        self, request: Request, outgoing: Outgoing, timeouts: httpx.Timeout
    ) -> AsyncGenerator[Answer, None]:
        """See ``Way``."""
        wired = api_request(self.client, request, outgoing, timeouts)
        response = await self.client.send(wired, stream=True, auth=_NO_AUTH, follow_redirects=False)
        async with aclosing(response), aclosing(raw_pieces(response)) as pieces:
            yield Answer(status=response.status_code, headers=dict(response.headers.items()), pieces=pieces)
