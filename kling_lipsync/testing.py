"""Test your own code against the sandbox: in process, without sockets, in real or virtual time.

In a ``conftest.py``: ``pytest_plugins = ["kling_lipsync.testing"]``; then a test asks for the fixture
``kling_sandbox``, and opens a client on it with ``sandbox_client``. Needs the extra ``[sandbox]``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import httpx
import pytest

from ._tasks import task_group
from .abc import Clock
from .client import KlingClient
from .sandbox import ConnectionDropped, Sandbox, Settings

SANDBOX_URL = "http://127.0.0.1"
"""The base URL of a sandbox in process.

Its samples are below ``/media/``: ``one-face.mp4``, ``two-faces.mp4``, ``speech.mp3`` ...
"""


class VirtualClock:
    """A clock that starts at the Unix time ``start`` and moves as the event loop's time does: at once, with trio's
    ``MockClock``.
    """

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._start = start

    def wall(self) -> float:
        """Unix time in seconds."""
        return self._start + anyio.current_time()

    def monotonic(self) -> float:
        """The event loop's time in seconds."""
        return anyio.current_time()


class _Pieces(httpx.AsyncByteStream):
    """An answer's body; no generator, which a reader that stops early would leave open."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            raise StopAsyncIteration from None


class _Exchange:
    """One request on its way through an ASGI app; the app goes on when nobody waits for its answer any more, as a
    server does.
    """

    def __init__(self, request: httpx.Request, body: bytes) -> None:
        self.ended = anyio.Event()
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.dropped = False
        self._request = request
        self._incoming: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
        self._outgoing: list[bytes] = []

    async def run(self, app: Any) -> None:  # noqa: ANN401 - any ASGI app
        try:
            await app(self._scope(), self._receive, self._send)
        except ConnectionDropped:
            self.dropped = True
        finally:
            self.ended.set()

    def response(self) -> httpx.Response:
        if self.dropped or self.status is None:
            raise httpx.RemoteProtocolError("the server closed the connection without an answer", request=self._request)
        return httpx.Response(self.status, headers=self.headers, stream=_Pieces(self._outgoing))

    def _scope(self) -> dict[str, Any]:
        url = self._request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw],
            "server": (url.host, url.port or 80),
            "client": ("127.0.0.1", 0),
            "state": {},
        }

    async def _receive(self) -> dict[str, Any]:
        if self._incoming:
            return self._incoming.pop()
        await self.ended.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self._outgoing.append(message.get("body", b""))


class InProcessTransport(httpx.AsyncBaseTransport):
    """Carries httpx's requests to an ASGI app in this process, with the read time-outs of a real connection."""

    def __init__(self, app: Any, group: anyio.abc.TaskGroup) -> None:  # noqa: ANN401 - any ASGI app
        self._app = app
        self._group = group

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The app's answer. Raises ``httpx.ReadTimeout`` and ``httpx.RemoteProtocolError`` as a connection would."""
        exchange = _Exchange(request, await request.aread())
        self._group.start_soon(exchange.run, self._app)
        try:
            with anyio.fail_after(request.extensions.get("timeout", {}).get("read")):
                await exchange.ended.wait()
        except TimeoutError:
            raise httpx.ReadTimeout("the app did not answer in time", request=request) from None
        return exchange.response()


@asynccontextmanager
async def sandbox_client(
    sandbox: Sandbox,
    *,
    api_key: str = "test-key",
    clock: Clock | None = None,
    **options: Any,  # noqa: ANN401 - the client's own keywords
) -> AsyncIterator[KlingClient]:
    """A client of ``sandbox`` in this process; ``options`` are those of ``KlingClient``.

    For virtual time give ``clock=VirtualClock()`` here, its ``wall`` to the sandbox, and ``Settings(threads=False)``.
    """
    async with task_group() as group:
        transport = InProcessTransport(sandbox.app, group)
        base_url = options.pop("base_url", SANDBOX_URL)
        async with KlingClient(
            options.pop("gateway", "official"),
            api_key=api_key,
            base_url=base_url,
            http=transport,
            clock=clock,
            **options,
        ) as client:
            yield client
        group.cancel_scope.cancel()


@pytest.fixture
def kling_sandbox() -> Iterator[Sandbox]:
    """A sandbox whose identify takes 0.15 s and whose tasks take some 2.4 s, with 5 slots."""
    with Sandbox(Settings(speed=100.0)) as sandbox:
        yield sandbox
