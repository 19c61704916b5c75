"""The floor in a batch's rhythm: the requests that no batch can do without, each when a batch would send it.

A process that mostly waits pays more for a request than one that sends without a pause: its caches are cold.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anyio
from attrs import define, field

from benchmarks import floor

PREPARED = 6
"""Jobs that are identified ahead of those that have a slot."""


def send_in_rhythm(library: str, url: str, jobs: int, slots: int, interval: float, sound: str) -> float:
    """Seconds of processor time for ``jobs`` by ``library``: identify, create, and a look at the list each interval.

    No journal, no check, no file; of an answer no more is read than what the next request needs.
    """
    wires = list(zip(floor.identifies(url, jobs), floor.creates(url, jobs, Path(sound).read_bytes()), strict=True))

    async def main() -> float:
        async with floor.SENDERS[library]() as send:
            begun = time.process_time()
            await _Batch(send, url, slots, interval).run(wires)
            return time.process_time() - begun

    return anyio.run(main)


@define(eq=False)
class _Batch:
    _send: floor.Send
    _url: str
    _slots: int
    _interval: float
    _running: dict[str, anyio.Event] = field(factory=dict, init=False)

    async def run(self, wires: Iterable[tuple[floor.Wire, floor.Wire]]) -> None:
        """Takes each job, given by its identify and its create, to its end."""
        places, slots = anyio.Semaphore(self._slots + PREPARED), anyio.Semaphore(self._slots)
        async with anyio.create_task_group() as looking:
            looking.start_soon(self._look)
            await self._take_all(wires, places, slots)
            looking.cancel_scope.cancel()

    async def _take_all(
        self, wires: Iterable[tuple[floor.Wire, floor.Wire]], places: anyio.Semaphore, slots: anyio.Semaphore
    ) -> None:
        async def one(identify: floor.Wire, create: floor.Wire) -> None:
            await self._ask(identify)
            async with slots:
                task_id = (await self._ask(create))["task_id"]
                ended = self._running[task_id] = anyio.Event()
                await ended.wait()
            places.release()

        async with anyio.create_task_group() as group:
            for wire in wires:
                await places.acquire()
                group.start_soon(one, *wire)

    async def _look(self) -> None:
        while True:
            await anyio.sleep(self._interval)
            for task in await self._ask(floor.look(self._url, 5 * self._slots)):
                if task["task_status"] in ("succeed", "failed") and task["task_id"] in self._running:
                    self._running.pop(task["task_id"]).set()

    async def _ask(self, wire: floor.Wire) -> Any:  # noqa: ANN401 - an answer's data
        return json.loads(await self._send(*wire))["data"]
