"""The table of transitions: what a job's facts add up to."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_lipsync import events as ev
from kling_lipsync._workflow.state import BEFORE_MONEY, TRANSITIONS, JobState, Step
from kling_lipsync.errors import ErrorRecord, InvalidRequest, SlotsFull, TaskFailed
from kling_lipsync.models import Face, FaceSession, Interval, Plan, SpokenAudio, Status, Task, TaskStatus

FACE = Face(face_id="0", interval=Interval(0, 8000))
SESSION = FaceSession(session_id="77", faces=(FACE,))
ERROR = ErrorRecord(type="InvalidRequest", message="no", code=1201)
DONE = Task(task_id="t1", status=TaskStatus.SUCCEED, video_url="https://x/v.mp4")
FAILED = Task(task_id="t1", status=TaskStatus.FAILED, message="no mouth")

HAPPY: list[ev.Event] = [
    ev.Checked(video_duration_ms=8000, sound_duration_ms=4000),
    ev.FacesIdentified(session=SESSION, made_at=1.0, units=Decimal("0.05")),
    ev.FaceChosen(face=FACE, reason="the only one"),
    ev.Planned(plan=Plan(0, 4000, 0)),
    ev.CreateIntended(external_task_id="kl-1", units=Decimal(1), at=100.0),
    ev.TaskCreated(task_id="t1"),
    ev.TaskEnded(task=DONE, units=Decimal(1), at=350.0),
    ev.ResultFetched(file=Path("out/a.mp4"), size=9),
]

SAMPLES: list[ev.Event] = [
    *HAPPY,
    ev.Checked(to_speak=True),
    ev.Checked(one_step=True),
    ev.JobRefused(error=ERROR),
    ev.SpeechMade(audio=SpokenAudio(audio_id="a1", duration_ms=3000)),
    ev.StepFailed(error=ERROR),
    ev.JobFailed(error=ERROR),
    ev.JobChanged(),
    ev.JobDiscarded(),
    ev.SessionExpired(),
    ev.CreateRefused(error=ERROR),
    ev.CreateNotTaken(error=ERROR),
    ev.CreateUnanswered(error=ERROR),
    ev.TaskFound(task_id="t1"),
    ev.TaskAbsent(),
    ev.DoubtRemains(error=ERROR),
    ev.SlotPresumedFree(),
    ev.TaskEnded(task=FAILED),
    ev.FetchFailed(error=ERROR),
    ev.AttemptStarted(attempt=2),
    ev.SendIntended(units=Decimal("0.05")),
    ev.SendFailed(error=ERROR, units=Decimal("0.05")),
]


def after(*events: ev.Event) -> JobState:
    return JobState.replay("k", events)


def test_a_job_goes_from_check_to_done() -> None:
    """The facts of a job that succeeds lead through every step, and add up to its outcome."""
    steps = []
    state = JobState(key="k")
    for event in HAPPY:
        steps.append(state.next_step)
        state = state.apply(event)
    assert steps == [
        *(Step.CHECK, Step.IDENTIFY, Step.CHOOSE, Step.PLAN, Step.INTEND, Step.CREATE, Step.WATCH, Step.FETCH),
    ]
    outcome = state.outcome({"client": "acme"})
    assert state.next_step is Step.DONE
    assert outcome.status is Status.SUCCEEDED
    assert outcome.units == Decimal("1.05")
    assert outcome.units_in_doubt == 0
    assert outcome.elapsed == 250.0
    assert outcome.result().file == Path("out/a.mp4")
    assert outcome.meta == {"client": "acme"}


def test_every_fact_has_a_row_and_every_row_a_fact() -> None:
    """No kind of event is without a place in the table, and the table names no kind that does not exist."""
    assert {event.row for event in SAMPLES} == {row for _, row in TRANSITIONS}
    assert {type(event) for event in SAMPLES} == set(ev.EVENTS.values())


def test_create_is_reached_from_an_intent_only() -> None:
    """There is no other way to the step that costs money, so an intent is on disk before every create."""
    ways = {(step, row) for (step, row), target in TRANSITIONS.items() if target is Step.CREATE}
    assert ways == {(Step.INTEND, "CreateIntended")}


def test_an_unanswered_create_leads_to_a_look_only() -> None:
    """After a lost answer the table knows nothing but looking."""
    ways = {row for (step, row), target in TRANSITIONS.items() if step is Step.RECONCILE and target is not step}
    assert ways == {"TaskFound", "TaskAbsent"}


def test_a_fact_that_cannot_follow_is_refused() -> None:
    """A journal whose facts make no sense is an error, not a guess."""
    with pytest.raises(LookupError, match=r"TaskCreated cannot follow at step check of job 'k'"):
        JobState(key="k").apply(ev.TaskCreated(task_id="t1"))


def test_between_intent_and_answer_a_job_is_in_doubt() -> None:
    """A run that dies between the intent and the answer leaves a journal that says that money may have been spent."""
    state = after(*HAPPY[:5])
    assert state.outcome().status is Status.IN_DOUBT
    assert state.outcome().units_in_doubt == 1
    assert state.holds_slot


def test_slots_full_keeps_the_plan_and_gives_the_slot_back() -> None:
    """1303 sends the same attempt back to wait for a slot, with nothing reserved; it does not count as a try."""
    full = ErrorRecord(type=SlotsFull.__name__, message="full", code=1303)
    state = after(*HAPPY[:5], ev.CreateNotTaken(error=full))
    assert (state.next_step, state.holds_slot, state.reserved, state.tries) == (Step.INTEND, False, 0, 0)
    assert state.plan == Plan(0, 4000, 0)
    assert state.attempt == 1


def test_a_create_that_was_not_taken_counts_as_a_try_until_it_is_left() -> None:
    """Tries add up over one run and begin anew with the next."""
    once = [HAPPY[4], ev.CreateNotTaken(error=ERROR)]
    state = after(*HAPPY[:4], *once, *once)
    assert state.tries == 2
    assert state.apply(ev.StepFailed(error=ERROR)).tries == 0


def test_a_doubt_keeps_its_slot_and_its_money() -> None:
    """What may run at Kling holds its slot until it is presumed free, and its money for as long as nobody can tell."""
    state = after(*HAPPY[:5], ev.CreateUnanswered(error=ERROR), ev.DoubtRemains(error=ERROR))
    assert (state.holds_slot, state.reserved, state.paused) == (True, 1, True)
    lent = state.apply(ev.SlotPresumedFree())
    assert (lent.holds_slot, lent.reserved, lent.status) == (False, 1, Status.IN_DOUBT)


def test_a_proof_of_absence_gives_slot_and_money_back_and_keeps_the_attempt() -> None:
    """The same attempt intends again; it waits for a slot as any other job does."""
    state = after(*HAPPY[:5], ev.CreateUnanswered(error=ERROR), ev.TaskAbsent())
    assert (state.next_step, state.holds_slot, state.reserved, state.attempt) == (Step.INTEND, False, 0, 1)
    assert state.external_task_id == "kl-1"


def test_a_new_attempt_knows_nothing_of_the_old_one_but_its_cost() -> None:
    """A retried job is checked, identified and planned afresh; what was spent stays spent."""
    failed = after(*HAPPY[:6], ev.TaskEnded(task=FAILED, units=Decimal("0.5")))
    again = failed.apply(ev.AttemptStarted(attempt=2))
    assert (again.next_step, again.attempt, again.spent) == (Step.CHECK, 2, Decimal("0.55"))
    assert again.session is again.plan is again.external_task_id is again.task_id is again.task is None


def test_a_failed_task_tells_kling_s_reason() -> None:
    """The outcome of a failed task carries its reason and its id, as a TaskFailed."""
    error = after(*HAPPY[:6], ev.TaskEnded(task=FAILED)).outcome().error
    assert isinstance(error, TaskFailed)
    assert "no mouth" in str(error)
    assert error.task == FAILED


def test_a_failed_download_leaves_the_job_succeeded() -> None:
    """A result that could not be fetched is an error to tell, not a task to buy again."""
    outcome = after(*HAPPY[:7], ev.FetchFailed(error=ErrorRecord(type="DownloadError", message="gone"))).outcome()
    assert outcome.status is Status.SUCCEEDED
    assert outcome.file is None
    assert str(outcome.error) == "gone"


def test_an_error_is_told_only_until_the_job_goes_on() -> None:
    """A refusal that was overcome is not reported with the success."""
    state = after(ev.Checked(), ev.StepFailed(error=ERROR))
    assert isinstance(state.outcome().error, InvalidRequest)
    assert state.apply(HAPPY[1]).outcome().error is None


@given(st.lists(st.sampled_from(SAMPLES), max_size=60))
def test_whatever_follows_a_slot_is_held_only_beside_an_open_create(events: list[ev.Event]) -> None:
    """Along any path that the table allows: before an intent nothing is held or reserved, after an end neither."""
    state = JobState(key="k")
    for event in events:
        try:
            state = state.apply(event)
        except LookupError:
            continue
        if state.next_step in BEFORE_MONEY or state.next_step in (Step.DONE, Step.FETCH):
            assert not state.holds_slot
            assert state.sending or state.reserved == 0
