"""What a client may take for a proof that its task does not exist: each time it is told less than it seems.

In virtual time, against a sandbox that takes a second task of the same external id.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trio
from attrs import evolve, frozen
from trio.testing import MockClock

from kling_lipsync import Audio, Coordinator, Limits, Outcome, Plan, PollPolicy, Status, Video
from kling_lipsync._protocol import Contract, Dialect
from kling_lipsync._workflow import reconcile
from kling_lipsync.gateways import Gateway, load_gateway
from kling_lipsync.sandbox import Fault
from kling_lipsync.testing import SANDBOX_URL, InProcessTransport, VirtualClock, sandbox_client
from tests.workflow.conftest import SAMPLES, VIDEO, World, job

HOUR = 3600.0
LIST_ONLY: dict[str, Any] = {"duplicates": "allow", "slots": 1000, "find_external_ids": False}
LOST = Fault("drop", "create", when="after", count=1)


@frozen
class WrongClock:
    """A clock that is wrong by ``offset`` seconds."""

    right: VirtualClock
    offset: float

    def wall(self) -> float:
        return self.right.wall() + self.offset

    def monotonic(self) -> float:
        return self.right.monotonic()


@asynccontextmanager
async def coordinator(
    world: World, *, clock: float = 0.0, gateway: Any = "official", **options: Any
) -> AsyncIterator[Coordinator]:
    """A run on the world's journal, its clock wrong by ``clock`` seconds."""
    options = {"journal": world.journal, "limits": Limits(running_tasks=2), "poll": PollPolicy(interval=5.0), **options}
    connection: dict[str, Any] = (
        {"gateway": gateway} if gateway == "official" else {"gateway": gateway, "base_url": None}
    )
    wrong = WrongClock(world.clock, clock)
    async with (
        sandbox_client(world.sandbox, clock=wrong, threads=False, **connection) as client,
        Coordinator(client, **options) as running,
    ):
        yield running


def play(folder: Path, settings: dict[str, Any], scene: Callable[[World], Awaitable[None]]) -> dict[str, Any]:
    """Plays ``scene`` in a fresh world, and gives the sandbox's figures."""
    world = World(journal=folder / "jobs.db", settings=settings)

    async def played() -> dict[str, Any]:
        with world.sandbox:
            await scene(world)
            return world.stats()

    return trio.run(played, clock=MockClock(autojump_threshold=0))


async def run_one(world: World, **options: Any) -> Outcome:
    async with coordinator(world, **options) as running:
        return await running.run(job())


async def interrupted_in_doubt(world: World, **options: Any) -> None:
    """A run whose create was taken and not answered, and that ends while it looks for it in vain."""
    world.sandbox.faults.add(evolve(LOST))
    blind = world.sandbox.faults.add(Fault("502", "list"))
    with anyio.move_on_after(40.0):
        await run_one(world, **options)
    world.sandbox.faults.rules.remove(blind)
    assert world.stats()["tasks"] == 1


