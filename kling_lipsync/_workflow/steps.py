"""What each step of a job does: it returns one fact, failures included, and writes nothing itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

import anyio
from attrs import evolve

from .._checks import make_plan, refusal, worst_case_units
from .._transport import retry_delays
from ..errors import (
    AccountError,
    AuthenticationError,
    ErrorRecord,
    InvalidJob,
    KlingError,
    NoSuitableFace,
    ProtocolError,
    SlotsFull,
)
from ..events import (
    NOTHING,
    Checked,
    CreateIntended,
    Event,
    FaceChosen,
    FacesIdentified,
    JobFailed,
    JobRefused,
    Planned,
    SendFailed,
    SendIntended,
    SessionExpired,
    SpeechMade,
    StepFailed,
    TaskCreated,
    TaskFound,
)
from ..faces import choose
from ..models import CheckReport, Job, Problem, Speech, Verdict
from .context import Context, external_id
from .create import after_refusal, one_step_order_of, order_of
from .fetch import fetch
from .inspect import inspect_job
from .reconcile import find_own, reconcile
from .state import JobState, Step

SLOT_WAIT = 5.0
"""Seconds before identify or speech is sent again that was refused because all slots are taken."""


class Stopped(Exception):
    """The batch was stopped while the job waited for its turn."""


async def perform(context: Context, step: Step, job: Job, state: JobState) -> Event:
    """The fact that ``step`` makes of the job. Raises ``JournalError`` and ``Stopped`` only."""
    event = await _STEPS[step](context, job, state)
    return evolve(event, key=job.key, attempt=state.attempt)


async def _check(context: Context, job: Job, state: JobState) -> Event:
    report = await check_job(context, job)
    if report.verdict is Verdict.FAIL:
        return JobRefused(error=ErrorRecord.of(refusal(report.problems)))
    return Checked(
        video_duration_ms=report.video_duration_ms,
        sound_duration_ms=report.sound_duration_ms,
        to_speak=isinstance(job.audio, Speech),
        one_step=context.client.gateway.one_step,
    )


async def check_job(context: Context, job: Job) -> CheckReport:
    """The local checks of a job, with the batch's settings."""
    return await inspect_job(
        job,
        context.client.gateway,
        fit=context.settings.fit,
        remote=context.remote,
        threads=context.settings.threads,
    )


async def _speak(context: Context, job: Job, state: JobState) -> Event:
    if not isinstance(job.audio, Speech):
        raise LookupError(f"job {job.key!r} has nothing to be spoken")
    price = _price(context, "speech")
    if not state.sending:
        return await _intend_send(context, state, price)
    try:
        audio = await context.client.without_repeats().speak(job.audio)
    except KlingError as error:
        return _unanswered(error, price)
    return SpeechMade(audio=audio, units=price if audio.units is None else audio.units)


async def _identify(context: Context, job: Job, state: JobState) -> Event:
    if not state.sending:
        return await _look_for_session(context, job, state)
    price = _price(context, "identify") if context.sessions.would_send(job.video) else NOTHING
    try:
        session, made_at, paid = await context.sessions.ask(job.video, state.session_not_before)
    except KlingError as error:
        return _unanswered(error, price)
    units = price if session.units is None else session.units
    return FacesIdentified(session=session, made_at=made_at, units=units if paid else NOTHING)


async def _look_for_session(context: Context, job: Job, state: JobState) -> Event:
    """The session that is kept, else the intent to ask for one."""
    kept = await context.sessions.kept(job.video, state.session_not_before)
    if kept is None:
        intent = await _intend_send(context, state, _price(context, "identify"))
        if state.record is None:
            return intent
        kept = await context.sessions.kept(job.video, state.session_not_before)  # it has waited since it last failed
        if kept is None:
            return intent
    return FacesIdentified(session=kept[0], made_at=kept[1])


async def _intend_send(context: Context, state: JobState, price: Decimal) -> Event:
    """Each send reserves its price; too many that were not answered end the job's turn."""
    if state.tries >= context.settings.retry.tries and state.record is not None:
        return StepFailed(error=state.record)
    await _wait_out_tries(context, state)
    return SendIntended(units=price)


def _unanswered(error: KlingError, price: Decimal) -> Event:
    """A send that failed: what may pass by itself is tried again, and counted as paid where it may have been."""
    if error.transient:
        return SendFailed(error=ErrorRecord.of(error), units=price if error.may_have_acted else NOTHING)
    if isinstance(error, (AccountError, AuthenticationError, ProtocolError)):
        return StepFailed(error=ErrorRecord.of(error))
    return JobFailed(error=ErrorRecord.of(error))


async def _choose(context: Context, job: Job, state: JobState) -> Event:
    faces = state.session.faces if state.session else ()
    crop_ms = _crop_ms(job, state)
    try:
        choice = choose(faces, job.face, key=job.key, crop_ms=crop_ms, insert_ms=job.sound_insert_ms)
    except NoSuitableFace as error:
        return JobRefused(error=ErrorRecord.of(error))
    return FaceChosen(face=choice.face, reason=choice.reason)


