"""A page of the list: what is read of it, and when."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest

from kling_lipsync._protocol import shapes
from kling_lipsync.client import KlingClient
from kling_lipsync.errors import ProtocolError
from kling_lipsync.models import Task

pytestmark = pytest.mark.anyio

RUNNING = {"task_id": "1", "task_status": "processing"}
REVIEWED = {"task_id": "2", "task_status": "queued_for_review"}
ENDED = {"task_id": "3", "task_status": "succeed", "task_info": {"external_task_id": "e3"}, "created_at": 1759123456789}


def client_of(*items: Any) -> KlingClient:
    """A client of a Kling whose list has these items."""
    answer = {"code": 0, "message": "SUCCEED", "request_id": "r", "data": items}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=answer))
    return KlingClient(api_key="sk-samplekey", http=transport)


async def test_a_page_is_read_task_by_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids are there at once; of the tasks, only the one that is asked for is read."""
    page = await client_of(RUNNING, ENDED).task_page()
    assert list(page.ids) == ["1", "3"]
    read, whole = [], shapes.task

    def counted(item: object) -> Task:
        read.append(item)
        return whole(item)

    monkeypatch.setattr(shapes, "task", counted)
    task = page.task(1)
    assert (task.task_id, task.external_task_id, task.created_ms) == ("3", "e3", 1759123456789)
    assert read == [ENDED]


async def test_a_list_page_has_all_of_its_tasks() -> None:
    """Whoever asks for a page by hand gets tasks."""
    client = client_of(RUNNING, REVIEWED, ENDED)
    assert [task.task_id for task in await client.list_page()] == ["1", "2", "3"]
    assert [task.task_id async for task in client.list_tasks()] == ["1", "2", "3"]


@pytest.mark.parametrize("stranger", [{}, {"id": 7}, {"task_id": ""}, {"task_id": None}, None, [], "3"])
async def test_one_item_without_an_id_spoils_the_page(stranger: Any) -> None:
    """It could be the very task that is looked for."""
    with pytest.raises(ProtocolError):
        await client_of(ENDED, stranger).task_page()


async def test_an_unknown_status_is_told_of_the_task_that_is_read(caplog: pytest.LogCaptureFixture) -> None:
    """A word that no document has is a warning: of the tasks that somebody wants, as they are read."""
    page = await client_of(REVIEWED, ENDED, {**REVIEWED, "task_id": "4"}).task_page()
    with caplog.at_level(logging.WARNING):
        page.task(0)
    assert [record.getMessage() for record in caplog.records] == [
        "task 2 has the unknown status 'queued_for_review', taken as still running"
    ]


@pytest.mark.parametrize(
    ("item", "runs"),
    [
        (RUNNING, True),
        ({"task_id": "1", "task_status": "Submitted"}, True),
        ({"task_id": "1", "status": "IN_PROGRESS", "data": ENDED}, True),
        (ENDED, False),
        ({"task_id": "1", "task_status": "failed"}, False),
        (REVIEWED, False),
        ({"task_id": "1"}, False),
        ({"task_id": "1", "task_status": {"is": "processing"}}, False),
    ],
)
async def test_only_a_known_word_says_that_a_task_runs(item: Any, runs: bool) -> None:
    """What is in any other state has to be read whole, if only to be warned of."""
    page = await client_of(item).task_page()
    assert page.runs(0) is runs
    assert not (runs and page.task(0).status.ended)
