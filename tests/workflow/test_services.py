"""Jobs that a service hands in and nobody awaits: durable at once, resumed after a restart, taken back before money."""

from __future__ import annotations

import anyio
import pytest

from kling_lipsync import Audio, Coordinator, Outcome, Status, Video
from kling_lipsync.errors import ClaimLost, InvalidJob
from kling_lipsync.events import CreateIntended, Event, JobDiscarded, SendFailed

from .conftest import VIDEO, World, job

pytestmark = pytest.mark.anyio


async def ended(coordinator: Coordinator, key: str) -> Outcome:
    """How the job stands once it has succeeded or failed; virtual time bounds the wait."""
    with anyio.fail_after(3600):
        while True:
            outcome = await coordinator.get(key)
            if outcome is not None and outcome.status in (Status.SUCCEEDED, Status.FAILED, Status.INVALID):
                return outcome
            await anyio.sleep(1)


async def both(coordinator: Coordinator) -> None:
    """Submits two jobs where there is one slot: the task of the first runs, the second is prepared."""
    for key in "ab":
        await coordinator.submit(job(key))
        await anyio.sleep(30)


async def facts(coordinator: Coordinator) -> list[Event]:
    return list(await coordinator.events())


async def test_a_submitted_job_is_known_at_once_and_runs_to_its_end(world: World) -> None:
    """``submit`` returns with the job on disk; ``get`` tells how it stands, and its meta comes back."""
    async with world.coordinator() as coordinator:
        await coordinator.submit(job("a", meta={"order": "7"}))
        begun = await coordinator.get("a")
        assert begun is not None
        assert begun.status is Status.NOT_STARTED
        assert (await ended(coordinator, "a")).meta == {"order": "7"}
    assert world.stats()["tasks"] == 1


async def test_what_was_submitted_goes_on_after_a_restart_and_what_ended_does_not(world: World) -> None:
    """``resume`` gives the keys of the open jobs alone, and runs them without being given them again."""
    async with world.coordinator(slots=1) as coordinator:
        await coordinator.submit(job("a"))
        await ended(coordinator, "a")
        for key in "bcd":
            await coordinator.submit(job(key))
    async with world.coordinator() as coordinator:
        assert await coordinator.resume() == ["b", "c", "d"]
        assert [(await ended(coordinator, key)).status for key in "bcd"] == [Status.SUCCEEDED] * 3
        assert await coordinator.resume() == []
    assert world.stats()["tasks"] == 4
    assert world.stats()["bought_twice"] == []


async def test_many_are_submitted_and_only_their_keys_wait(world: World) -> None:
    """Sixty jobs on five slots: each is bought once, whoever asks to resume meanwhile."""
    async with world.coordinator() as coordinator:
        for number in range(60):
            await coordinator.submit(job(f"job-{number}"))
        await coordinator.resume()
        for number in range(60):
            assert (await ended(coordinator, f"job-{number}")).status is Status.SUCCEEDED
    assert (world.stats()["tasks"], world.stats()["max_running"]) == (60, 5)


async def test_a_submitted_job_that_is_also_awaited_is_bought_once(world: World) -> None:
    """``run`` of a key that was submitted waits for that turn, and gives its outcome."""
    async with world.coordinator() as coordinator:
        await coordinator.submit(job("a"))
        assert (await coordinator.run(job("a"))).status is Status.SUCCEEDED
    assert world.stats()["tasks"] == 1


async def test_a_sound_in_memory_cannot_be_submitted(world: World) -> None:
    """Bodies never enter the journal, so such a job could not be resumed: it is refused before anything is kept."""
    async with world.coordinator() as coordinator:
        with pytest.raises(InvalidJob, match="in memory"):
            await coordinator.submit(job("a", audio=Audio.from_bytes(b"RIFF")))
        assert await coordinator.get("a") is None


async def test_a_changed_job_that_succeeded_cannot_be_submitted(world: World) -> None:
    """Another video under the key of a job that is paid is refused at once, in words."""
    async with world.coordinator() as coordinator:
        await coordinator.run(job("a"))
        with pytest.raises(InvalidJob, match="other media or settings"):
            await coordinator.submit(job("a", video=Video.from_url(VIDEO.replace("one", "two"))))


