"""What a job's events add up to, and what to do next: a table, without clock and without I/O.

The same table takes a job through a run and replays a journal after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from .. import events as ev
from ..errors import ErrorRecord, InvalidRequest, SlotsFull, TaskFailed
from ..events import Event, Outcome
from ..models import Face, FaceSession, Plan, SpokenAudio, Status, Task, TaskStatus


class Step(Enum):
    """What to do next for a job."""

    CHECK = "check"
    SPEAK = "speak"
    IDENTIFY = "identify"
    CHOOSE = "choose"
    PLAN = "plan"
    INTEND = "intend"
    CREATE = "create"
    RECONCILE = "reconcile"
    WATCH = "watch"
    FETCH = "fetch"
    DONE = "done"


TRANSITIONS: Mapping[tuple[Step, str], Step] = {
    (Step.CHECK, "Checked"): Step.IDENTIFY,
    (Step.CHECK, "Checked, to speak"): Step.SPEAK,
    (Step.CHECK, "Checked, one step"): Step.INTEND,
    (Step.SPEAK, "SpeechMade"): Step.IDENTIFY,
    (Step.IDENTIFY, "FacesIdentified"): Step.CHOOSE,
    **{(step, row): step for step in (Step.SPEAK, Step.IDENTIFY) for row in ("SendIntended", "SendFailed")},
    (Step.CHOOSE, "FaceChosen"): Step.PLAN,
    (Step.PLAN, "Planned"): Step.INTEND,
    (Step.INTEND, "CreateIntended"): Step.CREATE,
    (Step.INTEND, "SessionExpired"): Step.IDENTIFY,
    (Step.INTEND, "TaskFound"): Step.WATCH,  # the caller's own external id was used before
    (Step.CREATE, "TaskCreated"): Step.WATCH,
    (Step.CREATE, "CreateRefused"): Step.DONE,
    (Step.CREATE, "CreateNotTaken"): Step.INTEND,
    (Step.CREATE, "CreateUnanswered"): Step.RECONCILE,
    (Step.CREATE, "SessionExpired"): Step.IDENTIFY,
    (Step.RECONCILE, "TaskFound"): Step.WATCH,
    (Step.RECONCILE, "TaskAbsent"): Step.INTEND,
    (Step.RECONCILE, "DoubtRemains"): Step.RECONCILE,
    (Step.RECONCILE, "SlotPresumedFree"): Step.RECONCILE,
    (Step.WATCH, "SlotPresumedFree"): Step.WATCH,
    (Step.WATCH, "TaskEnded"): Step.FETCH,
    (Step.WATCH, "TaskEnded, failed"): Step.DONE,
    (Step.FETCH, "ResultFetched"): Step.DONE,
    (Step.FETCH, "FetchFailed"): Step.FETCH,
    (Step.DONE, "AttemptStarted"): Step.CHECK,
    **{(step, "JobRefused"): Step.CHECK for step in (Step.CHECK, Step.SPEAK, Step.CHOOSE, Step.PLAN, Step.INTEND)},
    **{(step, "JobFailed"): Step.DONE for step in (Step.SPEAK, Step.IDENTIFY)},
    **{
        (step, row): Step.CHECK
        for step in (Step.CHECK, Step.SPEAK, Step.IDENTIFY, Step.CHOOSE, Step.PLAN, Step.INTEND)
        for row in ("JobChanged", "JobDiscarded")
    },
    **{(step, "StepFailed"): step for step in (Step.CHECK, Step.SPEAK, Step.IDENTIFY, Step.INTEND)},
    (Step.CREATE, "StepFailed"): Step.INTEND,
}
"""Where each fact leads, from each step. What is not in here cannot happen."""

_AFRESH = frozenset({"AttemptStarted", "JobChanged", "JobDiscarded", "JobRefused"})
"""The facts after which a job is at its beginning again."""

BEFORE_MONEY = frozenset({Step.CHECK, Step.SPEAK, Step.IDENTIFY, Step.CHOOSE, Step.PLAN, Step.INTEND})
"""The steps at which no task exists and none may exist."""

_STATUS: Mapping[str, Status] = {
    "JobRefused": Status.INVALID,
    "JobFailed": Status.FAILED,
    "StepFailed": Status.FAILED,
    "CreateRefused": Status.FAILED,
    "TaskEnded, failed": Status.FAILED,
    "TaskEnded": Status.SUCCEEDED,
    "ResultFetched": Status.SUCCEEDED,
    "FetchFailed": Status.SUCCEEDED,
    # From the intent on, until Kling has answered, money may have been spent and nobody can tell.
    "CreateIntended": Status.IN_DOUBT,
    "CreateUnanswered": Status.IN_DOUBT,
    "DoubtRemains": Status.IN_DOUBT,
    "TaskCreated": Status.RUNNING,
    "TaskFound": Status.RUNNING,
}


@frozen(kw_only=True)
class JobState:
    """A job as its events tell it. ``next_step`` is what to do; everything else is what the steps need to know."""

    key: str
    next_step: Step = Step.CHECK
    status: Status = Status.NOT_STARTED
    version: int = 0
    attempt: int = 1
    paused: bool = False
    holds_slot: bool = False
    reserved: Decimal = ev.NOTHING
    spent: Decimal = ev.NOTHING
    record: ErrorRecord | None = None
    video_duration_ms: int | None = None
    sound_duration_ms: int | None = None
    speech: SpokenAudio | None = None
    session: FaceSession | None = None
    session_made_at: float = 0.0
    sessions_expired: int = 0
    face: Face | None = None
    plan: Plan | None = None
    external_task_id: str | None = None
    intended_at: float | None = None
    server_at: float | None = None
    duplicate: bool = False
    sent_again: bool = False
    refusal_looked_after: bool = False
    sending: bool = False
    tries: int = 0
    task_id: str | None = None
    task: Task | None = None
    ended_at: float | None = None
    file: Path | None = None

    @classmethod
    def replay(cls, key: str, events: Iterable[Event]) -> JobState:
        """The state that ``events`` add up to, as after a crash."""
        state = cls(key=key)
        for event in events:
            state = state.apply(event)
        return state

    def apply(self, event: Event) -> JobState:
        """The state after ``event``. Raises ``LookupError`` for a fact that cannot follow here."""
        try:
            step = TRANSITIONS[self.next_step, event.row]
        except KeyError:
            raise LookupError(f"{event.row} cannot follow at step {self.next_step.value} of job {self.key!r}") from None
        before = self._fresh() if event.row in _AFRESH else self
        return evolve(
            before,
            next_step=step,
            status=_STATUS.get(event.row, Status.NOT_STARTED if step in BEFORE_MONEY else self.status),
            version=event.version,
            attempt=event.attempt,
            paused=event.pauses,
            holds_slot=self.holds_slot if event.slot is None else event.slot,
            reserved=self.reserved if event.reserves is None else event.reserves,
            spent=self.spent + event.spends,
            record=getattr(event, "error", None),
            sending=isinstance(event, ev.SendIntended),
            **_LEARNED.get(type(event), _nothing)(before, event),
        )

    def _fresh(self) -> JobState:
        """The job at its beginning, with nothing known but what it has cost."""
        return JobState(key=self.key, spent=self.spent)

    @property
    def session_not_before(self) -> float:
        """The Unix time at or before which a kept face session does not count: Kling no longer knows it."""
        return self.session_made_at if self.sessions_expired else 0.0

    @property
    def error_record(self) -> ErrorRecord | None:
        """What is to be told of the job's failure, or of what keeps it from its end."""
        if self.task is not None and self.task.status is TaskStatus.FAILED:
            reason = self.task.message or "Kling gave no reason"
            return ErrorRecord(
                type=TaskFailed.__name__, message=f"the task failed: {reason} (task {self.task.task_id})"
            )
        return self.record

    def outcome(self, meta: Mapping[str, str] | None = None) -> Outcome:
        """How the job stands."""
        timed = self.ended_at is not None and self.intended_at is not None
        return Outcome(
            key=self.key,
            status=self.status,
            attempts=self.attempt,
            task=self.task,
            task_id=self.task_id,
            external_task_id=self.external_task_id,
            face=self.face,
            plan=self.plan,
            file=self.file,
            elapsed=self.ended_at - self.intended_at if timed else None,  # type: ignore[operator]
            units=self.spent,
            units_in_doubt=self.reserved if self.status is Status.IN_DOUBT else ev.NOTHING,
            record=self.error_record,
            meta=meta or {},
        )


