"""News of tasks, posted to the address that their create named: a flat body, once for each change of status."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import anyio
import httpx
from attrs import define, field

from kling_lipsync.sandbox.model import Task
from kling_lipsync.sandbox.settings import Settings
from kling_lipsync.sandbox.signing import webhook_headers

LOGGER = logging.getLogger("kling_lipsync.sandbox")


class Post(Protocol):
    """How a callback is sent."""

    async def __call__(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """The HTTP status of the answer.

        Raises:
            httpx.HTTPError, OSError: there was none.
        """


async def post_by_http(url: str, headers: dict[str, str], body: bytes) -> int:
    """`Post` by httpx."""
    async with httpx.AsyncClient() as client:
        return (await client.post(url, headers=headers, content=body)).status_code


@define(kw_only=True)
class Callbacks:
    """Tasks whose news is awaited. Nothing is sent until `run` runs; each message is tried once."""

    settings: Settings
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    show: Callable[[Task, float], dict[str, Any]]
    """A task as the body of a callback has it at a moment."""
    post: Post = post_by_http
    sent: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)
    _waiting: deque[Task] = field(init=False)
    _wake: anyio.Event = field(factory=anyio.Event, init=False)

    @_waiting.default
    def _bounded(self) -> deque[Task]:
        return deque(maxlen=self.settings.keep_tasks)

    def schedule(self, task: Task) -> None:
        """Sends this task's news from now on, if somebody asked for it."""
        if task.order.callback_url:
            self._waiting.append(task)
            self._wake.set()

    async def run(self) -> None:
        """Sends what is scheduled, until it is cancelled."""
        async with anyio.create_task_group() as group:
            while True:
                await self._wake.wait()
                self._wake = anyio.Event()
                while self._waiting:
                    group.start_soon(self._tell, self._waiting.popleft())

    async def _tell(self, task: Task) -> None:
        moments = [moment for moment in (task.starts_at, task.ends_at) if moment != float("inf")]
        messages = []
        for moment in moments:
            await self.sleep(max(0.0, moment - self.clock()))
            messages.append(self.show(task, max(moment, self.clock())))
            if not self.settings.callback_reorder:
                await self._send(task, messages.pop())
        for message in reversed(messages):
            await self._send(task, message)

    async def _send(self, task: Task, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        headers = {"content-type": "application/json"}
        if self.settings.callback_secret is not None:
            message_id = f"{task.task_id}-{message['task_status']}"
            headers |= webhook_headers(self.settings.callback_secret, message_id, int(self.clock()), body)
        for _ in range(self.settings.callback_copies):
            await self._try(task.order.callback_url, headers, body)

    async def _try(self, url: str, headers: dict[str, str], body: bytes) -> None:
        try:
            status = await self.post(url, headers, body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            LOGGER.warning("callback to %s failed: %r", url, error)
            self.failed += 1
            return
        self.sent += status < 400
        self.failed += status >= 400
