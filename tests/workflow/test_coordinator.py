"""Many jobs to their ends, in virtual time, against the sandbox in process."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from sqlite3 import Connection

import anyio
import pytest

from kling_lipsync import (
    Audio,
    Budget,
    Coordinator,
    Job,
    Outcome,
    PollPolicy,
    RetryPolicy,
    Speech,
    Status,
    Verdict,
    Video,
)
from kling_lipsync._journal.store import Store
from kling_lipsync.errors import (
    AccountError,
    BudgetExceeded,
    ContentRejected,
    InvalidJob,
    InvalidRequest,
    NoSuitableFace,
    TaskFailed,
    TaskTimeout,
)
from kling_lipsync.events import CreateIntended, Event, TaskCreated, TaskEnded
from kling_lipsync.sandbox import Fault

from .conftest import SAMPLES, VIDEO, World, job

pytestmark = pytest.mark.anyio


async def run_all(coordinator: Coordinator, count: int) -> Counter[Status]:
    outcomes = await coordinator.run_all([job(f"job-{n}") for n in range(count)])
    return Counter(outcome.status for outcome in outcomes)


async def test_a_job_comes_to_its_end_and_its_video_to_disk(world: World, tmp_path: Path) -> None:
    """One awaited call: identified, planned, created, watched, downloaded; the outcome tells all of it."""
    async with world.coordinator(download_to=tmp_path / "out") as coordinator:
        outcome = await coordinator.run(job(meta={"client": "acme"}))
    assert outcome.error is None
    assert outcome.status is Status.SUCCEEDED
    assert outcome.file == tmp_path / "out" / "a.mp4"
    assert outcome.file.stat().st_size > 10_000
    assert outcome.meta == {"client": "acme"}
    assert outcome.units == Decimal("1.05")
    assert outcome.result().task.video_duration_ms == 8000


async def test_the_journal_tells_what_the_run_told(world: World) -> None:
    """An outcome that is read again, the seconds that its task took among it, is the one that was handed out."""
    async with world.coordinator() as coordinator:
        outcome = await coordinator.run(job())
        assert outcome.elapsed == pytest.approx(240, abs=6)
        assert await coordinator.get("a") == outcome
    async with world.coordinator() as coordinator:
        assert await coordinator.run(job()) == outcome


async def test_a_job_costs_few_writes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job is on disk before each thing that others see, and no oftener: before identify, after it, before the
    create, after it, and with its end; no claim waits for the disk.
    """
    waits: list[bool] = []
    transact = Store.transact

    def counted(store: Store, works: Sequence[Callable[[Connection], None]], *, durable: bool = True) -> None:
        transact(store, works, durable=durable)
        waits.append(durable)

    async with world.coordinator() as coordinator:
        monkeypatch.setattr(Store, "transact", counted)
        assert (await coordinator.run(job())).status is Status.SUCCEEDED
        written = [type(event).__name__ for event in await coordinator.events()]
    assert written == [
        *("Checked", "SendIntended", "FacesIdentified", "FaceChosen", "Planned"),
        *("CreateIntended", "TaskCreated", "TaskEnded"),
    ]
    assert waits == [False, True, True, True, True, True]


async def test_fifty_jobs_fill_five_slots_and_never_six(world: World) -> None:
    """Every slot is used, none too many; the video is identified once; a second run does nothing."""
    async with world.coordinator() as coordinator:
        assert await run_all(coordinator, 50) == {Status.SUCCEEDED: 50}
    stats = world.stats()
    assert (stats["tasks"], stats["max_running"], stats["identify_calls"]) == (50, 5, 1)
    assert stats["refusals"] == {}
    async with world.coordinator() as coordinator:
        assert await run_all(coordinator, 50) == {Status.SUCCEEDED: 50}
    assert world.stats()["requests"] == stats["requests"]


