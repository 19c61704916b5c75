"""How evenly requests leave: a hundred who wait for their turn, and the moments at which the transport sends."""

from __future__ import annotations

import time
from collections.abc import Sequence

import anyio
import httpx

from benchmarks import _child
from benchmarks._figures import Aim, Figure, Size
from kling_lipsync import KlingClient

RATE = 50.0
WAITERS = 100
DEPARTURES = {Size.QUICK: 100, Size.USUAL: 1000, Size.FULL: 3000}
TASK = b'{"code": 0, "message": "", "request_id": "", "data": {"task_id": "1", "task_status": "processing"}}'


def measure(size: Size) -> list[Figure]:
    """Departures a second: over all of the time, and the most in any second of it."""
    departures = _child.run("pace:departures", count=DEPARTURES[size]).result
    rate = round((len(departures) - 1) / (departures[-1] - departures[0]), 1)
    most = busiest_second(departures)
    name = f"paced to {RATE:g} a second, {WAITERS} waiters"
    return [
        Figure(
            name=f"departures a second: {name}", ours=rate, aim=Aim(text="49 to 50", value=rate, least=49, most=50.0)
        ),
        Figure(name=f"most departures in any second: {name}", ours=most, aim=Aim(text="≤ 51", value=most, most=51)),
    ]


def busiest_second(departures: Sequence[float]) -> int:
    """The most departures that any second saw, its ends included."""
    first, most = 0, 0
    for last, moment in enumerate(departures):
        while moment - departures[first] > 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def departures(count: int) -> list[float]:
    """When each of so many requests was handed to the connection, in seconds."""
    sent: list[float] = []

    class Answering(httpx.AsyncBaseTransport):
        """Notes the moment, and answers at once."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            sent.append(time.perf_counter())
            return httpx.Response(200, content=TASK)

    async def ask(client: KlingClient, times: int) -> None:
        for _ in range(times):
            await client.get_task("1")

    async def main() -> None:
        client = KlingClient(api_key="bench", http=Answering(), requests_per_second=RATE)
        async with client, anyio.create_task_group() as group:
            for _ in range(WAITERS):
                group.start_soon(ask, client, count // WAITERS)

    anyio.run(main)
    return sent
