"""A sandbox in a process of its own, as a test or a benchmark wants it: any settings, any faults, a log of arrivals."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import anyio
from attrs import field, frozen
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from kling_lipsync.sandbox import Sandbox, Settings, serve

ARRIVALS = "/chaos/arrivals"
API = "/v1/"


@frozen
class World:
    """A sandbox that runs elsewhere."""

    url: str

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """What the sandbox answers at ``path``."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    def stats(self) -> dict[str, Any]:
        """The sandbox's figures."""
        return dict(self.get("/sandbox/stats"))

    def tasks(self) -> list[dict[str, Any]]:
        """Every task that was ever bought."""
        return list(self.get("/sandbox/tasks"))

    def dropped(self) -> int:
        """How many connections a fault has closed."""
        return sum(fault["struck"] for fault in self.get("/sandbox/faults") if fault["kind"] == "drop")

    def arrivals(self) -> list[float]:
        """When each request to the API came in, in seconds on a monotonic clock."""
        return list(self.get(ARRIVALS))

    def video(self, name: str = "one-face.mp4") -> str:
        """The URL of a sample video."""
        return f"{self.url}/media/{name}"


@contextlib.contextmanager
def world(faults: Sequence[Mapping[str, Any]] = (), **settings: Any) -> Iterator[World]:  # noqa: ANN401 - Settings has their types
    """A fresh sandbox with ``settings`` and ``faults`` (both as JSON has them), which ends with the block."""
    command = [sys.executable, "-m", __name__, json.dumps({"settings": settings, "faults": list(faults)})]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 - this file
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, "the sandbox does not start"
        yield World(url)
    finally:
        process.kill()
        process.communicate()


@frozen
class _Logged:
    """An app that notes when each request to the API arrives, and tells it."""

    inner: ASGIApp
    arrivals: list[float] = field(factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == ARRIVALS:
            await JSONResponse(self.arrivals)(scope, receive, send)
            return
        if scope["path"].startswith(API):
            self.arrivals.append(time.monotonic())
        await self.inner(scope, receive, send)


def _main(options: Mapping[str, Any]) -> None:
    with Sandbox(Settings(**options["settings"])) as sandbox:
        sandbox.faults.add_json(options["faults"])
        sandbox.app = _Logged(sandbox.app)
        anyio.run(serve, sandbox, "127.0.0.1", 0, lambda url: print(url, flush=True))


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