async def test_an_identify_that_takes_a_slot_waits_for_one(world: World) -> None:
    """Should identify count as a running task, it is refused while all slots run, and waits as a create does."""
    world.settings = {"identify_takes_slot": True, "slots": 2}
    two = Video.from_url(VIDEO.replace("one-face", "two-faces"))
    jobs = [job(f"job-{n}", video=two if n % 2 else Video.from_url(f"{VIDEO}?copy={n}")) for n in range(8)]
    async with world.coordinator(slots=2) as coordinator:
        outcomes = await coordinator.run_all(jobs)
    assert {outcome.status for outcome in outcomes} == {Status.SUCCEEDED}
    assert world.stats()["refusals"].get("1303", 0) > 0


async def test_the_allowance_is_found_by_itself(world: World) -> None:
    """Without a ceiling a batch finds the account's slots: nothing fails, and refusals stay rare."""
    world.settings = {"slots": 12}
    async with world.coordinator(slots=None) as coordinator:
        assert await run_all(coordinator, 120) == {Status.SUCCEEDED: 120}
    stats = world.stats()
    assert stats["max_running"] == 12
    assert stats["bought_twice"] == []


async def test_a_ceiling_above_the_allowance_only_costs_a_few_refusals(world: World) -> None:
    """1303 means waiting for a slot: no job fails of it, and the limit comes down to what the account allows."""
    async with world.coordinator(slots=20) as coordinator:
        assert await run_all(coordinator, 40) == {Status.SUCCEEDED: 40}
    stats = world.stats()
    assert stats["tasks"] == 40
    assert stats["max_running"] == 5


@pytest.mark.parametrize("found_by_id", [True, False])
async def test_a_lost_answer_is_looked_up_not_sent_again(world: World, found_by_id: bool) -> None:
    """The connection drops after Kling took the task: the task is found, by its id or in the list, and bought once."""
    world.settings = {"find_external_ids": found_by_id, "list_delay": 2.0}
    world.sandbox.faults.add(Fault("drop", "create", when="after", count=4))
    async with world.coordinator() as coordinator:
        assert await run_all(coordinator, 10) == {Status.SUCCEEDED: 10}
    assert world.stats()["tasks"] == 10
    assert world.stats()["bought_twice"] == []


async def test_an_answer_lost_before_kling_acted_is_created_after_all(world: World) -> None:
    """The connection drops and no task exists: after the grace period the same external id is used once more."""
    world.sandbox.faults.add(Fault("drop", "create", when="before", count=3))
    async with world.coordinator() as coordinator:
        outcomes = await coordinator.run_all([job(f"job-{n}") for n in range(6)])
    assert {outcome.status for outcome in outcomes} == {Status.SUCCEEDED}
    assert {outcome.attempts for outcome in outcomes} == {1}
    assert world.stats()["tasks"] == 6


async def test_an_internal_error_of_a_create_is_ambiguous(world: World) -> None:
    """5000 after Kling acted buys nothing twice; 5000 before it is overcome."""
    world.sandbox.faults.add(Fault("5000", "create", when="after", count=2))
    world.sandbox.faults.add(Fault("5000", "create", when="before", count=2))
    async with world.coordinator() as coordinator:
        assert await run_all(coordinator, 6) == {Status.SUCCEEDED: 6}
    assert world.stats()["tasks"] == 6


async def test_a_create_refused_for_its_pace_is_sent_again(world: World) -> None:
    """1302 and maintenance have surely not acted: the same attempt is sent again, after the wait that was asked for."""
    world.sandbox.faults.add(Fault("1302", "create", count=3, retry_after=20.0))
    world.sandbox.faults.add(Fault("5001", "create", count=2))
    async with world.coordinator() as coordinator:
        started = anyio.current_time()
        assert await run_all(coordinator, 5) == {Status.SUCCEEDED: 5}
        assert anyio.current_time() - started > 20.0
    assert world.stats()["tasks"] == 5


async def test_a_closed_service_leaves_the_job_for_the_next_run(world: World) -> None:
    """Where every try is refused for now, the job ends its turn with the error, and a later run goes on with it."""
    fault = world.sandbox.faults.add(Fault("5001", "create"))
    async with world.coordinator() as coordinator:
        outcome = await coordinator.run(job())
        assert outcome.status is Status.FAILED
        assert outcome.error is not None
        assert outcome.error.transient
        world.sandbox.faults.rules.remove(fault)
    async with world.coordinator() as coordinator:
        assert (await coordinator.run(job())).status is Status.SUCCEEDED
    assert world.stats()["tasks"] == 1


