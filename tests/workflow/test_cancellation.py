"""Leaving in the midst, as applications on asyncio and trio do it, in real time against the sandbox in process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from kling_lipsync import Coordinator, KlingClient, Limits, PollPolicy, Status
from kling_lipsync.events import CreateIntended, Event, TaskCreated
from kling_lipsync.sandbox import Fault, Sandbox, Settings
from kling_lipsync.sandbox.faults import When
from kling_lipsync.testing import sandbox_client

from .conftest import job

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def asyncio_only(anyio_backend: str) -> None:
    if anyio_backend != "asyncio":
        pytest.skip("asyncio's own cancellation")


class Run:
    """A job whose create stalls after Kling took it, and what happened to it."""

    def __init__(self, sandbox: Sandbox, journal: Path) -> None:
        self.sandbox = sandbox
        self.journal = journal
        self.events: list[Event] = []
        self.intended = anyio.Event()
        self.on_intent: Callable[[], None] = lambda: None

    def hear(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, CreateIntended):
            self.intended.set()
            self.on_intent()

    async def one_job(self, client: KlingClient) -> Status:
        limits = Limits(running_tasks=5, requests_per_second=None)
        poll = PollPolicy(interval=0.02)
        async with Coordinator(
            client, journal=self.journal, limits=limits, poll=poll, on_event=self.hear
        ) as coordinator:
            return (await coordinator.run(job())).status


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Sandbox(Settings(speed=1000.0, task_sigma=0.0)) as sandbox:
        sandbox.faults.add(Fault("stall", "create", when=When.AFTER, seconds=0.3))
        yield Run(sandbox, tmp_path / "jobs.db")


async def finish(run: Run, client: KlingClient) -> None:
    """The create in flight was recorded, and a later run finds the task and buys none."""
    assert isinstance(run.events[-1], TaskCreated)
    run.on_intent = lambda: None
    assert await run.one_job(client) is Status.SUCCEEDED
    assert run.sandbox.stats()["tasks"] == 1


async def test_a_cancelled_scope_waits_for_the_create_in_flight(run: Run) -> None:
    """A cancel scope around the batch ends it once the create in flight has been answered and recorded."""
    async with sandbox_client(run.sandbox) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(run.one_job, client)
            await run.intended.wait()
            group.cancel_scope.cancel()
        await finish(run, client)


@pytest.mark.usefixtures("asyncio_only")
async def test_a_cancelled_asyncio_task_waits_for_the_create_in_flight(run: Run) -> None:
    """``task.cancel()``, as ``asyncio.run`` does on Ctrl-C, does not cut a create either."""
    async with sandbox_client(run.sandbox) as client:
        task = asyncio.create_task(run.one_job(client))
        await run.intended.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await finish(run, client)


@pytest.mark.usefixtures("asyncio_only")
async def test_asyncio_s_time_out_detaches_too(run: Run) -> None:
    """``asyncio.timeout`` around ``run`` gives up the wait, not the job."""
    async with sandbox_client(run.sandbox) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as limit:
                run.on_intent = lambda: limit.reschedule(asyncio.get_running_loop().time())
                await run.one_job(client)
        await finish(run, client)


async def test_leaving_the_stream_early_detaches(run: Run) -> None:
    """An error raised inside ``as_completed`` reaches the caller bare, and the batch ends with it."""
    run.sandbox.faults.rules.clear()

    async def fail_at_the_first(coordinator: Coordinator) -> None:
        async with coordinator.as_completed(job(f"job-{n}") for n in range(20)) as outcomes:
            async for _outcome in outcomes:
                raise ZeroDivisionError

    poll = PollPolicy(interval=0.02)
    async with (
        sandbox_client(run.sandbox, requests_per_second=None) as client,
        Coordinator(client, journal=run.journal, poll=poll) as coordinator,
    ):
        with pytest.raises(ZeroDivisionError):
            await fail_at_the_first(coordinator)
        assert (await coordinator.totals()).jobs[Status.SUCCEEDED] >= 1
