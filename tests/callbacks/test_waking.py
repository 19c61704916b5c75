"""What news does to a batch, in virtual time: tasks take four minutes, looks at all of them come once in an hour."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import define, field
from trio.testing import MockClock

from kling_lipsync import Audio, CallbackReceiver, Coordinator, Job, Limits, PollPolicy, Status, Video
from kling_lipsync.events import Event, TaskCreated, TaskEnded
from kling_lipsync.sandbox import Fault, Sandbox, Settings
from kling_lipsync.testing import SANDBOX_URL, VirtualClock, sandbox_client

from .driving import OTHER, SECRET, TOKEN, post_by_asgi

pytestmark = pytest.mark.anyio

SAMPLES = Path(__file__).parents[2] / "kling_lipsync" / "sandbox" / "samples"
HOUR = 3600.0
TASK = 240.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Hours pass at once: trio's clock jumps whenever nothing is left to do but wait."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@define
class News:
    """Callbacks that a test makes up."""

    wakes: list[Callable[[str], None]] = field(factory=list)

    def subscribe(self, wake: Callable[[str], None]) -> Callable[[], None]:
        self.wakes.append(wake)
        return lambda: self.wakes.remove(wake)

    def tell(self, task_id: str) -> None:
        for wake in self.wakes:
            wake(task_id)


@define
class World:
    """A sandbox in virtual time whose callbacks go straight to a receiver, and what a coordinator wrote."""

    journal: Path
    settings: dict[str, Any] = field(factory=dict)
    receiver: CallbackReceiver | None = None
    clock: VirtualClock = field(factory=VirtualClock)
    events: list[Event] = field(factory=list)
    created: anyio.Event = field(factory=anyio.Event)
    _sandbox: Sandbox | None = None

    @property
    def sandbox(self) -> Sandbox:
        if self._sandbox is None:
            settings = Settings(**{"task_sigma": 0.0, "task_seconds": TASK, "threads": False, **self.settings})
            self._sandbox = Sandbox(settings, clock=self.clock.wall, sleep=anyio.sleep, post=self._post)
        return self._sandbox

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        return 0 if self.receiver is None else await post_by_asgi(self.receiver, url, headers, body)

    @asynccontextmanager
    async def coordinator(
        self, callbacks: Any, journal: str | None = None, **options: Any
    ) -> AsyncIterator[Coordinator]:
        chosen: dict[str, Any] = {"poll": PollPolicy(interval=HOUR, task_timeout=10 * HOUR), **options}
        async with (
            anyio.create_task_group() as group,
            self._client() as client,
            Coordinator(
                client,
                journal=self.journal / journal if journal else ":memory:",
                limits=Limits(running_tasks=5),
                callbacks=callbacks,
                on_event=self._hear,
                **chosen,
            ) as coordinator,
        ):
            group.start_soon(self.sandbox.run_callbacks)
            yield coordinator
            group.cancel_scope.cancel()

    def _client(self) -> AbstractAsyncContextManager[Any]:
        return sandbox_client(self.sandbox, clock=self.clock, threads=False)

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, TaskCreated):
            self.created.set()

    @property
    def looks(self) -> int:
        requests = self.sandbox.stats()["requests"]
        return int(requests.get("query", 0) + requests.get("list", 0))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    it = World(tmp_path)
    yield it
    it.sandbox.close()


def job(key: str = "a", url: str | None = None) -> Job:
    video = Video.from_url(f"{SANDBOX_URL}/media/one-face.mp4")
    return Job(key=key, video=video, audio=Audio.from_file(SAMPLES / "speech.mp3"), callback_url=url)


async def _one_job(world: World, coordinator: Coordinator, act: Callable[[str], Any]) -> tuple[Status, float]:
    """How a job ended, and how long after its create, when ``act`` is awaited with its task's id as it runs."""
    async with anyio.create_task_group() as group:
        statuses: list[Status] = []

        async def run() -> None:
            statuses.append((await coordinator.run(job())).status)

        group.start_soon(run)
        await world.created.wait()
        began = anyio.current_time()
        (event,) = (event for event in world.events if isinstance(event, TaskCreated))
        await anyio.sleep(1)
        await act(event.task_id)
    return statuses[0], anyio.current_time() - began


@pytest.mark.parametrize(
    "settings", [{}, {"callback_secret": SECRET, "callback_copies": 3, "callback_reorder": True}, {"lists": False}]
)
async def test_a_batch_ends_by_callbacks(world: World, settings: dict[str, Any]) -> None:
    """Twelve jobs on five slots are over before the first look at all is due, whatever order the news comes in.

    Each is asked for by itself: a list might still show what was.
    """
    signs = "callback_secret" in settings
    world.settings = settings
    world.receiver = CallbackReceiver(SECRET, clock=world.clock) if signs else CallbackReceiver(token=TOKEN)
    url = world.receiver.url_below("https://app.example/hook")
    async with world.coordinator(world.receiver) as coordinator:
        began = anyio.current_time()
        outcomes = await coordinator.run_all([job(f"job-{n}", url) for n in range(12)])
        assert anyio.current_time() - began < HOUR
    assert {outcome.status for outcome in outcomes} == {Status.SUCCEEDED}
    stats = world.sandbox.stats()
    assert stats["callbacks"] == {"sent": 24 * settings.get("callback_copies", 1), "failed": 0}
    assert (stats["tasks"], stats["max_running"], stats["bought_twice"]) == (12, 5, [])
    assert stats["requests"].get("list", 0) <= 1  # the first look, which no interval delays
    assert stats["units"] == float(sum(outcome.units for outcome in outcomes))


