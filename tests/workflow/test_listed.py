"""How far the list is read for tasks that an earlier journal bought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from attrs import define, field

from kling_lipsync._workflow.listed import MARGIN, ListedIds
from kling_lipsync.client import KlingClient
from kling_lipsync.gateways import Gateway
from kling_lipsync.models import Task, TaskStatus

pytestmark = pytest.mark.anyio

PAGE = 500
NOW = 1_800_000_000.0


@define
class Listing:
    """An account's list, one task an hour, each with an external id; ``newest`` first, or last."""

    newest_first: bool = True
    lists_tasks: bool = True
    asked: list[int] = field(factory=list)

    @property
    def gateway(self) -> Gateway:
        return Gateway(name="any", lists_tasks=self.lists_tasks)

    async def list_page(self, number: int, size: int) -> Sequence[Task]:
        self.asked.append(number)
        ages = range(4 * PAGE) if self.newest_first else range(4 * PAGE - 1, -1, -1)
        return [task(age) for age in ages][(number - 1) * size : number * size]


def task(age: int) -> Task:
    created = int((NOW - age * 3600) * 1000)
    return Task(task_id=f"t{age}", status=TaskStatus.SUCCEED, external_task_id=f"e{age}", created_ms=created)


def ids(listing: Listing, last_at: float = NOW - 10 * 3600) -> ListedIds:
    return ListedIds(cast("KlingClient", listing), last_at)


async def test_a_list_from_new_to_old_is_read_back_to_the_journals_last_event_once() -> None:
    """Ten hours of tasks lie on the first page: an account's ten thousand older ones are left unread."""
    listing = Listing()
    listed = ids(listing)
    assert await listed.recent_task_of("e9") == "t9"
    assert await listed.recent_task_of("e1999") is None
    assert listing.asked == [1]


async def test_a_clock_that_was_ahead_hides_nothing() -> None:
    """A task that is older than the last event by less than a day is found all the same."""
    listed = ids(Listing(), last_at=NOW + MARGIN - 3600 * (PAGE + 1))
    assert await listed.recent_task_of(f"e{PAGE}") == f"t{PAGE}"


async def test_a_list_of_another_order_is_read_to_its_end() -> None:
    """Where new tasks stand last, nothing says where to stop."""
    listing = Listing(newest_first=False)
    assert await ids(listing).recent_task_of("e0") == "t0"
    assert listing.asked == [1, 2, 3, 4, 5]


async def test_an_external_id_that_a_job_brings_is_sought_in_all_of_the_list() -> None:
    """It may be older than the journal."""
    listing = Listing()
    listed = ids(listing)
    assert await listed.task_of("e1999") == "t1999"
    assert await listed.task_of("e0") == "t0"
    assert listing.asked == [1, 2, 3, 4, 5]


async def test_a_gateway_without_a_list_shows_none() -> None:
    """It is not asked."""
    listing = Listing(lists_tasks=False)
    assert await ids(listing).recent_task_of("e0") is None
    assert await ids(listing).task_of("e0") is None
    assert listing.asked == []
