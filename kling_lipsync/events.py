"""The facts about jobs: one vocabulary for the journal, the progress feed and the log; and the outcome they add up to.

An event says what it means for the counters as well: whether the job holds a slot from then on (``slot``), what it
reserves (``reserves``) and what was spent (``spends``), in units. So a journal can count without knowing the workflow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

from attrs import field, frozen

from ._later import ReadLater
from .errors import ErrorRecord, KlingError
from .models import Face, FaceSession, Plan, SpokenAudio, Status, Task, TaskStatus

NOTHING = Decimal(0)


@frozen(kw_only=True)
class Event:
    """One durable fact about a job.

    ``seq`` orders all events of a journal, ``version`` those of a job from 1 on; ``at`` is Unix time in seconds. The
    journal fills these in.
    """

    slot: ClassVar[bool | None] = None
    """Whether the job holds a slot after it; ``None``: as before."""

    pauses: ClassVar[bool] = False
    """Whether this run leaves the job there; a later run takes it up again."""

    settles: ClassVar[bool] = False
    """Whether nothing is reserved for the job after it."""

    seq: int = 0
    key: str = ""
    version: int = 0
    attempt: int = 1
    at: float = 0.0

    @property
    def row(self) -> str:
        """Its row in the workflow's table of transitions."""
        return type(self).__name__

    @property
    def reserves(self) -> Decimal | None:
        """Units reserved for the job after it; ``None``: as before."""
        return NOTHING if self.settles else None

    @property
    def spends(self) -> Decimal:
        """Units spent by it."""
        return NOTHING


@frozen(kw_only=True)
class _Reserving(Event):
    """Something is about to be sent that may cost ``units``."""

    units: Decimal = NOTHING

    @property
    def reserves(self) -> Decimal | None:
        """The most that it may cost."""
        return self.units


@frozen(kw_only=True)
class _Paying(Event):
    """Something was answered, and cost ``units``."""

    settles = True
    units: Decimal = NOTHING

    @property
    def spends(self) -> Decimal:
        """What it cost."""
        return self.units


@frozen(kw_only=True)
class Checked(Event):
    """Local checks found nothing against the job. Durations are ms, ``None`` where they could not be known."""

    video_duration_ms: int | None = None
    sound_duration_ms: int | None = None
    to_speak: bool = False
    one_step: bool = False

    @property
    def row(self) -> str:
        """Where the job goes from here depends on its sound and on the gateway's contract."""
        if self.one_step:
            return "Checked, one step"
        return "Checked, to speak" if self.to_speak else "Checked"


@frozen(kw_only=True)
class JobRefused(Event):
    """The job cannot go on, decided here before any task was created; the next run checks it again."""

    pauses = True
    settles = True
    error: ErrorRecord


@frozen(kw_only=True)
class SendIntended(_Reserving):
    """Identify or speech is about to be sent for this job: each send may cost ``units``."""


@frozen(kw_only=True)
class SendFailed(_Paying):
    """Identify or speech was not answered this time; ``units`` may have been charged all the same. It is sent again."""

    error: ErrorRecord


@frozen(kw_only=True)
class SpeechMade(_Paying):
    """Kling spoke the job's text."""

    audio: SpokenAudio


@frozen(kw_only=True)
class FacesIdentified(_Paying):
    """The job has a face session, made at ``made_at`` (Unix time); ``units`` is 0 where another job paid for it."""

    session: FaceSession
    made_at: float


@frozen(kw_only=True)
class FaceChosen(Event):
    """A face was chosen, and why."""

    face: Face
    reason: str


@frozen(kw_only=True)
class Planned(Event):
    """Where the sound will go."""

    plan: Plan


@frozen(kw_only=True)
class StepFailed(Event):
    """A step failed while nothing was paid and nothing may have been created; the next run takes the job up again."""

    slot = False
    settles = True
    pauses = True
    error: ErrorRecord


@frozen(kw_only=True)
class JobFailed(Event):
    """Kling refused the job for good before any task was created."""

    settles = True
    error: ErrorRecord


@frozen(kw_only=True)
class JobChanged(Event):
    """The job came back with other media or settings, while nothing was open: it starts from its beginning."""

    settles = True


@frozen(kw_only=True)
class JobDiscarded(Event):
    """The job was taken back before a task was bought for it; given again, it starts from its beginning."""

    settles = True
    pauses = True


@frozen(kw_only=True)
class SessionExpired(Event):
    """The face session is too old to create with, or Kling does not know it any more: faces are identified again."""

    slot = False
    settles = True


@frozen(kw_only=True)
class CreateIntended(_Reserving):
    """A task is about to be bought under ``external_task_id``: written before the request leaves.

    ``units`` is the worst case that it may cost; ``server_at`` is Unix time on Kling's clock, ``None`` where no answer
    had told it yet: this machine's clock may be set meanwhile.
    """

    slot = True
    external_task_id: str
    server_at: float | None = None