def test_a_clock_set_back_hides_no_task_in_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The intent was dated an hour ahead; the next run, its clock right, still reads the list as far back as needed."""
    monkeypatch.setattr(reconcile, "LARGEST_PAGE", 3)

    async def scene(world: World) -> None:
        await interrupted_in_doubt(world, clock=HOUR)
        async with coordinator(world, journal=":memory:") as others:
            await others.run_all([job(f"other-{number}") for number in range(8)])
        assert (await run_one(world)).status is Status.SUCCEEDED

    stats = play(tmp_path, {**LIST_ONLY, "task_seconds": 10.0}, scene)
    assert (stats["tasks"], stats["bought_twice"]) == (9, [])


def test_a_clock_set_ahead_lends_out_no_slot_of_a_running_task(tmp_path: Path) -> None:
    """Tasks that have run for a minute are not taken for an hour old: no more run than may."""

    async def scene(world: World) -> None:
        jobs = [job(f"job-{number}") for number in range(6)]
        with anyio.move_on_after(100.0):
            async with coordinator(world) as running:
                await running.run_all(jobs)
        async with coordinator(world, clock=HOUR) as running:
            assert {outcome.status for outcome in await running.run_all(jobs)} == {Status.SUCCEEDED}

    stats = play(tmp_path, {**LIST_ONLY, "task_seconds": 600.0}, scene)
    assert (stats["tasks"], stats["bought_twice"]) == (6, [])
    assert stats["max_running"] == 2


def test_a_query_that_is_refused_proves_nothing(tmp_path: Path) -> None:
    """Where external ids are found, only "no such task" says that there is none: "wrong parameters" does not."""
    finding = evolve(load_gateway("official", base_url=SANDBOX_URL), finds_external_ids=True)

    async def scene(world: World) -> None:
        world.sandbox.faults.add(evolve(LOST))
        world.sandbox.faults.add(Fault("1201", "query", count=12))
        await run_one(world, gateway=finding)
        await run_one(world, gateway=finding)

    stats = play(tmp_path, {"duplicates": "allow"}, scene)
    assert (stats["tasks"], stats["bought_twice"]) == (1, [])


def test_a_late_list_among_tasks_without_ids_is_waited_for(tmp_path: Path) -> None:
    """The account's other tasks bear no external ids, and the list is two seconds late: the task is found all the same
    in this run, not left in doubt.
    """

    async def scene(world: World) -> None:
        async with sandbox_client(world.sandbox, clock=world.clock, threads=False) as client:
            session = await client.identify_faces(Video.from_url(VIDEO))
            await client.create_task(
                session, session.faces[0].face_id, Audio.from_file(SAMPLES / "speech.mp3"), Plan(0, 3000, 0)
            )
        await anyio.sleep(HOUR)
        world.sandbox.faults.add(evolve(LOST))
        assert (await run_one(world)).status is Status.SUCCEEDED

    stats = play(tmp_path, {**LIST_ONLY, "list_delay": 2.0}, scene)
    assert (stats["tasks"], stats["bought_twice"]) == (2, [])


def test_an_external_id_that_a_job_brings_is_looked_for_in_the_list(tmp_path: Path) -> None:
    """A task that was bought under the job's own id by an earlier journal is found before anything is bought."""

    async def scene(world: World) -> None:
        for name in ("first", "second"):
            async with coordinator(world, journal=world.journal.with_name(name)) as running:
                outcome = await running.run(job(external_task_id="mine-1"))
                assert outcome.status is Status.SUCCEEDED

    stats = play(tmp_path, LIST_ONLY, scene)
    assert (stats["tasks"], stats["bought_twice"]) == (1, [])


def test_a_one_step_task_is_not_proved_absent_by_ids_of_others(tmp_path: Path) -> None:
    """A one-step create carries no external id: a list proves nothing about it, whatever ids other tasks bear."""
    path = "/v1/videos/lip-sync"
    dialect = Dialect(contract=Contract.ONE_STEP, identify=None, create=path, tasks=path)
    one_step = Gateway(name="one-step", base_url=SANDBOX_URL, dialect=dialect, lists_tasks=True)

    async def scene(world: World) -> None:
        source = {"mode": "audio2video", "audio_type": "url", "audio_url": f"{SANDBOX_URL}/media/speech.mp3"}
        body = {"input": {"video_url": VIDEO, **source}, "external_task_id": "somebody-else"}
        async with anyio.create_task_group() as group:
            somebody = httpx.AsyncClient(transport=InProcessTransport(world.sandbox.app, group))
            answer = await somebody.post(SANDBOX_URL + path, json=body, headers={"authorization": "Bearer test-key"})
            assert answer.status_code == 200, answer.text
        world.sandbox.faults.add(evolve(LOST, endpoint="one_step_create"))
        assert (await run_one(world, gateway=one_step)).status is Status.IN_DOUBT

    assert play(tmp_path, LIST_ONLY, scene)["tasks"] == 2


def test_a_journal_restored_from_a_backup_adopts_what_was_bought_since(tmp_path: Path) -> None:
    """A copy that lags behind finds its tasks in the list, even where Kling would take them a second time."""

    async def scene(world: World) -> None:
        async with coordinator(world) as running:
            await running.run(job("before"))
        backup = shutil.copy(world.journal, world.journal.with_name("backup.db"))
        await run_one(world)
        assert (await run_one(world, journal=backup)).status is Status.SUCCEEDED

    stats = play(tmp_path, LIST_ONLY, scene)
    assert (stats["tasks"], stats["bought_twice"]) == (2, [])
