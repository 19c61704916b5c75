from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from attrs import define, field

from kling_lipsync.sandbox import Sandbox, Settings
from kling_lipsync.sandbox.signing import webhook_headers

from .making import HandClock, buy, connect, identify

pytestmark = pytest.mark.anyio

SECRET = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="
URL = "https://app.example/hook"


@define
class Mailbox:
    """Where callbacks end up."""

    wanted: int
    status: int = 200
    letters: list[tuple[str, dict[str, str], bytes]] = field(factory=list)
    full: anyio.Event = field(factory=anyio.Event)

    async def __call__(self, url: str, headers: dict[str, str], body: bytes) -> int:
        self.letters.append((url, headers, body))
        if len(self.letters) == self.wanted:
            self.full.set()
        if self.status == 0:
            raise httpx.ConnectError("nobody there")
        return self.status

    def statuses(self) -> list[str]:
        return [json.loads(body)["task_status"] for _, _, body in self.letters]


@asynccontextmanager
async def _a_task_with_news(clock: HandClock, media: Path, mailbox: Mailbox, **settings: Any) -> AsyncIterator[Sandbox]:
    """A sandbox after the callbacks of one task have come."""
    chosen = Settings(media=media, threads=False, task_sigma=0, **settings)
    with Sandbox(chosen, clock=clock, sleep=clock.sleep, post=mailbox) as sandbox:
        async with connect(sandbox) as client, anyio.create_task_group() as group:
            group.start_soon(sandbox.run_callbacks)
            await buy(client, (await identify(client))["session_id"], callback_url=URL, external_task_id="a1")
            with anyio.fail_after(5):
                await mailbox.full.wait()
            group.cancel_scope.cancel()
        yield sandbox


def test_signatures_are_those_of_the_official_example() -> None:
    """The vector of Kling's documentation of callbacks."""
    body = (
        b'{"id":"1234567890","status":"succeeded","message":"","create_time":1781080778802,"update_time":1781080794151}'
    )
    headers = webhook_headers(SECRET, "9876543210", 1781080794, body)
    assert headers == {
        "webhook-id": "9876543210",
        "webhook-timestamp": "1781080794",
        "webhook-signature": "v1,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4=",
    }


async def test_each_change_is_told_in_a_flat_body(clock: HandClock, media: Path) -> None:
    """No envelope: the task itself, once while it is processing and once at its end, with its result."""
    mailbox = Mailbox(wanted=2)
    async with _a_task_with_news(clock, media, mailbox) as sandbox:
        pass
    assert mailbox.statuses() == ["processing", "succeed"]
    url, headers, body = mailbox.letters[-1]
    news = json.loads(body)
    assert url == URL
    assert "webhook-signature" not in headers
    assert news["task_info"]["external_task_id"] == "a1"
    assert news["task_result"]["videos"][0]["url"].startswith("http://kling.test/results/")
    assert "code" not in news
    assert sandbox.stats()["callbacks"] == {"sent": 2, "failed": 0}


async def test_callbacks_are_signed_where_a_secret_is_set(clock: HandClock, media: Path) -> None:
    """Each message has an id of its own, and a signature over id, time and body."""
    mailbox = Mailbox(wanted=2)
    async with _a_task_with_news(clock, media, mailbox, callback_secret=SECRET):
        pass
    for _, headers, body in mailbox.letters:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{right}"
    assert len({headers["webhook-id"] for _, headers, _ in mailbox.letters}) == 2


async def test_callbacks_can_repeat_and_overtake(clock: HandClock, media: Path) -> None:
    """Two copies of each, the end before the start."""
    mailbox = Mailbox(wanted=4)
    async with _a_task_with_news(clock, media, mailbox, callback_copies=2, callback_reorder=True):
        pass
    assert mailbox.statuses() == ["succeed", "succeed", "processing", "processing"]


@pytest.mark.parametrize("status", [0, 500])
async def test_a_callback_that_fails_is_counted(clock: HandClock, media: Path, status: int) -> None:
    """No answer or an error: the next message is sent all the same."""
    mailbox = Mailbox(wanted=2, status=status)
    async with _a_task_with_news(clock, media, mailbox) as sandbox:
        pass
    assert sandbox.stats()["callbacks"] == {"sent": 0, "failed": 2}
