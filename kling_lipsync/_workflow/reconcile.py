"""After a lost answer or a crash: does the attempt's task exist? Look before anything is sent again.

Absence counts only where the gateway can answer, in a look begun a grace period after the first, and not for old
intents.
"""

from __future__ import annotations

import logging

import anyio
from attrs import frozen

from .._protocol import no_such_resource
from ..errors import ErrorRecord, InDoubt, InvalidRequest, KlingError
from ..events import DoubtRemains, Event, TaskAbsent, TaskFound
from ..models import Job, Task
from .context import Context
from .pages import LARGEST_PAGE, LAST_PAGE, ListReading
from .state import JobState
from .watcher import age

logger = logging.getLogger("kling_lipsync")

OLDEST_PROOF = 24 * 3600.0
"""Seconds after the intent, beyond which not finding the task proves nothing."""

BACK_BEFORE = 600.0
"""Seconds before the intent down to which a list in descending order is read."""

BETWEEN_LOOKS = 5.0
FAILED_LOOKS = 6


@frozen(kw_only=True)
class Found:
    """What one look gave: the task, or ``proves_absence`` where the gateway would have shown it; ``blind``: none
    ever will.
    """

    task: Task | None = None
    proves_absence: bool = False
    blind: bool = False


async def reconcile(context: Context, job: Job, state: JobState) -> Event:
    """``TaskFound``, ``TaskAbsent`` (it may be intended again under the same external id) or ``DoubtRemains``."""
    first = context.clock.monotonic()
    failures = 0
    while failures < FAILED_LOOKS:
        begun = context.clock.monotonic()
        try:
            found = await _look(context, state)
        except KlingError as error:
            failures += 1
            last = error
            logger.warning("a look for the task of job %s failed: %s", state.key, error)
        else:
            late_enough = begun - first >= context.settings.reconcile_grace
            if found.task is not None or found.blind or late_enough:
                return _verdict(context, state, found)
        await anyio.sleep(min(BETWEEN_LOOKS, max(0.05, context.settings.reconcile_grace / 3)))
    return _doubt(state, f"the looks for it failed, the last with: {last}")


def _verdict(context: Context, state: JobState, found: Found) -> Event:
    """What a look means that is late enough, or that no later one would better."""
    if found.task is not None:
        return TaskFound(task_id=found.task.task_id)
    if context.settings.retry_in_doubt:
        return TaskAbsent()
    if state.duplicate:
        return _doubt(state, "Kling says that it has a task of this external id, and does not show it")
    if not found.proves_absence:
        return _doubt(state, "this gateway can show neither tasks by external id nor a list that would tell")
    if age(context.client, state) > OLDEST_PROOF:
        return _doubt(state, "its create was sent more than 24 h ago, and no look proves anything after so long")
    return TaskAbsent()


def _doubt(state: JobState, why: str) -> Event:
    message = (
        f"a task may have been created and paid for job {state.key!r} (external id {state.external_task_id}), "
        f"and nobody can tell: {why}; run again to look again, or retry jobs in doubt (--retry-in-doubt), which may "
        "pay a second time"
    )
    return DoubtRemains(error=ErrorRecord.of(InDoubt(message, key=state.key)))


async def _look(context: Context, state: JobState) -> Found:
    if state.external_task_id is None:
        raise LookupError(f"job {state.key!r} has no intent to look for")
    if context.client.gateway.one_step:
        return Found(blind=True)  # a one-step create carries no external id to look for
    direct = await find_own(context, state.external_task_id)
    if direct is not None:
        return Found(task=direct)
    if context.client.gateway.finds_external_ids:
        return Found(proves_absence=True)
    if not context.client.gateway.lists_tasks:
        return Found(blind=True)
    since_ms = None if state.server_at is None else int((state.server_at - BACK_BEFORE) * 1000)
    return await search_list(context, state.external_task_id, since_ms)


async def find_own(context: Context, external_task_id: str) -> Task | None:
    """The task that Kling gives for an external id, or ``None``, which proves something only where the profile says
    so.
    """
    try:
        task = await context.client.get_task(external_task_id)
    except InvalidRequest as error:
        if context.client.gateway.finds_external_ids and not no_such_resource(error):
            raise  # a query that is refused for another reason proves nothing
        return None
    return task if task.external_task_id in (None, external_task_id) else None


async def search_list(context: Context, external_task_id: str, since_ms: int | None) -> Found:
    """The list, read to its end, or in descending order back to ``since_ms`` (Unix ms on Kling's clock), if known."""
    reading = ListReading()
    for number in range(1, LAST_PAGE + 1):
        page = await context.client.list_page(number, LARGEST_PAGE)
        found = next((task for task in page if task.external_task_id == external_task_id), None)
        if found is not None:
            return Found(task=found)
        reading.take(page)
        if len(page) < LARGEST_PAGE or reading.read_enough(since_ms):
            return Found(proves_absence=reading.tells)
    return Found()
