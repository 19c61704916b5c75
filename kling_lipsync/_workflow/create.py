"""The one step that costs money: what it sends, and what each way of failing means. Decided without I/O."""

from __future__ import annotations

import re

from .._protocol import AudioId, OneStepOrder, Order, Sound
from ..client import sound_from
from ..errors import (
    AccountError,
    AuthenticationError,
    ErrorRecord,
    InvalidJob,
    InvalidRequest,
    KlingError,
)
from ..events import CreateNotTaken, CreateRefused, CreateUnanswered, Event, SessionExpired, StepFailed
from ..models import Job, Speech
from .state import JobState

DUPLICATE = re.compile(r"external_?\s?task_?\s?id", re.IGNORECASE)
KNOWN_ALREADY = re.compile(r"duplicat|exist|unique|already|repeat|conflict|in use", re.IGNORECASE)
OF_THE_SESSION = re.compile(r"session", re.IGNORECASE)


def sound_of(job: Job, state: JobState) -> Sound:
    """The job's sound as a create sends it. Raises ``NotSent`` for a file that cannot be read."""
    if not isinstance(job.audio, Speech):
        return sound_from(job.audio)
    if state.speech is None:
        raise LookupError(f"job {job.key!r} has no speech yet")
    return AudioId(state.speech.audio_id)


def order_of(job: Job, state: JobState) -> Order:
    """What is bought for the job. Raises ``LookupError`` where a step before has not been taken."""
    if state.session is None or state.face is None or state.plan is None:
        raise LookupError(f"job {job.key!r} is not planned yet")
    return Order(
        session_id=state.session.session_id,
        face_id=state.face.face_id,
        sound=sound_of(job, state),
        plan=state.plan,
        sound_volume=job.sound_volume,
        original_audio_volume=job.original_audio_volume,
        watermark=job.watermark,
        external_task_id=state.external_task_id,
        callback_url=job.callback_url,
    )


def one_step_order_of(job: Job) -> OneStepOrder:
    """What is bought for a job of a one-step gateway. Raises ``InvalidJob`` for a sound it has no place for."""
    if isinstance(job.audio, Speech):
        return OneStepOrder(video=job.video, sound=job.audio, callback_url=job.callback_url)
    sound = sound_from(job.audio)
    if isinstance(sound, AudioId):
        raise InvalidJob("this gateway takes a sound as a file or a URL, not as an audio id")
    return OneStepOrder(video=job.video, sound=sound, callback_url=job.callback_url)


def after_refusal(error: KlingError, state: JobState) -> Event:
    """The fact that a failed create is: what may have acted is looked for, what surely has not is tried again or
    given up.
    """
    record = ErrorRecord.of(error)
    if isinstance(error, InvalidRequest):
        return _after_invalid(error, record, state)
    if error.may_have_acted:
        return CreateUnanswered(error=record)
    if isinstance(error, (AccountError, AuthenticationError)):
        return StepFailed(error=record)
    if error.transient:
        return CreateNotTaken(error=record)
    return CreateRefused(error=record)


def _after_invalid(error: InvalidRequest, record: ErrorRecord, state: JobState) -> Event:
    if DUPLICATE.search(error.message) and KNOWN_ALREADY.search(error.message):
        return CreateUnanswered(error=record, duplicate=True)
    if state.sent_again and not state.refusal_looked_after:
        return CreateUnanswered(error=record)  # an earlier create may have come late, and this be a word for it
    if OF_THE_SESSION.search(error.message) and state.sessions_expired == 0:
        return SessionExpired()
    return CreateRefused(error=record)
