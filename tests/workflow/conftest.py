from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import define, field
from trio.testing import MockClock

from kling_lipsync import Audio, Coordinator, Job, KlingClient, Limits, PollPolicy, Video
from kling_lipsync.sandbox import Sandbox, Settings
from kling_lipsync.testing import SANDBOX_URL, VirtualClock, sandbox_client

SAMPLES = Path(__file__).parents[2] / "kling_lipsync" / "sandbox" / "samples"
VIDEO = f"{SANDBOX_URL}/media/one-face.mp4"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Minutes of life pass at once: trio's clock jumps whenever nothing is left to do but wait."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@define
class World:
    """A sandbox in virtual time, and coordinators on one journal."""

    journal: Path
    clock: VirtualClock = field(factory=VirtualClock)
    settings: dict[str, Any] = field(factory=dict)
    _sandbox: Sandbox | None = None

    @property
    def sandbox(self) -> Sandbox:
        if self._sandbox is None:
            settings = {"task_sigma": 0.0, "threads": False, **self.settings}
            self._sandbox = Sandbox(Settings(**settings), clock=self.clock.wall, sleep=anyio.sleep)
        return self._sandbox

    def client(self, **options: Any) -> AbstractAsyncContextManager[KlingClient]:
        return sandbox_client(self.sandbox, clock=self.clock, threads=False, **options)

    @asynccontextmanager
    async def coordinator(
        self, *, slots: int | None = 5, api_key: str = "test-key", **options: Any
    ) -> AsyncIterator[Coordinator]:
        options = {
            "journal": self.journal,
            "limits": Limits(running_tasks=slots),
            "poll": PollPolicy(interval=5.0),
            **options,
        }
        async with self.client(api_key=api_key) as client, Coordinator(client, **options) as coordinator:
            yield coordinator

    def stats(self) -> dict[str, Any]:
        return self.sandbox.stats()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A fresh world; ``world.settings`` may be filled before the sandbox is first used."""
    it = World(journal=tmp_path / "jobs.db")
    yield it
    it.sandbox.close()


def job(key: str = "a", **changes: Any) -> Job:
    settings: dict[str, Any] = {"video": Video.from_url(VIDEO), "audio": Audio.from_file(SAMPLES / "speech.mp3")}
    return Job(key=key, **{**settings, **changes})
