"""Posts to an ASGI app in this process, and what a sender signs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import anyio.lowlevel
import httpx
from attrs import define, field, frozen

from kling_lipsync.callbacks import CallbackReceiver
from kling_lipsync.callbacks.asgi import Message
from kling_lipsync.sandbox.signing import webhook_headers

SECRET = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="
OTHER = "whsec_YW5vdGhlcnNlY3JldGFub3RoZXJzZWNyZXRhbm90aGVy"
NOW = 1_781_080_800
NEWS = json.dumps({"task_id": "t1", "task_status": "succeed", "task_status_msg": ""}).encode()
TOKEN = "a-token-that-nobody-guesses"


@define
class HandClock:
    """A clock that stands still until it is set."""

    now: float = NOW

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@frozen
class Answer:
    """What the app answered."""

    status: int
    headers: dict[str, str]
    text: str


@define
class Exchange:
    """One connection to an app: what the server hands in, and what the app sends."""

    incoming: list[Message]
    sent: list[Message] = field(factory=list)

    async def receive(self) -> Message:
        await anyio.lowlevel.checkpoint()
        return self.incoming.pop(0)

    async def send(self, message: Message) -> None:
        await anyio.lowlevel.checkpoint()
        self.sent.append(message)

    @property
    def answer(self) -> Answer:
        start, body = self.sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], headers, body["body"].decode())


def scope(path: str = "/hook", headers: Any = (), method: str = "POST") -> dict[str, Any]:
    pairs = headers.items() if isinstance(headers, dict) else headers
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    return {"type": "http", "method": method, "path": path, "root_path": "", "headers": encoded}


def chunks(*parts: bytes) -> list[Message]:
    """A body in parts, as a server hands it in."""
    return [
        {"type": "http.request", "body": part, "more_body": number < len(parts)} for number, part in enumerate(parts, 1)
    ]


async def post(
    app: CallbackReceiver,
    body: bytes = NEWS,
    headers: Any = (),
    *,
    path: str = "/hook",
    method: str = "POST",
    parts: Sequence[bytes] | None = None,
) -> Answer:
    """The app's answer."""
    exchange = Exchange(chunks(*(parts or [body])))
    await app(scope(path, headers, method), exchange.receive, exchange.send)
    return exchange.answer


def signed(body: bytes = NEWS, *, secret: str = SECRET, message_id: str = "m1", at: float = NOW) -> dict[str, str]:
    """The headers of a genuine callback, as the sandbox makes them."""
    return webhook_headers(secret, message_id, int(at), body)


async def post_by_asgi(app: Any, url: str, headers: dict[str, str], body: bytes) -> int:
    """Posts as a client library does."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        return (await client.post(url, headers=headers, content=body)).status_code
