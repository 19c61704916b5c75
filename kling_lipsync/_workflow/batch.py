"""Feeds a stream of jobs through their turns, and hands out an outcome for each."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from itertools import islice

from attrs import define

from .._tasks import task_group
from ..abc import JobRow
from ..events import Outcome
from ..models import Job, Status
from .admission import Admission, Place
from .context import Context
from .desk import Desk
from .outcomes import Outcomes
from .standing import standing

Jobs = Iterable[Job] | AsyncIterable[Job]

FEWEST, MOST = 16, 512
"""How many jobs are looked up in the journal at once: many while all of them are finished, few where there is work."""


@define
class _Pace:
    """How many jobs to take from the stream at a time."""

    size: int = FEWEST

    def learn(self, settled: int, of: int) -> None:
        self.size = min(MOST, self.size * 2) if settled == of else FEWEST


async def feed(context: Context, desk: Desk, admission: Admission, jobs: Jobs, outcomes: Outcomes) -> None:
    """Takes the jobs in as there is room, until they end; puts one outcome for each, and then ends ``outcomes``.

    A finished job takes no place: a journal of a hundred thousand of them is gone through in seconds.
    """
    pace = _Pace()
    async with aclosing(outcomes), task_group() as turns, aclosing(_chunks(jobs, pace)) as stream:
        async for chunk in stream:
            rows = await context.journal.rows_of([job.key for job in chunk])
            settled = 0
            for job in chunk:
                outcome = _settled(context, job, rows.get(job.key))
                if outcome is not None:
                    settled += 1
                    await outcomes.put(outcome)
                else:
                    turns.start_soon(_turn, desk, job, await admission.enter(), outcomes)
            pace.learn(settled, len(chunk))


async def _turn(desk: Desk, job: Job, place: Place, outcomes: Outcomes) -> None:
    try:
        await outcomes.put(await desk.serve(job, place))
    finally:
        place.leave()


def _settled(context: Context, job: Job, row: JobRow | None) -> Outcome | None:
    """The outcome of a job that needs no turn: nothing is left to do for it, or the batch was stopped."""
    if context.breaker.reason is not None:
        return _left(job, row)
    found = standing(job, row, to_fetch=context.settings.download_to is not None)
    return found.outcome() if found.finished else None


def _left(job: Job, row: JobRow | None) -> Outcome:
    """A job that a stopped batch leaves as it is, as the journal knows it."""
    if row is None or row.outcome is None:
        return Outcome(key=job.key, status=Status.NOT_STARTED, meta=job.meta)
    return row.outcome


async def _chunks(jobs: Jobs, pace: _Pace) -> AsyncGenerator[list[Job], None]:
    """The jobs, some at a time where they are at hand; a generator that is left half-way is closed."""
    if isinstance(jobs, AsyncGenerator):
        async with aclosing(jobs):
            async for job in jobs:
                yield [job]
    elif isinstance(jobs, AsyncIterable):
        async for job in jobs:
            yield [job]
    else:
        stream = iter(jobs)
        while chunk := list(islice(stream, pace.size)):
            yield chunk
