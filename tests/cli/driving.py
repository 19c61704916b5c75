"""Drives the command line: in this process where only its words and status count, in another where signals do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from attrs import define, field, frozen

from kling_lipsync import sandbox as sandbox_package
from kling_lipsync.cli._app import run_app
from kling_lipsync.sandbox import Fault, Sandbox, Settings, serve

SAMPLES = Path(sandbox_package.__file__).with_name("samples")
QUICK = {"speed": 1000.0, "identify_seconds": 20.0, "task_seconds": 200.0, "task_sigma": 0.0}
"""Identify takes 0.02 s, a task 0.2 s."""

QUICK_PACE = ("--poll-interval", "0.1", "--requests-per-second", "1000")


@frozen
class World:
    """A sandbox that is served, and where."""

    sandbox: Sandbox
    url: str

    @property
    def stats(self) -> Mapping[str, Any]:
        """What happened there."""
        stats = self.sandbox.stats()
        assert stats["leaked_keys"] == 0
        return stats

    def media(self, name: str) -> str:
        """The URL of a sample."""
        return f"{self.url}/media/{name}"


@contextmanager
def served(**settings: Any) -> Iterator[World]:
    """A sandbox on a socket of this machine, in a thread of its own."""
    with Sandbox(Settings(**{**QUICK, **settings})) as sandbox, start_blocking_portal() as portal:
        task, url = portal.start_task(_serve, sandbox)
        try:
            yield World(sandbox, url)
        finally:
            task.cancel()


async def _serve(sandbox: Sandbox, *, task_status: anyio.abc.TaskStatus[str]) -> None:
    await serve(sandbox, started=task_status.started)


@frozen
class Ended:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its JSON lines on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


@define
class Line:
    """The command line in this process, in a folder of its own."""

    folder: Path
    _capsys: pytest.CaptureFixture[str]
    told: str = field(default="")

    def __call__(self, *arguments: object) -> Ended:
        """Runs a command to its end."""
        status = run_app([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        self.told += out + err
        return Ended(status, out, err)

    def manifest(self, content: str, name: str = "jobs.csv") -> Path:
        """A manifest in the folder."""
        path = self.folder / name
        path.write_text(content)
        return path

    def jobs(self, world: World, count: int = 2, name: str = "jobs.csv") -> Path:
        """A manifest of jobs on the sandbox's samples, which all succeed."""
        rows = (f"k{n},{world.media('one-face.mp4')},{SAMPLES / 'speech.wav'}\n" for n in range(count))
        return self.manifest("key,video_url,audio_file\n" + "".join(rows), name)

    def run(self, world: World, path: Path, *options: object) -> Ended:
        """Runs a manifest against the sandbox."""
        return self("run", path, "--base-url", world.url, *QUICK_PACE, "--reconcile-grace", "0.1", *options)


@contextmanager
def process(folder: Path, *arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command line in a process of its own; it is killed if it has not ended with the block."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "SYSTEMROOT", "HOME") if name in os.environ}
    command = [sys.executable, "-m", "kling_lipsync.cli", *map(str, arguments)]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=folder, env={**kept, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def fault(world: World, kind: str, endpoint: str, **options: Any) -> Fault:
    """Puts a fault in force."""
    return world.sandbox.faults.add(Fault(kind, endpoint, **options))


def read_until(lines: Iterator[str], holds: Callable[[str], bool]) -> str:
    """The first line that holds; raises AssertionError where none does."""
    return next((line for line in lines if holds(line)), "") or pytest.fail("the line never came")
