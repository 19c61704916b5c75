"""The sandbox on a socket: uvicorn in the event loop of the caller, with connections that can be dropped."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import anyio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kling_lipsync.sandbox.refusals import ConnectionDropped
from kling_lipsync.sandbox.sandbox import Sandbox

GRACE_SECONDS = 5
TRANSPORT = "kling_lipsync.transport"


class _Protocol(HttpToolsProtocol):
    """Puts the connection's transport into the state of each of its requests."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class _Connections:
    """An app whose dropped connections are really closed, and whose requests can all be ended."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner
        self._open: dict[anyio.CancelScope, asyncio.Transport] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = scope["state"][TRANSPORT]
        with anyio.CancelScope() as request:
            self._open[request] = transport
            try:
                await self._inner(scope, receive, send)
            except ConnectionDropped:
                # What was sent so far goes out, then the connection ends; uvicorn wants to have noticed.
                transport.close()
                while (await receive())["type"] != "http.disconnect":
                    pass
            finally:
                del self._open[request]

    def end(self) -> None:
        """Hangs up on everybody who still waits for an answer."""
        for request, transport in list(self._open.items()):
            transport.abort()
            request.cancel()


async def serve(
    sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0, started: Callable[[str], object] = lambda url: None
) -> None:
    """Serves the sandbox and sends its callbacks, in the current asyncio event loop, until cancelled.

    ``started`` is called with ``http://HOST:PORT`` once connections are accepted. Signals are left to the caller.

    Raises:
        OSError: the address cannot be bound.
    """
    connections = _Connections(sandbox.app)
    config = uvicorn.Config(
        connections,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with _listen(host, port) as listener:
        await server.startup(sockets=[listener])
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(sandbox.run_callbacks)
                started(f"http://{_bracketed(host)}:{listener.getsockname()[1]}")
                await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                connections.end()
                await server.shutdown(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