async def test_a_job_that_waits_is_discarded_and_costs_no_task(world: World) -> None:
    """Taken back while it waits for a slot: nothing is bought for it, neither now nor after a restart."""
    async with world.coordinator(slots=1) as coordinator:
        await both(coordinator)
        assert await coordinator.discard("b")
        assert not await coordinator.discard("a")
        await ended(coordinator, "a")
        assert any(isinstance(fact, JobDiscarded) and fact.key == "b" for fact in await facts(coordinator))
    async with world.coordinator() as coordinator:
        assert await coordinator.resume() == []
    assert world.stats()["tasks"] == 1


async def test_a_discarded_job_that_comes_again_begins_anew(world: World) -> None:
    """Discarding is no grave: the same key may be submitted later."""
    async with world.coordinator(slots=1) as coordinator:
        await both(coordinator)
        assert await coordinator.discard("b")
        await coordinator.submit(job("b"))
        assert (await ended(coordinator, "b")).status is Status.SUCCEEDED
    assert world.stats()["tasks"] == 2


async def test_who_awaits_a_discarded_job_is_told_that_it_was_not_started(world: World) -> None:
    """The awaiting caller gets an outcome, no cancellation."""
    told: list[Outcome] = []
    async with world.coordinator(slots=1) as coordinator, anyio.create_task_group() as group:

        async def run(key: str) -> None:
            told.append(await coordinator.run(job(key)))

        group.start_soon(run, "a")
        await anyio.sleep(30)
        group.start_soon(run, "b")
        await anyio.sleep(5)
        assert await coordinator.discard("b")
        group.start_soon(run, "a")
    assert [(outcome.key, outcome.status.value) for outcome in told] == [
        ("b", "not_started"),
        ("a", "succeeded"),
        ("a", "succeeded"),
    ]


async def test_a_job_is_discarded_in_the_middle_of_its_identify(world: World) -> None:
    """The request that is under way may be charged and is counted so; the job itself is taken back."""
    world.settings = {"identify_seconds": 60.0}
    async with world.coordinator() as coordinator:
        await coordinator.submit(job("a"))
        await anyio.sleep(20)
        assert await coordinator.discard("a")
        assert [type(fact) for fact in await facts(coordinator)][-2:] == [SendFailed, JobDiscarded]
    assert world.stats()["tasks"] == 0


async def test_discarding_while_the_create_is_under_way_comes_too_late(world: World) -> None:
    """A create that has left is awaited: the job keeps its task, and its turn goes on as if nothing had been asked."""
    asked: list[bool] = []
    async with anyio.create_task_group() as group:

        async def discard() -> None:
            asked.append(await coordinator.discard("a"))

        def watch(event: Event) -> None:
            if isinstance(event, CreateIntended):
                group.start_soon(discard)

        async with world.coordinator(on_event=watch) as coordinator:
            outcome = await coordinator.run(job("a"))
    assert (asked, outcome.status) == ([False], Status.SUCCEEDED)


async def test_an_unknown_key_needs_no_discarding(world: World) -> None:
    """Nothing will be bought for it, and the journal does not learn of it."""
    async with world.coordinator() as coordinator:
        assert await coordinator.discard("nobody")
        assert await coordinator.get("nobody") is None


async def test_a_job_of_another_process_is_not_discarded(world: World) -> None:
    """Only who has the job may take it back."""
    async with world.coordinator() as first, world.coordinator() as second:
        await first.submit(job("a"))
        await anyio.sleep(30)
        with pytest.raises(ClaimLost):
            await second.discard("a")
        await ended(first, "a")
    assert world.stats()["tasks"] == 1


async def test_two_jobs_cannot_share_an_external_id_of_their_own(world: World) -> None:
    """The second would take the first one's task for its own: it is refused, whether they come together or not."""
    jobs = [job(key, external_task_id="mine") for key in "abc"]
    async with world.coordinator() as coordinator:
        together = await coordinator.run_all(jobs[:2])
        later = await coordinator.run(jobs[2])
    assert sorted(outcome.status.value for outcome in together) == ["invalid", "succeeded"]
    assert later.status is Status.INVALID
    assert "is that of job" in str(later.error)
    assert world.stats()["tasks"] == 1
