"""A batch at life's scale, in virtual time: hours pass while nothing is left to do but wait.

The sandbox runs in the same process, so that what is measured is when requests are sent, not how fast.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import trio
from trio.testing import MockClock

from benchmarks import _child, baseline, ours
from benchmarks._figures import Aim, Figure, Size
from benchmarks._measured import SOUND, api_requests, utilisation
from kling_lipsync.sandbox import Sandbox, Settings
from kling_lipsync.testing import SANDBOX_URL, InProcessTransport, VirtualClock, sandbox_client

INTERVAL = 5.0
CROWD = 500
SLOTS = (5, 50, CROWD)
JOBS = {Size.QUICK: 20, Size.USUAL: 5000, Size.FULL: 5000}


def measure(size: Size) -> list[Figure]:
    """How full the slots are, and how many requests that takes; fewer jobs tell as much of the script."""
    slots = SLOTS[:1] if size is Size.QUICK else SLOTS
    counts = {each: (JOBS[size], min(JOBS[size], max(1000, 4 * each))) for each in slots}
    runs = [
        (f"virtual:{target}", {"jobs": jobs, "slots": each})
        for each, both in counts.items()
        for target, jobs in zip(("through_coordinator", "through_script"), both, strict=True)
    ]
    done = iter([spent.result for spent in _child.run_all(runs)])
    pairs = {each: (next(done), next(done)) for each in slots}
    return [figure(each, *pair) for figure in (_fullness, _requests) for each, pair in pairs.items()]


def _fullness(slots: int, coordinator: dict[str, float], script: dict[str, float]) -> Figure:
    name = f"utilisation: {coordinator['jobs']:,} jobs at life's scale, {slots} slots"
    aim = Aim(text="≥ 0.98", value=coordinator["utilisation"], least=0.98)
    return Figure(name=name, ours=coordinator["utilisation"], script=script["utilisation"], aim=aim)


def _requests(slots: int, coordinator: dict[str, float], script: dict[str, float]) -> Figure:
    name = f"API requests a job: {coordinator['jobs']:,} jobs at life's scale, {slots} slots"
    value = coordinator["requests"]
    aim = Aim(text="≤ 2.4", value=value, most=2.4) if slots == CROWD else None
    return Figure(name=name, ours=value, script=script["requests"], aim=aim)


def through_coordinator(jobs: int, slots: int) -> dict[str, float]:
    """The jobs through the coordinator, with all that it does by default but its pace."""

    async def work(sandbox: Sandbox, clock: VirtualClock) -> None:
        async with sandbox_client(sandbox, clock=clock, threads=False) as client:
            wanted = ours.jobs_on(SANDBOX_URL, jobs, Path(SOUND))
            await ours.run(client, wanted, slots=slots, interval=INTERVAL, journal=":memory:")

    return _in_virtual_time(jobs, slots, work)


def through_script(jobs: int, slots: int) -> dict[str, float]:
    """The jobs through the script by hand."""

    async def work(sandbox: Sandbox, clock: VirtualClock) -> None:
        async with _bare_client(sandbox) as client:
            await baseline.run(client, baseline.videos(SANDBOX_URL, jobs), Path(SOUND), slots, INTERVAL)

    return _in_virtual_time(jobs, slots, work)


@asynccontextmanager
async def _bare_client(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer bench"}
    async with anyio.create_task_group() as group:
        transport = InProcessTransport(sandbox.app, group)
        async with httpx.AsyncClient(transport=transport, base_url=SANDBOX_URL, headers=headers, timeout=120) as client:
            yield client
        group.cancel_scope.cancel()


def _in_virtual_time(
    jobs: int, slots: int, work: Callable[[Sandbox, VirtualClock], Awaitable[Any]]
) -> dict[str, float]:
    async def main() -> dict[str, float]:
        clock = VirtualClock()
        with Sandbox(Settings(slots=slots, threads=False), clock=clock.wall, sleep=anyio.sleep) as sandbox:
            await work(sandbox, clock)
            requests = sum(api_requests(sandbox.stats()).values())
            return {"jobs": jobs, "utilisation": utilisation(sandbox.tasks(), slots), "requests": requests / jobs}

    return trio.run(main, clock=MockClock(autojump_threshold=0))
