"""Jobs that were handed in to be run without anybody waiting for them: the journal keeps each until it has ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import anyio

from .._tasks import task_group
from ..errors import InvalidJob, JournalError
from ..models import Job, Problem
from .admission import Admission, Place
from .context import Context
from .desk import Desk
from .keeping import kept_job, revived_job
from .settings_of import settings_of


class Inbox:
    """Takes submitted jobs in as there is room; only their keys wait in memory."""

    def __init__(self, context: Context, desk: Desk, admission: Admission) -> None:
        self._context = context
        self._desk = desk
        self._admission = admission
        self._keys: deque[str] = deque()
        self._waiting: set[str] = set()
        self._news = anyio.Event()

    async def submit(self, job: Job) -> None:
        """Returns once the job is on disk. Raises ``InvalidJob`` for a sound in memory, and ``JournalError``."""
        text = kept_job(job)
        if text is None:
            message = f"job {job.key!r} has its sound in memory, and bodies are never kept: submit a file or URL"
            raise InvalidJob(message, [Problem("kept", message)])
        await self._context.journal.keep_job(job.key, settings_of(job), text)
        self._add([job.key])

    async def resume(self) -> list[str]:
        """The keys of all jobs that were submitted and have not ended; they are run from here on."""
        keys = list(await self._context.journal.kept_keys())
        self._add(keys)
        return keys

    async def run(self) -> None:
        """Runs the jobs for ever; cancel it to stop. Raises ``JournalError``."""
        async with task_group() as turns:
            while True:
                key = await self._next()
                text = await self._context.journal.kept_job(key)
                if text is not None:  # else it ended meanwhile, or was discarded
                    turns.start_soon(self._turn, _job(text, key), await self._admission.enter())

    def _add(self, keys: Iterable[str]) -> None:
        fresh = [key for key in keys if key not in self._waiting]
        self._keys.extend(fresh)
        self._waiting.update(fresh)
        self._news.set()

    async def _next(self) -> str:
        while not self._keys:
            self._news = anyio.Event()
            await self._news.wait()
        key = self._keys.popleft()
        self._waiting.discard(key)
        return key

    async def _turn(self, job: Job, place: Place) -> None:
        try:
            await self._desk.serve(job, place)
        finally:
            place.leave()


def _job(text: str, key: str) -> Job:
    try:
        return revived_job(text)
    except ValueError as error:
        raise JournalError(
            f"the journal keeps job {key!r} in a form that this version of kling_lipsync cannot read ({error}): "
            "use the version that wrote it"
        ) from error
