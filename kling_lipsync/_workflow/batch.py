"""Feeds a stream of jobs through their turns, and hands out an outcome for each."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing

from anyio.abc import ObjectSendStream

from .._tasks import task_group
from ..events import Outcome
from ..models import Job, Status
from .admission import Admission, Place
from .context import Context
from .desk import Desk

Jobs = Iterable[Job] | AsyncIterable[Job]


async def feed(context: Context, desk: Desk, admission: Admission, jobs: Jobs, send: ObjectSendStream[Outcome]) -> None:
    """Takes the jobs in as there is room, until they end; sends one outcome for each and then closes ``send``."""
    async with send, task_group() as turns, aclosing(each(jobs)) as stream:
        async for job in stream:
            if context.breaker.reason is not None:
                await send.send(await _left(context, job))
                continue
            place = await admission.enter()
            turns.start_soon(_turn, desk, job, place, send)


async def _turn(desk: Desk, job: Job, place: Place, send: ObjectSendStream[Outcome]) -> None:
    try:
        await send.send(await desk.serve(job, place))
    finally:
        place.leave()


async def _left(context: Context, job: Job) -> Outcome:
    """A job that the batch leaves untouched, as the journal knows it."""
    row = await context.journal.row(job.key)
    if row is None or row.outcome is None:
        return Outcome(key=job.key, status=Status.NOT_STARTED, meta=job.meta)
    return row.outcome


async def each(jobs: Jobs) -> AsyncGenerator[Job, None]:
    """The jobs, whichever kind of iterable they come in; a generator that is left half-way is closed."""
    if isinstance(jobs, AsyncGenerator):
        async with aclosing(jobs):
            async for job in jobs:
                yield job
    elif isinstance(jobs, AsyncIterable):
        async for job in jobs:
            yield job
    else:
        for job in jobs:
            yield job