def _crop_ms(job: Job, state: JobState) -> int | None:
    end = job.sound_end_ms if job.sound_end_ms is not None else state.sound_duration_ms
    return None if end is None else end - (job.sound_start_ms or 0)


async def _plan(context: Context, job: Job, state: JobState) -> Event:
    try:
        plan = make_plan(
            job,
            state.face,
            video_duration_ms=state.video_duration_ms,
            sound_duration_ms=state.sound_duration_ms,
            fit=context.settings.fit,
        )
    except InvalidJob as error:
        return JobRefused(error=ErrorRecord.of(error))
    return Planned(plan=plan)


async def _intend(context: Context, job: Job, state: JobState) -> Event:
    if _session_too_old(context, state):
        return SessionExpired()
    if state.tries >= context.settings.retry.tries and state.record is not None:
        return StepFailed(error=state.record)
    if (earlier := await _own_task(context, job, state)) is not None:
        return earlier
    await _wait_out_tries(context, state)
    await context.slots.turn(stopped=lambda: context.breaker.reason is not None)
    if context.breaker.reason is not None:
        context.slots.turn_over()
        raise Stopped
    return CreateIntended(
        external_task_id=attempt_id(context, job, state.attempt),
        units=_worst_case(context, state),
        server_at=context.client.server_time,
    )


async def _own_task(context: Context, job: Job, state: JobState) -> Event | None:
    """The task that already bears the attempt's external id, looked for before its first intent."""
    if context.client.gateway.one_step or state.external_task_id is not None:
        return None
    brought = job.external_task_id is not None and state.attempt == 1
    if context.is_new and not brought:
        return None  # else a backup of the journal may have been restored
    if brought and (refused := await _refuse_anothers_id(context, job)) is not None:
        return refused
    try:
        task_id = await _task_of(context, attempt_id(context, job, state.attempt), brought=brought)
    except KlingError as error:
        return StepFailed(error=ErrorRecord.of(error))
    return TaskFound(task_id=task_id) if task_id is not None else None


async def _refuse_anothers_id(context: Context, job: Job) -> Event | None:
    """The refusal of a job whose own external id was intended for another: its task would be taken for this job's."""
    own = job.external_task_id or ""
    bearer = (await context.journal.keys_of([own])).get(own, job.key)
    if bearer == job.key:
        return None
    message = f"the external task id {own} is that of job {bearer!r} already: give each job its own"
    return JobRefused(error=ErrorRecord.of(InvalidJob(message, [Problem("external_task_id", message)])))


async def _task_of(context: Context, external_task_id: str, *, brought: bool) -> str | None:
    if not brought:
        return await context.listed.recent_task_of(external_task_id)
    found = await find_own(context, external_task_id)
    return found.task_id if found is not None else await context.listed.task_of(external_task_id)


def attempt_id(context: Context, job: Job, attempt: int) -> str:
    """The external id of an attempt: the job's own for its first, else one derived from the journal and the key."""
    if job.external_task_id is None:
        return external_id(context.journal.journal_id, job.key, attempt)
    return job.external_task_id if attempt == 1 else f"{job.external_task_id}-r{attempt}"


async def _wait_out_tries(context: Context, state: JobState) -> None:
    if state.record is not None and state.record.type == SlotsFull.__name__ and state.next_step is not Step.INTEND:
        await anyio.sleep(SLOT_WAIT)  # identify may need a slot as well, which no document says
    if not state.tries:
        return
    delays = retry_delays(context.settings.retry)
    for _ in range(state.tries - 1):
        next(delays)
    await anyio.sleep(next(delays))


def _worst_case(context: Context, state: JobState) -> Decimal:
    prices = context.client.gateway.prices
    if prices is None:
        return NOTHING
    return worst_case_units(prices, state.video_duration_ms, identify=False, speech=False)


def _session_too_old(context: Context, state: JobState) -> bool:
    return state.session is not None and not context.sessions.fresh(state.session_made_at)


async def _create(context: Context, job: Job, state: JobState) -> Event:
    if _session_too_old(context, state):
        return SessionExpired()
    client = context.client.without_repeats()
    try:
        order = one_step_order_of(job) if client.gateway.one_step else order_of(job, state)
        task = await client.create_ordered_task(order)
    except KlingError as error:
        return after_refusal(error, state)
    return TaskCreated(task_id=task.task_id)


def _price(context: Context, what: str) -> Decimal:
    prices = context.client.gateway.prices
    price: Decimal = NOTHING if prices is None else getattr(prices, what)
    return price


_STEPS: Mapping[Step, Callable[[Context, Job, JobState], Awaitable[Event]]] = {
    Step.CHECK: _check,
    Step.SPEAK: _speak,
    Step.IDENTIFY: _identify,
    Step.CHOOSE: _choose,
    Step.PLAN: _plan,
    Step.INTEND: _intend,
    Step.CREATE: _create,
    Step.RECONCILE: reconcile,
    Step.FETCH: fetch,
}
