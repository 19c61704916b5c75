"""What is examined: a gateway, the way to it, the account, and what the checks have learnt of them so far."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cached_property

import anyio
import httpx
from attrs import define, field, frozen

from ..._transport.pool import default_client
from ...client import KlingClient
from ...errors import ConfigurationError, KlingError
from ...gateways import Gateway
from ...models import Task
from ...policies import RetryPolicy, Timeouts
from .route import Route, route_to


@frozen
class Head:
    """What is noted of an answer: the seconds until its head had come, its media type, and whether it has a date."""

    seconds: float
    content_type: str
    dated: bool


@define
class Ear:
    """Notes the head of every answer, as the hooks of an ``httpx.AsyncClient``; for one request at a time."""

    heads: list[Head] = field(factory=list)
    _sent_at: float = field(default=0.0, init=False)

    async def sends(self, request: httpx.Request) -> None:
        """A request leaves."""
        self._sent_at = anyio.current_time()

    async def hears(self, response: httpx.Response) -> None:
        """The head of its answer has come."""
        passed = anyio.current_time() - self._sent_at
        self.heads.append(Head(passed, response.headers.get("content-type", ""), "date" in response.headers))


@define(kw_only=True)
class Patient:
    """What is examined.

    ``route`` is the way to the gateway, ``heads`` what its answers began with. The checks leave there what later ones
    go by: ``probe`` is what the query for a task that cannot exist gave, ``tasks`` are the first of the account's
    list, ``None`` where there is none.
    """

    gateway: Gateway
    environ: Mapping[str, str]
    timeouts: Timeouts
    route: Route
    http: httpx.AsyncClient
    heads: Sequence[Head]
    probe: Task | KlingError | None = None
    tasks: Sequence[Task] | None = None

    @cached_property
    def client(self) -> KlingClient:
        """A client with the environment's keys, which sends each request once.

        Raises ``ConfigurationError`` where the environment has no keys.
        """
        return KlingClient.from_env(
            self.gateway,
            environ=self.environ,
            http=self.http,
            retry=RetryPolicy(tries=1),
            timeouts=self.timeouts,
            requests_per_second=None,
        )


@asynccontextmanager
async def patient(
    gateway: Gateway, environ: Mapping[str, str], timeouts: Timeouts = Timeouts()
) -> AsyncIterator[Patient]:
    """A gateway to be examined; the connections are closed with the block.

    Proxies and authorities are those of the process's environment, as for every client; ``environ`` holds the keys.
    Raises ``ConfigurationError`` for a base URL or a proxy that cannot be read.
    """
    try:
        base = httpx.URL(gateway.base_url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"the base URL cannot be read: {error}") from None
    ear = Ear()
    route = await route_to(base)
    async with default_client() as http:
        http.event_hooks = {"request": [ear.sends], "response": [ear.hears]}
        yield Patient(gateway=gateway, environ=environ, timeouts=timeouts, route=route, http=http, heads=ear.heads)