async def test_forged_callbacks_change_nothing(world: World) -> None:
    """With a wrong secret nobody is woken: the batch ends by the look that comes once in an hour."""
    world.settings = {"callback_secret": OTHER}
    world.receiver = CallbackReceiver(SECRET, clock=world.clock)
    async with world.coordinator(world.receiver) as coordinator:
        began = anyio.current_time()
        outcomes = await coordinator.run_all([job(f"job-{n}", "https://app.example/") for n in range(3)])
        assert anyio.current_time() - began >= HOUR
    assert {outcome.status for outcome in outcomes} == {Status.SUCCEEDED}
    assert world.sandbox.stats()["callbacks"] == {"sent": 0, "failed": 6}
    assert world.looks <= 2  # the first, and the one after an hour


async def test_news_is_only_a_hint(world: World) -> None:
    """A callback that tells of an end that is none costs one look, and writes nothing."""
    news = News()

    async def lie(task_id: str) -> None:
        news.tell(task_id)
        await anyio.sleep(10)
        assert world.looks == 1
        assert not any(isinstance(event, TaskEnded) for event in world.events)

    async with world.coordinator(news) as coordinator:
        assert await _one_job(world, coordinator, lie) == (Status.SUCCEEDED, pytest.approx(HOUR, abs=60))
    assert world.looks == 2


async def test_news_at_once_is_one_look(world: World) -> None:
    """However often it is told, before a look begins, the task is asked for once, and taken as it is found."""
    news = News()

    async def tell(task_id: str) -> None:
        await anyio.sleep(TASK)
        for _ in range(100):
            news.tell(task_id)

    async with world.coordinator(news) as coordinator:
        status, took = await _one_job(world, coordinator, tell)
    assert status is Status.SUCCEEDED
    assert TASK < took < TASK + 10
    assert world.looks == 1


async def test_news_during_a_look_is_one_more_look(world: World) -> None:
    """What is told while the answer is on its way may be newer than the answer."""
    news = News()
    world.sandbox.faults.add(Fault("stall", "query", seconds=40.0, when="after", count=1))

    async def tell(task_id: str) -> None:
        await anyio.sleep(TASK - 30)
        news.tell(task_id)
        await anyio.sleep(35)
        news.tell(task_id)
        assert world.looks == 1

    async with world.coordinator(news) as coordinator:
        status, took = await _one_job(world, coordinator, tell)
    assert (status, world.looks) == (Status.SUCCEEDED, 2)
    assert took < TASK + 30


async def test_news_of_strangers_is_ignored(world: World) -> None:
    """No request is sent for tasks that the journal does not watch."""
    news = News()

    async def tell(task_id: str) -> None:
        for number in range(1000):
            news.tell(f"{task_id}{number}")

    async with world.coordinator(news) as coordinator:
        status, took = await _one_job(world, coordinator, tell)
    assert status is Status.SUCCEEDED
    assert HOUR <= took <= HOUR + TASK + 60
    assert world.looks == 1


async def test_a_look_that_fails_is_made_up_for(world: World) -> None:
    """Kling is down as the news comes: the job goes on, and the next look at all finds its end."""
    news = News()
    world.sandbox.faults.add(Fault("5000", "query", count=1))

    async def tell(task_id: str) -> None:
        await anyio.sleep(TASK)
        news.tell(task_id)

    async with world.coordinator(news) as coordinator:
        status, took = await _one_job(world, coordinator, tell)
    assert status is Status.SUCCEEDED
    assert HOUR <= took <= HOUR + TASK + 60
    assert world.looks == 2


async def test_two_coordinators_on_one_receiver(world: World) -> None:
    """Each hears all news and looks at its own tasks; who leaves hears no more."""
    world.receiver = receiver = CallbackReceiver(token=TOKEN)
    url = receiver.url_below("https://app.example/")
    async with world.coordinator(receiver, "a.db") as first:
        async with world.coordinator(receiver, "b.db") as second, anyio.create_task_group() as group:
            began = anyio.current_time()
            group.start_soon(first.run, job("a", url))
            group.start_soon(second.run, job("b", url))
        assert anyio.current_time() - began < HOUR
        assert (await first.run(job("c", url))).status is Status.SUCCEEDED
    assert sum(isinstance(event, TaskEnded) for event in world.events) == 3
    assert not vars(receiver)["_subscribers"]


async def test_news_crosses_to_the_process_that_watches_the_task(world: World) -> None:
    """A callback that reaches another process on the journal wakes the one that has the job."""
    here, there = News(), News()
    ended: list[Status] = []
    async with (
        world.coordinator(here, "a.db") as owner,
        world.coordinator(there, "a.db"),
        anyio.create_task_group() as group,
    ):

        async def run() -> None:
            ended.append((await owner.run(job())).status)

        group.start_soon(run)
        await world.created.wait()
        await anyio.sleep(TASK + 1)
        there.tell("never heard of")
        task = next(event for event in world.events if isinstance(event, TaskCreated))
        there.tell(task.task_id)
        with anyio.fail_after(5):
            while not ended:
                await anyio.sleep(0.1)
    assert ended == [Status.SUCCEEDED]
    assert world.looks == 1