async def test_an_account_fault_leaves_the_rest_untouched(world: World) -> None:
    """A used-up pack (HTTP 429, 1102) is not waited out: the batch stops, and a later run takes up every job."""
    fault = world.sandbox.faults.add(Fault("1102", "create", skip=2))
    async with world.coordinator() as coordinator:
        counts = await run_all(coordinator, 40)
        assert isinstance(coordinator.stopped, AccountError)
    assert counts[Status.SUCCEEDED] == 2
    assert counts[Status.NOT_STARTED] >= 30
    assert counts[Status.SUCCEEDED] + counts[Status.FAILED] + counts[Status.NOT_STARTED] == 40
    world.sandbox.faults.rules.remove(fault)
    async with world.coordinator() as coordinator:
        assert await run_all(coordinator, 40) == {Status.SUCCEEDED: 40}
    assert world.stats()["tasks"] == 40


async def test_rejected_content_fails_one_job(world: World) -> None:
    """1301 is one job's own."""
    world.sandbox.faults.add(Fault("1301", "create", skip=3, count=1))
    async with world.coordinator() as coordinator:
        outcomes = await coordinator.run_all([job(f"job-{n}") for n in range(8)])
    failed = [outcome for outcome in outcomes if outcome.status is Status.FAILED]
    assert len(failed) == 1
    assert isinstance(failed[0].error, ContentRejected)
    assert failed[0].units_in_doubt == 0


async def test_a_failed_task_costs_nothing_and_is_retried_only_when_asked(world: World) -> None:
    """A task that fails at Kling is a failed job; asked for, a new attempt has an external id of its own."""
    world.sandbox.faults.add(Fault("fail", "create", count=1, message="no mouth to move"))
    async with world.coordinator() as coordinator:
        first = await coordinator.run(job())
    assert isinstance(first.error, TaskFailed)
    assert "no mouth to move" in str(first.error)
    assert first.units == Decimal("0.05")
    async with world.coordinator() as coordinator:
        assert (await coordinator.run(job())).status is Status.FAILED
    assert world.stats()["tasks"] == 1
    async with world.coordinator(retry_failed=True) as coordinator:
        second = await coordinator.run(job())
    assert (second.status, second.attempts) == (Status.SUCCEEDED, 2)
    assert second.external_task_id == f"{first.external_task_id}-r2"


async def test_a_job_that_breaks_a_limit_sends_nothing(world: World) -> None:
    """What can be known is refused here, with what to change, before any request."""
    bad = job("bad", sound_insert_ms=6000, sound_end_ms=4000, sound_start_ms=0)
    async with world.coordinator() as coordinator:
        outcome = await coordinator.run(bad)
        report = await coordinator.check(bad)
    assert outcome.status is Status.INVALID
    assert isinstance(outcome.error, InvalidJob)
    assert outcome.error.problems
    assert report.verdict is Verdict.FAIL
    assert set(world.stats()["requests"]) <= {"media"}


async def test_a_missing_sound_and_a_local_video_are_named(world: World, tmp_path: Path) -> None:
    """Each says in one line what is wrong and what to do; other jobs go on."""
    jobs = [
        job("lost", audio=Audio.from_file(tmp_path / "no.mp3")),
        job("local", video=Video.from_url("clip.mp4")),
        job("good"),
    ]
    async with world.coordinator() as coordinator:
        lost, local, good = await coordinator.run_all(jobs)
    assert "no.mp3" in str(lost.error)
    assert "uploads" in str(local.error)
    assert (lost.status, local.status, good.status) == (Status.INVALID, Status.INVALID, Status.SUCCEEDED)


async def test_an_invalid_job_is_checked_again_by_the_next_run(world: World, tmp_path: Path) -> None:
    """A file that was put in its place meanwhile makes the same job good."""
    sound = tmp_path / "later.mp3"
    async with world.coordinator() as coordinator:
        assert (await coordinator.run(job(audio=Audio.from_file(sound)))).status is Status.INVALID
    sound.write_bytes((SAMPLES / "speech.mp3").read_bytes())
    async with world.coordinator() as coordinator:
        assert (await coordinator.run(job(audio=Audio.from_file(sound)))).status is Status.SUCCEEDED


