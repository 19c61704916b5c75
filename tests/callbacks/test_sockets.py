"""The sandbox's own callbacks to a real server, over real sockets."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import httpx
import pytest

from kling_lipsync import Audio, CallbackReceiver, Coordinator, Job, KlingClient, Limits, PollPolicy, Status, Video
from kling_lipsync.cli._listening import Door, make_door
from kling_lipsync.errors import ConfigurationError
from kling_lipsync.sandbox import Sandbox, Settings, serve
from kling_lipsync.sandbox.callbacks import Post, post_by_http

from .driving import NEWS, OTHER, SECRET, TOKEN, post_by_asgi, signed

pytestmark = pytest.mark.anyio

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
SAMPLES = Path(__file__).parents[2] / "kling_lipsync" / "sandbox" / "samples"
NEVER = 3600.0
"""Seconds between two looks at all: a batch that depends on them does not end in a test's time."""


@pytest.fixture
def anyio_backend() -> str:
    """The servers are uvicorn's, which runs on asyncio."""
    return "asyncio"


@asynccontextmanager
async def sandbox(post: Post = post_by_http, **settings: Any) -> AsyncIterator[tuple[Sandbox, str]]:
    """A sandbox on a socket, whose tasks take a second."""
    chosen = Settings(speed=1000.0, identify_seconds=20.0, task_seconds=1000.0, task_sigma=0.0, **settings)
    with Sandbox(chosen, post=post) as served:
        async with anyio.create_task_group() as group:
            yield served, await group.start(_serve, served)
            group.cancel_scope.cancel()


async def _serve(served: Sandbox, *, task_status: anyio.abc.TaskStatus[str]) -> None:
    await serve(served, started=task_status.started)


def door_of(receiver: CallbackReceiver) -> Door:
    return Door(receiver=receiver, host="127.0.0.1", port=0, url="")


@pytest.mark.parametrize(
    ("receiver", "settings"),
    [
        (CallbackReceiver([OTHER, SECRET]), {"callback_secret": SECRET}),
        (CallbackReceiver(token=TOKEN), {"callback_copies": 2, "callback_reorder": True}),
    ],
    ids=["signed", "token"],
)
async def test_a_batch_ends_by_callbacks(receiver: CallbackReceiver, settings: dict[str, Any], tmp_path: Path) -> None:
    """Four jobs on two slots come to disk although nobody looks by himself; every callback is taken."""
    async with (
        door_of(receiver).open() as address,
        sandbox(slots=2, **settings) as (served, url),
        KlingClient(api_key="key", base_url=url) as client,
        Coordinator(
            client,
            journal=tmp_path / "jobs.db",
            download_to=tmp_path,
            limits=Limits(running_tasks=2, requests_per_second=None),
            poll=PollPolicy(interval=NEVER),
            callbacks=receiver,
        ) as coordinator,
    ):
        jobs = [
            Job(
                key=f"job-{number}",
                video=Video.from_url(f"{url}/media/one-face.mp4"),
                audio=Audio.from_file(SAMPLES / "speech.wav"),
                callback_url=receiver.url_below(f"http://{address}/kling"),
            )
            for number in range(4)
        ]
        with anyio.fail_after(60):
            outcomes = await coordinator.run_all(jobs)
            while sum(served.stats()["callbacks"].values()) < 8 * settings.get("callback_copies", 1):
                await anyio.sleep(0.01)
    assert [outcome.status for outcome in outcomes] == [Status.SUCCEEDED] * 4
    assert len(list(tmp_path.glob("*.mp4"))) == 4
    assert served.stats()["callbacks"]["failed"] == 0
    assert served.stats()["max_running"] == 2


async def test_the_application_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands there, it takes the sandbox's signed callbacks at its mount, and its coordinator ends a job."""
    found = re.search(r"```python\n(import os\n.*?)```", README, re.DOTALL)
    assert found is not None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KLING_CALLBACK_SECRET", SECRET)
    monkeypatch.setenv("KLING_API_KEY", "key")
    names: dict[str, Any] = {}
    exec(found[1], names)  # noqa: S102 - our own words
    post = partial(post_by_asgi, names["app"])
    async with sandbox(post, callback_secret=SECRET) as (served, url):
        monkeypatch.setenv("KLING_BASE_URL", url)
        async with names["app"].router.lifespan_context(names["app"]) as state:
            video, audio = Video.from_url(f"{url}/media/one-face.mp4"), Audio.from_file(SAMPLES / "speech.wav")
            job = Job(key="a", video=video, audio=audio, callback_url="https://example.com/kling/")
            assert (await state["coordinator"].run(job)).status is Status.SUCCEEDED
    assert served.stats()["callbacks"] == {"sent": 2, "failed": 0}


async def test_bodies_over_a_socket() -> None:
    """A body in chunks, without a length, is counted as it comes; junk and silence are answered or dropped."""
    receiver, woken = CallbackReceiver(token=TOKEN), list[str]()
    receiver.subscribe(woken.append)

    async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    async with door_of(receiver).open() as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        for _ in range(3):
            large = await client.post(f"/{TOKEN}", content=pieces(*[b" " * 100_000] * 3))
            assert large.status_code == 413
        assert (await client.post(f"/{TOKEN}", content=pieces(NEWS[:5], NEWS[5:]))).status_code == 200
        assert (await client.post("/elsewhere", content=NEWS, headers=signed())).status_code == 404
        host, _, port = address.rpartition(":")
        for junk in (
            b"\x16\x03\x01 hello\r\n\r\n",
            f"POST /{TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n".encode(),
        ):
            async with await anyio.connect_tcp(host, int(port)) as stream:
                await stream.send(junk)
        assert (await client.post(f"/{TOKEN}", content=NEWS)).status_code == 200
    assert woken == ["t1", "t1"]


async def test_an_address_in_use() -> None:
    """It is told in one line, before anything is sent."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        door = make_door(f"127.0.0.1:{port}", "https://app.example/", {})
        assert door is not None
        with pytest.raises(ConfigurationError, match=f"--callback-listen 127.0.0.1:{port}: "):
            async with door.open():
                pytest.fail("somebody else listens there")
