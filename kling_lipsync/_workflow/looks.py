"""One look at many tasks: by list pages where the gateway has a list, one by one for what the pages lack."""

from __future__ import annotations

import logging
from collections.abc import Collection

import anyio

from ..client import KlingClient
from ..errors import InvalidRequest
from ..models import Task

logger = logging.getLogger("kling_lipsync")

LARGEST_PAGE = 500
SMALLEST_PAGE = 30
LAST_PAGE = 1000
"""Kling's documentation of the list: pageSize 1 to 500, 30 by default; pageNum 1 to 1000."""

SINGLES_AT_ONCE = 8


def page_size(tasks: int) -> int:
    """A page that holds ``tasks`` running tasks and as many others that came between."""
    return min(LARGEST_PAGE, max(SMALLEST_PAGE, 2 * tasks))


def pages_worth(tasks: int) -> int:
    """How many pages are read before what still lacks is asked for one by one."""
    return 1 + tasks // LARGEST_PAGE


async def look(client: KlingClient, wanted: Collection[str], *, by_list: bool = True) -> dict[str, Task]:
    """The tasks of ``wanted`` (task ids) as they stand now; one that Kling does not know (yet) is left out.

    ``by_list=False`` asks for each by itself, where a list may still show what has changed this moment.
    Raises the ``KlingError`` of the first request that failed for another reason.
    """
    found: dict[str, Task] = {}
    if by_list and client.gateway.lists_tasks and len(wanted) > 1:
        await _read_pages(client, set(wanted), found)
    await _ask_singly(client, [task_id for task_id in wanted if task_id not in found], found)
    return found


async def _read_pages(client: KlingClient, wanted: set[str], found: dict[str, Task]) -> None:
    size = page_size(len(wanted))
    for number in range(1, pages_worth(len(wanted)) + 1):
        page = await client.list_page(number, size)
        found.update({task.task_id: task for task in page if task.task_id in wanted})
        if len(page) < size or len(found) == len(wanted):
            return


async def _ask_singly(client: KlingClient, lacking: list[str], found: dict[str, Task]) -> None:
    limiter = anyio.CapacityLimiter(SINGLES_AT_ONCE)
    errors: list[Exception] = []

    async def ask(task_id: str) -> None:
        async with limiter:
            if errors:
                return
            try:
                found[task_id] = await client.get_task(task_id)
            except InvalidRequest as error:
                logger.warning("task %s is not known to Kling at this look: %s", task_id, error)
            except Exception as error:  # noqa: BLE001 - raised below, once every other look has ended
                errors.append(error)

    async with anyio.create_task_group() as group:
        for task_id in lacking:
            group.start_soon(ask, task_id)
    if errors:
        raise errors[0]