async def test_faces_are_chosen_by_rule(world: World) -> None:
    """A rule picks its face; one that no face fits refuses the job before anything is bought."""
    two = Video.from_url(VIDEO.replace("one-face", "two-faces"))
    jobs = [job("second", video=two, face="index:1"), job("only", video=two, face="only")]
    async with world.coordinator() as coordinator:
        second, only = await coordinator.run_all(jobs)
    assert second.status is Status.SUCCEEDED
    assert second.face is not None
    assert second.face.interval.start_ms >= 3000
    assert isinstance(only.error, NoSuitableFace)
    assert only.status is Status.INVALID
    assert world.stats()["tasks"] == 1


async def test_a_text_is_spoken_and_its_sound_used(world: World) -> None:
    """Speech comes before identify, and its sound goes into the task by its id."""
    speech = Speech("The quick brown fox jumps over the lazy dog.", "oversea_male1", language="en")
    async with world.coordinator() as coordinator:
        outcome = await coordinator.run(job(audio=speech))
    assert outcome.error is None
    assert outcome.status is Status.SUCCEEDED
    assert outcome.units == Decimal("1.10")


async def test_a_video_without_a_known_face_is_refused_by_kling(world: World) -> None:
    """What only Kling can know fails the one job, with Kling's own words."""
    world.sandbox.faults.add(Fault("1201", "identify", message="The model did not detect a human"))
    async with world.coordinator() as coordinator:
        outcome = await coordinator.run(job())
    assert outcome.status is Status.FAILED
    assert isinstance(outcome.error, InvalidRequest)
    assert "did not detect a human" in str(outcome.error)


async def test_an_old_session_is_renewed_before_it_is_used(world: World) -> None:
    """A journal that is taken up after a day identifies again, and creates with the new session."""
    fault = world.sandbox.faults.add(Fault("5001", "create"))
    async with world.coordinator() as coordinator:
        await coordinator.run(job())
    world.sandbox.faults.rules.remove(fault)
    await anyio.sleep(25 * 3600)
    async with world.coordinator() as coordinator:
        assert (await coordinator.run(job())).status is Status.SUCCEEDED
    assert world.stats()["identify_calls"] == 2
    assert world.stats()["refusals"].keys() <= {"5001"}


async def test_a_wait_that_ends_leaves_the_task_running_and_a_later_run_goes_on(world: World) -> None:
    """A time-out is no failure: the outcome carries the task, and running again watches it to its end."""
    async with world.coordinator(poll=PollPolicy(interval=5.0, task_timeout=60.0)) as coordinator:
        outcome = await coordinator.run(job())
    assert outcome.status is Status.RUNNING
    assert isinstance(outcome.error, TaskTimeout)
    assert outcome.error.task.task_id == outcome.task_id
    async with world.coordinator() as coordinator:
        again = await coordinator.run(job())
    assert (again.status, again.task_id) == (Status.SUCCEEDED, outcome.task_id)
    assert world.stats()["tasks"] == 1


async def test_a_failed_download_is_made_up_for_by_the_next_run(world: World, tmp_path: Path) -> None:
    """A result that could not be fetched costs nothing more: the job has succeeded, and the file comes later."""
    fault = world.sandbox.faults.add(Fault("drop", "results"))
    async with world.coordinator(download_to=tmp_path) as coordinator:
        outcome = await coordinator.run(job())
    assert (outcome.status, outcome.file) == (Status.SUCCEEDED, None)
    assert outcome.error is not None
    world.sandbox.faults.rules.remove(fault)
    async with world.coordinator(download_to=tmp_path) as coordinator:
        outcome = await coordinator.run(job())
    assert outcome.file == tmp_path / "a.mp4"
    assert outcome.error is None
    assert world.stats()["tasks"] == 1


async def test_a_link_that_died_is_asked_for_again(world: World, tmp_path: Path) -> None:
    """Signed result links die; a fresh one is queried and fetched, without the key going along."""
    world.settings = {"result_url_lifetime": 60.0}
    async with world.coordinator() as coordinator:
        await coordinator.run(job())
    await anyio.sleep(3600)
    async with world.coordinator(download_to=tmp_path) as coordinator:
        assert (await coordinator.run(job())).file is not None
    assert world.stats()["leaked_keys"] == 0


