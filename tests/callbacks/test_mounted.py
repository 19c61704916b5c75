from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from kling_lipsync.callbacks import CallbackReceiver

from .driving import NEWS, SECRET, TOKEN, HandClock, post_by_asgi, signed

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("prefix", ["", "/hooks", "/a/b"])
@pytest.mark.parametrize("root_path", ["", "/behind/a/proxy"])
async def test_mounted_in_starlette(prefix: str, root_path: str) -> None:
    """At any prefix, mounts inside mounts and a server's root path included, the last segment is the token."""
    receiver, woken = CallbackReceiver(token=TOKEN), list[str]()
    receiver.subscribe(woken.append)
    app = Starlette(routes=[Mount(prefix, Starlette(routes=[Mount("/kling", receiver)]))])
    transport = httpx.ASGITransport(app, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://app{root_path}") as client:
        assert (await client.post(f"{prefix}/kling/{TOKEN}", content=NEWS)).status_code == 200
        assert (await client.post(f"{prefix}/kling/{TOKEN}x", content=NEWS)).status_code == 404
        assert (await client.post(f"{prefix}/kling/", content=NEWS)).status_code == 404
        assert (await client.get(f"{prefix}/kling/{TOKEN}")).headers["allow"] == "POST"
    assert woken == ["t1"]


async def test_mounted_with_a_secret() -> None:
    """With a signature the mount is all there is to the address."""
    receiver, woken = CallbackReceiver(SECRET, clock=HandClock()), list[str]()
    receiver.subscribe(woken.append)
    app = Starlette(routes=[Mount("/kling", receiver)])
    assert await post_by_asgi(app, "http://app/kling/", signed(), NEWS) == 200
    assert await post_by_asgi(app, "http://app/kling/", {}, NEWS) == 401
    assert woken == ["t1"]