def _nothing(_state: JobState, _event: Event) -> dict[str, Any]:
    return {}


_LEARNED: Mapping[type[Event], Callable[[JobState, Any], dict[str, Any]]] = {
    ev.Checked: lambda _, e: {"video_duration_ms": e.video_duration_ms, "sound_duration_ms": e.sound_duration_ms},
    ev.SendFailed: lambda s, e: {"tries": s.tries + (e.error.type != SlotsFull.__name__)},
    ev.SpeechMade: lambda _, e: {"speech": e.audio, "sound_duration_ms": e.audio.duration_ms, "tries": 0},
    ev.FacesIdentified: lambda _, e: {
        "session": e.session,
        "session_made_at": e.made_at,
        "face": None,
        "plan": None,
        "tries": 0,
    },
    ev.FaceChosen: lambda _, e: {"face": e.face},
    ev.Planned: lambda _, e: {"plan": e.plan},
    ev.SessionExpired: lambda s, _: {"session": None, "sessions_expired": s.sessions_expired + 1},
    ev.CreateIntended: lambda _, e: {
        "external_task_id": e.external_task_id,
        "intended_at": e.at,
        "server_at": e.server_at,
    },
    ev.CreateNotTaken: lambda s, e: {"tries": s.tries + (e.error.type != SlotsFull.__name__)},
    ev.StepFailed: lambda _, e: {"tries": 0},
    ev.CreateUnanswered: lambda s, e: {
        "duplicate": e.duplicate,
        "refusal_looked_after": s.refusal_looked_after or e.error.type == InvalidRequest.__name__,
    },
    ev.TaskAbsent: lambda _, e: {"sent_again": True},
    ev.TaskCreated: lambda _, e: {"task_id": e.task_id},
    ev.TaskFound: lambda _, e: {"task_id": e.task_id},
    ev.TaskEnded: lambda _, e: {"task": e.task, "ended_at": e.at},
    ev.ResultFetched: lambda _, e: {"file": e.file},
}
"""What each fact adds to the state."""
