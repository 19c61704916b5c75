"""As much of ASGI as a receiver of posts needs; of no framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class Refused(Exception):
    """The request gets ``status``, and ``reason`` in one line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class HungUp(Exception):
    """The sender left before its request was whole."""


async def read_body(receive: Receive, largest: int) -> bytes:
    """The request's body, counted as it comes.

    Raises ``Refused`` with 413 for more than ``largest`` bytes, ``HungUp`` where the rest never comes.
    """
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HungUp
        body += message.get("body", b"")
        if len(body) > largest:
            raise Refused(413, f"the body has more than {largest} bytes")
        more = message.get("more_body", False)
    return bytes(body)


async def answer(send: Send, status: int, line: str = "") -> None:
    """Answers with ``line`` as plain text."""
    body = f"{line}\n".encode() if line else b""
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"text/plain; charset=utf-8")]
    if status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def live(receive: Receive, send: Send) -> None:
    """Answers a server that tells of its start and end; nothing depends on either."""
    ended = False
    while not ended:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        ended = event == "lifespan.shutdown"


def last_segment(scope: Scope) -> str:
    """The last segment of the path that was asked for, wherever the app is mounted."""
    return str(scope["path"]).rstrip("/").rpartition("/")[2]


def header_pairs(scope: Scope) -> list[tuple[str, str]]:
    """The request's headers as texts."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