@frozen(kw_only=True)
class TaskCreated(Event):
    """Kling accepted the task."""

    task_id: str


@frozen(kw_only=True)
class CreateRefused(Event):
    """Kling refused the task for good: nothing was created."""

    slot = False
    settles = True
    error: ErrorRecord


@frozen(kw_only=True)
class CreateNotTaken(Event):
    """All slots are taken: nothing was created, the same attempt waits for a slot again."""

    slot = False
    settles = True
    error: ErrorRecord


@frozen(kw_only=True)
class CreateUnanswered(Event):
    """The request left and nobody knows what became of it: look before anything else.

    ``duplicate``: Kling refused because it knows the external id already, so there is a task to be found.
    """

    error: ErrorRecord
    duplicate: bool = False


@frozen(kw_only=True)
class TaskFound(Event):
    """A task with this attempt's external id exists at Kling already."""

    slot = True
    task_id: str


@frozen(kw_only=True)
class TaskAbsent(Event):
    """A thorough look proved that the attempt's task does not exist: the same attempt intends again, under the same
    id.
    """

    slot = False
    settles = True


@frozen(kw_only=True)
class DoubtRemains(Event):
    """Nobody can tell yet whether the task was created: its money stays reserved, and the next run looks again."""

    pauses = True
    error: ErrorRecord


@frozen(kw_only=True)
class SlotPresumedFree(Event):
    """The task is past its time limit: it is still looked at, but its slot is lent out."""

    slot = False


@frozen(kw_only=True)
class TaskEnded(_Paying):
    """The task ended at Kling, with a video or without.

    ``units`` is what Kling said it cost, or the price table's word.
    """

    slot = False
    task: Task

    @property
    def row(self) -> str:
        """A task that ended without a video leaves nothing to fetch."""
        return "TaskEnded" if self.task.status is TaskStatus.SUCCEED else "TaskEnded, failed"


@frozen(kw_only=True)
class ResultFetched(Event):
    """The video is on disk, whole."""

    file: Path
    size: int


@frozen(kw_only=True)
class FetchFailed(Event):
    """The video could not be fetched this time; it is paid, and the next run fetches it."""

    pauses = True
    error: ErrorRecord


@frozen(kw_only=True)
class AttemptStarted(Event):
    """The job starts afresh after a failed attempt; ``attempt`` is the new one's number, with an external id of its
    own.
    """


EVENTS: Mapping[str, type[Event]] = {
    kind.__name__: kind
    for base in (Event, _Paying, _Reserving)
    for kind in base.__subclasses__()
    if not kind.__name__.startswith("_")
}
"""Every kind of event by its name, as the journal writes it."""


@frozen(kw_only=True)
class Result:
    """What a job that succeeded gives.

    ``units`` is what all of the job cost; ``file`` is ``None`` where nothing was to be fetched.
    """

    video_url: str | None
    watermark_url: str | None
    file: Path | None
    task: Task
    units: Decimal


@frozen(kw_only=True)
class Outcome(ReadLater):
    """How a job stands at the end of a run.

    ``error`` is set for every status but ``succeeded``, and there too when only the download failed. ``attempts``
    counts the tasks tried. ``elapsed`` is the seconds from the intent to the task's end. ``units`` were spent,
    ``units_in_doubt`` may have been.
    """

    key: str
    status: Status
    attempts: int = 1
    task: Task | None = None
    task_id: str | None = None
    external_task_id: str | None = None
    face: Face | None = None
    plan: Plan | None = None
    file: Path | None = None
    elapsed: float | None = None
    units: Decimal = NOTHING
    units_in_doubt: Decimal = NOTHING
    record: ErrorRecord | None = None
    meta: Mapping[str, str] = field(factory=dict)

    @classmethod
    def unread(
        cls, key: str, status: Status, meta: Mapping[str, str], read: Callable[[], Outcome], *, error_free: bool = False
    ) -> Outcome:
        """An outcome of which the rest is ``read`` when it is first asked for.

        Most of a hundred thousand finished jobs are only counted. ``error_free``: that there is no error is known.
        """
        outcome = cls.__new__(cls)
        for name, value in (("key", key), ("status", status), ("meta", meta), ("_read", read)):
            object.__setattr__(outcome, name, value)
        if error_free:
            object.__setattr__(outcome, "record", None)
        return outcome

    @property
    def error(self) -> KlingError | None:
        """What went wrong, as an error of ``kling_lipsync.errors``, or ``None``."""
        return self.record.revive(self.key, self.task) if self.record else None

    def result(self) -> Result:
        """The result of a job that succeeded. Raises the job's error where there is none."""
        if self.status is not Status.SUCCEEDED or self.task is None:
            raise self.error or KlingError(f"job {self.key!r} has no result: it is {self.status}")
        return Result(
            video_url=self.task.video_url,
            watermark_url=self.task.watermark_url,
            file=self.file,
            task=self.task,
            units=self.units,
        )
