"""Connections that listen while they speak, so that an answer which comes before its time is not lost."""

from __future__ import annotations

import select
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import anyio
import anyio.lowlevel
import httpcore2

_WORTH_LISTENING = 16 * 1024
"""A shorter piece is away before anybody could answer it."""
_MOST_PIECES = 16


class ListeningBackend(httpcore2.AnyIOBackend):
    """Opens connections for httpcore2's pool, over asyncio and trio alike."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2 asks so
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection that listens while it speaks."""
        return ListeningStream(await super().connect_tcp(host, port, timeout, local_address, socket_options))


class ListeningStream(httpcore2.AsyncNetworkStream):
    """Reads while it writes.

    A server that refuses a large body in its midst (413, 429) answers and closes at once. The failed write then closes
    the connection here too, and asyncio drops what it had not read yet: the refusal would be lost. httpcore2 reads on
    after a ``WriteError``, and finds here what was heard.
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._heard: deque[bytes] = deque()
        self._listens = False
        self._readable = _readability(stream.get_extra_info("socket"))

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore2 asks so
        """The next bytes, those heard while writing first; an empty piece is the end."""
        if not self._heard:
            return await self._stream.read(max_bytes, timeout)
        piece = self._heard.popleft()
        if len(piece) > max_bytes:
            self._heard.appendleft(piece[max_bytes:])
        return piece[:max_bytes]

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore2 asks so
        """Sends ``buffer``; raises httpcore2's errors, a ``WriteError`` wherever there is something to read."""
        if len(buffer) < _WORTH_LISTENING:
            return await self._stream.write(buffer, timeout)
        failed: Exception | None = None
        async with anyio.create_task_group() as both:
            both.start_soon(self._listen)
            try:
                await self._hear_what_is_there()
                await self._stream.write(buffer, timeout)
            except (httpcore2.WriteError, httpcore2.WriteTimeout) as error:
                failed = error
            both.cancel_scope.cancel()
        if failed and self._heard:
            raise httpcore2.WriteError("the server answered before the request was whole") from failed
        if failed:
            raise failed
        return None

    async def _hear_what_is_there(self) -> None:
        """Writes that never have to wait would never let anything be heard."""
        await anyio.lowlevel.checkpoint()
        while self._listens and self._stream.get_extra_info("is_readable"):
            await anyio.lowlevel.checkpoint()

    async def _listen(self) -> None:
        self._listens = True
        try:
            while len(self._heard) < _MOST_PIECES and b"" not in self._heard:
                self._heard.append(await self._stream.read(httpcore2.AsyncHTTP11Connection.READ_NUM_BYTES))
        except httpcore2.ReadError:
            pass  # the write fails too, or the next read says it
        finally:
            self._listens = False

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2 asks so
    ) -> httpcore2.AsyncNetworkStream:
        """The same connection, encrypted."""
        return ListeningStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore2 says so
        """What the connection knows of itself; one with something left to read must not carry another request."""
        if info == "is_readable":
            return bool(self._heard) or self._readable()
        return self._stream.get_extra_info(info)

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._stream.aclose()


def _readability(socket: Any) -> Callable[[], bool]:  # noqa: ANN401 - asyncio's, trio's or Python's own
    """Whether there is something to read now, asked of the system alone.

    The pool asks it of every idle connection with every request, and twice.
    """
    if not hasattr(select, "poll"):  # Windows
        return lambda: socket.fileno() < 0 or bool(select.select([socket], [], [], 0)[0])
    poller = select.poll()
    poller.register(socket, select.POLLIN)
    return lambda: socket.fileno() < 0 or bool(poller.poll(0))
