"""How soon an outcome is handed out once Kling's callback has come, while the next look is far away."""

from __future__ import annotations

import importlib
import json
import socket
import time
from pathlib import Path
from statistics import median
from typing import Any

import anyio
import uvicorn
from attrs import field, frozen
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks import _child, ours
from benchmarks._chaos_world import world
from benchmarks._figures import Aim, Figure, Size, Skipped
from benchmarks._measured import SOUND
from kling_lipsync import Coordinator, KlingClient, Limits, PollPolicy, Status

JOBS = {Size.QUICK: 3, Size.USUAL: 40, Size.FULL: 300}
SLOTS = 2
"""Few, so that the sandbox, which opens a connection for each callback, is idle when it is asked about the task."""

SECRET = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="  # noqa: S105 - Kling's own example
NO_LOOK = 3600.0


def measure(size: Size) -> list[Figure]:
    """Milliseconds from a callback's arrival to its outcome. Raises ``Skipped`` where nothing receives callbacks."""
    try:
        _receiver_class()
    except (ImportError, AttributeError) as error:
        raise Skipped(str(error)) from error
    with world(slots=SLOTS, task_seconds=0.5, identify_seconds=0.1, callback_secret=SECRET) as served:
        delays = _child.run("callbacks:delays", url=served.url, jobs=JOBS[size]).result
    name = "callback received to outcome handed out, ms"
    aim = Aim(text="< 50", value=max(delays), most=50)
    return [
        Figure(name=f"{name}: median of {len(delays)}", ours=median(delays)),
        Figure(name=f"{name}: longest of {len(delays)}", ours=max(delays), aim=aim),
    ]


def _receiver_class() -> Any:  # noqa: ANN401 - the class, where this version has it
    return importlib.import_module("kling_lipsync.callbacks").CallbackReceiver


@frozen
class _Noted:
    """An app that notes when the callback of each task's end arrived, in seconds."""

    inner: ASGIApp
    arrivals: dict[str, float] = field(factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        moment, body = time.perf_counter(), b""

        async def noted() -> Message:
            nonlocal body
            message = await receive()
            body += message.get("body", b"")
            return message

        await self.inner(scope, noted, send)
        news = json.loads(body)
        if news["task_status"] == "succeed":
            self.arrivals[news["task_id"]] = moment


def delays(url: str, jobs: int) -> list[float]:
    """Milliseconds for each job that had not been seen to end before its callback came, as another's woke the look."""
    receiver = _receiver_class()(secret=SECRET)
    app = _Noted(receiver)
    ended: dict[str, float] = {}

    async def work(callback_url: str) -> None:
        options: Any = {"callbacks": receiver, "limits": Limits(running_tasks=SLOTS, requests_per_second=None)}
        async with (
            KlingClient(api_key="bench", base_url=url) as client,
            Coordinator(client, journal=":memory:", poll=PollPolicy(interval=NO_LOOK), **options) as coordinator,
            coordinator.as_completed(ours.jobs_on(url, jobs, Path(SOUND), callback_url=callback_url)) as outcomes,
        ):
            async for outcome in outcomes:
                assert outcome.status is Status.SUCCEEDED, outcome
                ended[outcome.task_id or ""] = time.perf_counter()

    async def main() -> None:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with anyio.create_task_group() as group:
                group.start_soon(server.serve, [listener])
                await work("http://{}:{}/".format(*listener.getsockname()))
                server.should_exit = True

    anyio.run(main)
    seen = [ended[task] - arrived for task, arrived in app.arrivals.items() if task in ended]
    return [delay * 1000 for delay in seen if delay > 0]
