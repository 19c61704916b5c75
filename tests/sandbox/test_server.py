from __future__ import annotations

import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from kling_lipsync.sandbox import Fault, FetchFailed, Sandbox, Settings, serve
from kling_lipsync.sandbox.studio import fetch_by_http

from .making import CREATE, IDENTIFY, KEY

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]  # as uvicorn is


@asynccontextmanager
async def _served(media: Path, **settings: Any) -> AsyncIterator[tuple[Sandbox, httpx.AsyncClient]]:
    """A sandbox on a socket of loopback, and a client of it."""
    chosen = Settings(**{"media": media, "speed": 1000, "task_sigma": 0, **settings})
    with Sandbox(chosen) as sandbox:
        urls: list[str] = []
        ready = anyio.Event()

        def started(url: str) -> None:
            urls.append(url)
            ready.set()

        async with anyio.create_task_group() as group:
            group.start_soon(serve, sandbox, "127.0.0.1", 0, started)
            await ready.wait()
            headers = {"authorization": f"Bearer {KEY}"}
            async with httpx.AsyncClient(base_url=urls[0], headers=headers, trust_env=False) as client:
                yield sandbox, client
            group.cancel_scope.cancel()


async def _order(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    origin = str(client.base_url).rstrip("/")
    clip, sound = (f"{origin}/media/{name}" for name in ("clip.mp4", "tone.wav"))
    found = (await client.post(IDENTIFY, json={"video_url": clip})).json()["data"]
    choice = {
        "face_id": "0", "sound_file": sound, "sound_start_time": 0, "sound_end_time": 2000, "sound_insert_time": 1000,
    }  # fmt: skip
    return {"session_id": found["session_id"], "face_choose": [choice], **changes}


async def test_a_job_over_a_socket(media: Path) -> None:
    """From identify to the downloaded result, in real time a thousand times as fast."""
    async with _served(media) as (_, client), httpx.AsyncClient(trust_env=False) as stranger:
        task_id = (await client.post(CREATE, json=await _order(client))).json()["data"]["task_id"]
        with anyio.fail_after(10):
            while (task := (await client.get(f"{CREATE}/{task_id}")).json()["data"])["task_status"] != "succeed":
                await anyio.sleep(0.02)
        url = task["task_result"]["videos"][0]["url"]
        whole = await stranger.get(url)
        part = await stranger.get(url, headers={"range": "bytes=4-7"})
        head = await stranger.head(url)
    assert part.content == b"ftyp" == whole.content[4:8]
    assert int(head.headers["content-length"]) == len(whole.content)
    assert len(whole.headers.get_list("date")) == 1


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_dropped_connection_is_really_closed(media: Path, when: str) -> None:
    """No byte of an answer comes; the request was carried out or not; the next connection works."""
    async with _served(media) as (sandbox, client):
        order = await _order(client)
        sandbox.faults.add(Fault("drop", "create", when=when, count=1))
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            await client.post(CREATE, json=order)
        assert sandbox.stats()["tasks"] == (1 if when == "after" else 0)
        assert (await client.get(CREATE)).json()["code"] == 0


async def test_a_cut_download_ends_half_way(media: Path) -> None:
    """The length was promised, half of it came."""
    async with _served(media) as (sandbox, client):
        length = int((await client.head("/media/tone.wav")).headers["content-length"])
        sandbox.faults.add(Fault("cut", "media", count=1))
        with pytest.raises(httpx.RemoteProtocolError, match=rf"received {length // 2} bytes, expected {length}"):
            await client.get("/media/tone.wav")
        assert (await client.get("/media/tone.wav")).status_code == 200


async def test_a_full_account_is_refused_in_the_middle_of_an_upload(media: Path) -> None:
    """The answer is there while most of the body is still unsent."""
    async with _served(media, slots=1, refuse_early=True, task_seconds=1e9) as (_, client):
        host, port = client.base_url.host, client.base_url.port
        assert port is not None
        assert (await client.post(CREATE, json=await _order(client))).json()["code"] == 0
        async with await anyio.connect_tcp(host, port) as stream:
            head = (
                f"POST {CREATE} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: 5000000\r\n\r\n"
            )
            await stream.send(head.encode() + b"{" * 1000)
            with anyio.fail_after(5):
                answer = await stream.receive()
    assert answer.startswith(b"HTTP/1.1 429")


async def test_an_error_of_nobodys_is_not_hidden(media: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong inside is HTTP 500 and a traceback in the log."""

    async def broken(seconds: float) -> None:
        raise ZeroDivisionError(seconds)

    with Sandbox(Settings(media=media), sleep=broken) as sandbox:
        sandbox.faults.add(Fault("stall", "list"))
        async with anyio.create_task_group() as group:
            send, receive = anyio.create_memory_object_stream[str](1)
            group.start_soon(serve, sandbox, "127.0.0.1", 0, send.send_nowait)
            url = await receive.receive()
            send.close()
            receive.close()
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(url + CREATE, headers={"authorization": "Bearer k"})
            group.cancel_scope.cancel()
    assert answer.status_code == 500
    assert "ZeroDivisionError" in caplog.text


async def test_the_server_stops_at_once(media: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A request that is waiting for its answer does not keep the server up: it is hung up on, without a complaint."""
    failures: list[Exception] = []
    async with anyio.create_task_group() as waiting, _served(media, speed=1) as (sandbox, client):
        sandbox.faults.add(Fault("stall", "list", seconds=3600))
        patient = httpx.AsyncClient(base_url=client.base_url, headers=client.headers, trust_env=False, timeout=60)

        async def wait() -> None:
            async with patient:
                try:
                    await patient.get(CREATE)
                except httpx.TransportError as error:
                    failures.append(error)

        waiting.start_soon(wait)
        with anyio.fail_after(5):
            while not sandbox.stats()["requests"].get("list"):
                await anyio.sleep(0.01)
    assert len(failures) == 1
    assert caplog.text == ""


async def test_an_address_in_use_is_an_error(media: Path) -> None:
    """Raised to the caller, who can choose another."""
    with socket.socket() as taken, Sandbox(Settings(media=media)) as sandbox:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            await serve(sandbox, "127.0.0.1", taken.getsockname()[1])


async def test_signals_stay_the_callers(media: Path) -> None:
    """Serving installs no handler for SIGINT."""
    before = signal.getsignal(signal.SIGINT)
    async with _served(media):
        assert signal.getsignal(signal.SIGINT) is before


async def test_callbacks_are_posted_by_the_server(media: Path) -> None:
    """A served sandbox sends them by itself, over HTTP."""
    async with _served(media) as (sandbox, client):
        url = f"{str(client.base_url).rstrip('/')}/nobody"
        await client.post(CREATE, json=await _order(client, callback_url=url))
        with anyio.fail_after(10):
            while sandbox.stats()["callbacks"] != {"sent": 0, "failed": 2}:
                await anyio.sleep(0.02)


async def test_urls_of_others_are_fetched_over_http(media: Path, tmp_path: Path) -> None:
    """What is there arrives whole; what is missing, too long, closed or no address is `FetchFailed`."""
    into = tmp_path / "fetched"
    async with _served(media) as (_, client):
        origin = str(client.base_url).rstrip("/")
        await fetch_by_http(f"{origin}/media/tone.wav", into, 1_000_000)
        assert into.read_bytes() == (media / "tone.wav").read_bytes()
        with pytest.raises(FetchFailed, match="longer than 1000 bytes"):
            await fetch_by_http(f"{origin}/media/tone.wav", into, 1000)
        with pytest.raises(FetchFailed, match="404"):
            await fetch_by_http(f"{origin}/media/nothing", into, 1000)
    with pytest.raises(FetchFailed):
        await fetch_by_http(f"{origin}/media/tone.wav", into, 1000)
    with pytest.raises(FetchFailed):
        await fetch_by_http("http://[", into, 1000)
