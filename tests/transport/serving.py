"""Servers over real sockets that do exactly what a test tells them to, good manners or not."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSListener
from attrs import define, field, frozen

from kling_lipsync._transport import HttpTransport
from kling_lipsync.abc import Request
from kling_lipsync.policies import Timeouts


@frozen
class Head:
    """The head of one request, its header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]

    @classmethod
    def parse(cls, raw: bytes) -> Head:
        first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        return cls(method, target, {name.lower(): value.strip() for name, _, value in pairs})


@define
class Connection:
    """One accepted connection, read by the request."""

    stream: ByteStream
    server: Server
    _buffer: bytearray = field(factory=bytearray)

    async def head(self) -> Head | None:
        """The next request's head, counted at the server; ``None`` at the end."""
        while b"\r\n\r\n" not in self._buffer:
            try:
                self._buffer += await self.stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return None
        raw, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        head = Head.parse(raw)
        self.server.heads.append(head)
        return head

    async def body(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        while len(self._buffer) < length:
            self._buffer += await self.stream.receive()
        taken, self._buffer = bytes(self._buffer[:length]), self._buffer[length:]
        return taken

    async def request(self) -> Head | None:
        """The next request, its body read to its end and kept at the server."""
        head = await self.head()
        if head is not None:
            self.server.bodies.append(await self.body(int(head.headers.get("content-length", "0"))))
        return head

    async def send(self, data: bytes) -> None:
        """Bytes, as they are."""
        await self.stream.send(data)

    async def reset(self) -> None:
        """Closes so that the other side gets a reset instead of an end."""
        raw = self.stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - of anyio, not of Django
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.stream.aclose()


_HUNG_UP = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)
"""What a handler meets when the client has had enough."""

Handler = Callable[[Connection], Awaitable[None]]


@define
class Server:
    """A server that runs, and what it has seen."""

    port: int
    scheme: str = "http"
    heads: list[Head] = field(factory=list)
    bodies: list[bytes] = field(factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"{self.scheme}://127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server whose ``handler`` gets each connection, until the block ends."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - of anyio, not of Django
    server = Server(port, "https" if tls else "http")

    async def serve(stream: ByteStream) -> None:
        server.connections += 1
        async with stream:
            with suppress(*_HUNG_UP):
                await handler(Connection(stream, server))

    async with listener, anyio.create_task_group() as group:
        secured = TLSListener(listener, tls, standard_compatible=False) if tls else listener
        group.start_soon(secured.serve, serve)
        yield server
        group.cancel_scope.cancel()


def answer(body: bytes = b"", *, status: str = "200 OK", headers: Mapping[str, str] | None = None) -> bytes:
    """A whole answer, with its length."""
    told = {"Content-Length": str(len(body)), **(headers or {})}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in told.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def always(data: bytes) -> Handler:
    """A server that gives every request the same answer, over connections that stay open."""

    async def handler(connection: Connection) -> None:
        while await connection.request():
            await connection.send(data)

    return handler


def once(data: bytes) -> Handler:
    """A server that sends ``data`` after a request and closes."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(data)

    return handler


async def silent(connection: Connection) -> None:
    """Takes the request and never says a word."""
    await connection.request()
    await anyio.sleep_forever()


def dripping(begin: bytes, drop: bytes, pause: float) -> Handler:
    """A server that begins an answer and then lets it drip in for ever."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(begin)
        while True:
            await connection.send(drop)
            await anyio.sleep(pause)

    return handler


@frozen
class Bytes:
    """A body held in memory, handed over in slices."""

    data: bytes
    slice: int = 64 * 1024
    content_type: str = "application/json"

    @property
    def length(self) -> int:
        return len(self.data)

    def slices(self) -> Iterator[bytes]:
        return (self.data[at : at + self.slice] for at in range(0, len(self.data), self.slice))


@asynccontextmanager
async def transport(connections: int | None = None, **timeouts: float) -> AsyncIterator[HttpTransport]:
    """A transport with a pool of its own, closed at the end."""
    opened = HttpTransport(timeouts=Timeouts(**timeouts), connections=connections)
    try:
        yield opened
    finally:
        await opened.aclose()


def post(url: str, data: bytes = b"{}", **more: object) -> Request:
    """A POST of ``data`` to ``url``."""
    return Request(method="POST", url=url, body=Bytes(data), **more)  # type: ignore[arg-type]  # as the caller says


def unused_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