async def test_cancelling_detaches_and_the_next_run_takes_up_every_task(world: World) -> None:
    """Leaving in the midst loses nothing: creates in flight are recorded, running tasks watched by the next run."""
    world.sandbox.faults.add(Fault("stall", "create", when="after", seconds=20.0))
    with anyio.move_on_after(60.0):
        async with world.coordinator() as coordinator:
            await run_all(coordinator, 12)
    bought = world.stats()["tasks"]
    assert 0 < bought < 12
    async with world.coordinator() as coordinator:
        totals = await coordinator.totals()
        assert totals.jobs.get(Status.IN_DOUBT, 0) == 0
        assert totals.slots == world.stats()["running"] == bought
        assert await run_all(coordinator, 12) == {Status.SUCCEEDED: 12}
    assert world.stats()["tasks"] == 12
    assert world.stats()["max_running"] == 5


async def test_a_run_that_died_between_intent_and_answer_is_reconciled(world: World) -> None:
    """An intent without an answer in the journal: the next run looks before it does anything else."""
    events: list[Event] = []
    async with world.coordinator(on_event=events.append) as coordinator:
        await coordinator.run(job())
    intent = next(event for event in events if isinstance(event, CreateIntended))
    _cut_journal_after(world.journal, intent.seq)
    async with world.coordinator(on_event=events.append) as coordinator:
        outcome = await coordinator.run(job())
    assert outcome.status is Status.SUCCEEDED
    assert outcome.external_task_id == intent.external_task_id
    assert world.stats()["tasks"] == 1
    assert any(type(event).__name__ == "TaskFound" for event in events)


def _cut_journal_after(path: Path, seq: int) -> None:
    """What a kill right after the intent's commit leaves on disk."""
    import sqlite3

    with sqlite3.connect(path) as db:
        db.execute("delete from events where seq > ?", (seq,))
        db.execute(
            "update jobs set version = (select max(version) from events), status = 'in_doubt', holds_slot = 1, "
            "reserved = 1000000"
        )
    db.close()


async def test_events_are_told_in_order_once_they_are_durable(world: World) -> None:
    """The observer hears every fact with its sequence number; what it raises harms nobody."""
    heard: list[Event] = []

    async def observe(event: Event) -> None:
        heard.append(event)
        raise RuntimeError("the observer is broken")

    async with world.coordinator(on_event=observe) as coordinator:
        await run_all(coordinator, 3)
        assert list(await coordinator.events()) == sorted(heard, key=lambda event: event.seq)
    kinds = Counter(type(event) for event in heard)
    assert kinds[CreateIntended] == kinds[TaskCreated] == kinds[TaskEnded] == 3


async def test_a_budget_is_never_passed(world: World) -> None:
    """Each task reserves its worst case first: the one that could pass the budget stops the batch unsent."""
    async with world.coordinator(budget=Budget(units=Decimal("3.5"))) as coordinator:
        outcomes = await coordinator.run_all([job(f"job-{n}") for n in range(10)])
        assert isinstance(coordinator.stopped, BudgetExceeded)
        totals = await coordinator.totals()
    counts = Counter(outcome.status for outcome in outcomes)
    assert counts[Status.SUCCEEDED] == 3
    assert counts[Status.NOT_STARTED] == 7
    assert totals.spent <= Decimal("3.5")


async def test_sends_that_were_not_answered_are_counted_once_each(world: World) -> None:
    """Identify is sent a few times and never answered: each send may have been charged, shared ones only once."""
    world.sandbox.faults.add(Fault("drop", "identify"))
    async with (
        world.client(retry=RetryPolicy(tries=3)) as client,
        Coordinator(client, journal=world.journal) as coordinator,
    ):
        outcomes = await coordinator.run_all([job(f"job-{n}") for n in range(4)])
        totals = await coordinator.totals()
    assert {outcome.status for outcome in outcomes} == {Status.FAILED}
    assert all(outcome.error is not None and outcome.error.transient for outcome in outcomes)
    sends = world.stats()["requests"]["identify"]
    assert totals.spent == sends * Decimal("0.05")
    assert totals.reserved == 0


