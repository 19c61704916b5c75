"""The floor: the requests of a batch and nothing else, by the transport of the package and by bare HTTP libraries."""

from __future__ import annotations

import base64
import importlib
import json
import random
import secrets
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
from attrs import frozen

from benchmarks.baseline import videos
from kling_lipsync import Timeouts
from kling_lipsync._transport import HttpTransport
from kling_lipsync.abc import Request

HEADERS = {"Authorization": "Bearer bench"}
JSON = {**HEADERS, "Content-Type": "application/json"}
LIBRARIES = ("httpx", "httpx2", "aiohttp")

Send = Callable[[str, str, bytes | None], Awaitable[bytes]]
"""(method, URL, body) to the answer's body."""

Wire = tuple[str, str, bytes | None]


def send_all(library: str, url: str, counts: dict[str, int], in_flight: int, sound: str) -> float:
    """Seconds of processor time to send the requests of a batch by ``library``, so many at once.

    ``counts`` has ``identifies``, ``creates`` and ``looks``. A look reads a page of the list with twice as many tasks
    as are in flight. The bodies are ready.
    """
    requests = [
        *identifies(url, counts["identifies"]),
        *creates(url, counts["creates"], Path(sound).read_bytes()),
        *[look(url, 2 * in_flight)] * counts["looks"],
    ]
    random.Random(0).shuffle(requests)  # noqa: S311 - an order, no secret

    async def main() -> float:
        waiting = iter(requests)

        async def work(send: Send) -> None:
            for request in waiting:
                await send(*request)

        begun = time.process_time()
        async with SENDERS[library]() as send, anyio.create_task_group() as group:
            for _ in range(in_flight):
                group.start_soon(work, send)
        return time.process_time() - begun

    return anyio.run(main)


def look(url: str, size: int) -> Wire:
    """The read of a list page."""
    return "GET", f"{url}/v1/videos/advanced-lip-sync?pageNum=1&pageSize={size}", None


def identifies(url: str, count: int) -> Iterator[Wire]:
    """A call for each of so many videos."""
    for video in videos(url, count):
        yield "POST", f"{url}/v1/videos/identify-face", json.dumps({"video_url": video}).encode()


def creates(url: str, count: int, sound: bytes) -> Iterator[Wire]:
    """Bodies of the size and the fields that the coordinator sends, on one session."""
    choice = {
        "face_id": "0",
        "sound_file": base64.b64encode(sound).decode(),
        "sound_start_time": 0,
        "sound_end_time": 4000,
        "sound_insert_time": 0,
    }
    body = {"session_id": _session(url), "face_choose": [choice], "external_task_id": ""}
    beginning = json.dumps(body).encode().removesuffix(b'"}') if count else b""
    for _ in range(count):
        yield "POST", f"{url}/v1/videos/advanced-lip-sync", beginning + f'bench-{secrets.token_hex(12)}"}}'.encode()


def _session(url: str) -> str:
    body = json.dumps({"video_url": next(iter(videos(url, 1)))}).encode()
    request = urllib.request.Request(f"{url}/v1/videos/identify-face", body, JSON)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
        return str(json.load(answer)["data"]["session_id"])


@frozen
class _Bytes:
    """A body that is at hand."""

    data: bytes
    content_type: str = "application/json"

    @property
    def length(self) -> int:
        return len(self.data)

    def slices(self) -> Iterator[bytes]:
        yield self.data


@asynccontextmanager
async def ours() -> AsyncIterator[Send]:
    """The transport of the package."""
    transport = HttpTransport(timeouts=Timeouts())

    async def send(method: str, url: str, body: bytes | None) -> bytes:
        request = Request(method=method, url=url, headers=HEADERS, body=None if body is None else _Bytes(body))
        answer = await transport.send(request)
        assert answer.status == 200, answer
        return answer.body

    yield send
    await transport.aclose()


@asynccontextmanager
async def like_httpx(name: str) -> AsyncIterator[Send]:
    """Bare httpx, or its fork of the same interface, with as many connections as requests."""
    library = importlib.import_module(name)
    limits = library.Limits(max_connections=None, max_keepalive_connections=None)
    async with library.AsyncClient(limits=limits, timeout=library.Timeout(60.0, pool=None)) as client:

        async def send(method: str, url: str, body: bytes | None) -> bytes:
            answer: Any = await client.request(method, url, content=body, headers=HEADERS if body is None else JSON)
            assert answer.status_code == 200, answer
            return bytes(answer.content)

        yield send


@asynccontextmanager
async def by_aiohttp() -> AsyncIterator[Send]:
    """Bare aiohttp, with as many connections as requests."""
    import aiohttp  # the group "bench" brings it; everything else runs without

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(method: str, url: str, body: bytes | None) -> bytes:
            headers = HEADERS if body is None else JSON
            async with session.request(method, url, data=body, headers=headers) as answer:
                assert answer.status == 200, answer
                return await answer.read()

        yield send


SENDERS: dict[str, Callable[[], Any]] = {
    "ours": ours,
    "httpx": lambda: like_httpx("httpx"),
    "httpx2": lambda: like_httpx("httpx2"),
    "aiohttp": by_aiohttp,
}


def installed() -> list[str]:
    """The bare libraries that are here."""
    return [name for name in LIBRARIES if find_spec(name) is not None]