async def test_identify_is_part_of_the_budget(world: World) -> None:
    """A budget too small for one more identify sends none."""
    async with world.coordinator(budget=Budget(units=Decimal("0.04"))) as coordinator:
        outcome = await coordinator.run(job())
        assert isinstance(coordinator.stopped, BudgetExceeded)
    assert outcome.status is Status.NOT_STARTED
    assert "identify" not in world.stats()["requests"]


async def test_changed_jobs_are_refused_where_something_was_bought(world: World) -> None:
    """The same key with another sound is not answered with the old result, nor bought again; an untouched one just
    changes.
    """
    other = job(audio=Audio.from_file(SAMPLES / "speech.wav"))
    async with world.coordinator() as coordinator:
        await coordinator.run(job())
        assert await coordinator.changed([other]) == ["a"]
        outcome = await coordinator.run(other)
    assert outcome.status is Status.INVALID
    assert "other media or settings" in str(outcome.error)
    assert world.stats()["tasks"] == 1
    unsigned = job(video=Video.from_url(f"{VIDEO}?Signature=abc&Expires=9"), meta={"x": "y"}, output="b.mp4")
    async with world.coordinator() as coordinator:
        assert (await coordinator.run(unsigned)).status is Status.SUCCEEDED
    assert world.stats()["tasks"] == 1


async def test_how_jobs_stand_before_they_are_run(world: World, tmp_path: Path) -> None:
    """What is finished, changed or unknown is told in the jobs' order, and nothing is sent; a wanted file that is
    missing leaves a job unfinished.
    """
    async with world.coordinator() as coordinator:
        await coordinator.run_all([job(), job("b")])
        requests = world.stats()["requests"]
        given = [job("c"), job("b", meta={"x": "y"}), job(audio=Audio.from_file(SAMPLES / "speech.wav"))]
        found = [each async for each in coordinator.survey(given)]
    assert [(each.job.key, each.finished, each.changed) for each in found] == [
        ("c", False, False),
        ("b", True, False),
        ("a", False, True),
    ]
    assert [each.outcome().status for each in found] == [Status.NOT_STARTED, Status.SUCCEEDED, Status.SUCCEEDED]
    assert [(each.plain() or {}).get("meta") for each in found] == [None, {"x": "y"}, {}]
    async with world.coordinator(download_to=tmp_path) as coordinator:
        assert [each.finished async for each in coordinator.survey([job()])] == [False]
    assert world.stats()["requests"] == requests


async def test_memory_holds_the_jobs_on_their_way_only(world: World) -> None:
    """An endless stream of jobs is taken in as slots free; a reader that takes nothing stops it."""
    taken = 0

    async def endless() -> AsyncIterator[Job]:
        nonlocal taken
        while True:
            taken += 1
            yield job(f"job-{taken}")

    got: list[Outcome] = []
    async with world.coordinator() as coordinator, coordinator.as_completed(endless()) as outcomes:
        await anyio.sleep(24 * 3600)
        assert taken <= 60
        async for outcome in outcomes:
            got.append(outcome)
            if len(got) == 30:
                break
    assert {outcome.status for outcome in got} == {Status.SUCCEEDED}


async def test_the_same_key_twice_is_one_job(world: World) -> None:
    """A key that comes twice, even at once, is bought once and told twice."""
    async with world.coordinator() as coordinator:
        first, second = await coordinator.run_all([job(), job()])
    assert first.task_id == second.task_id
    assert world.stats()["tasks"] == 1


async def test_an_own_external_id_is_looked_up_before_its_first_create(world: World) -> None:
    """A job that brings its own external id, used by an earlier program, is not bought again."""
    async with world.coordinator() as coordinator:
        first = await coordinator.run(job(external_task_id="order-17"))
    assert first.external_task_id == "order-17"
    world.journal.unlink()
    async with world.coordinator() as coordinator:
        second = await coordinator.run(job(external_task_id="order-17"))
    assert (second.status, second.task_id) == (Status.SUCCEEDED, first.task_id)
    assert world.stats()["tasks"] == 1
