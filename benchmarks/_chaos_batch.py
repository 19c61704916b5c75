"""A batch of ``kling-lipsync run`` in processes that may be killed, and what is left of it afterwards."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
from attrs import frozen

from benchmarks._chaos_world import World
from kling_lipsync._journal import peek
from kling_lipsync.events import CreateUnanswered, Event

SOUND = Path(__file__).parents[1] / "kling_lipsync" / "sandbox" / "samples" / "speech.mp3"
OF_A_CRASH = "the run that sent the create ended"
"""How the record of a doubt begins that a crash left behind, and no lost answer."""


@frozen(kw_only=True)
class Batch:
    """Jobs in a manifest below ``folder``, to be run against a world; times are in seconds."""

    world: World
    folder: Path
    jobs: int
    slots: int
    reconcile_grace: float = 3.0
    requests_per_second: float = 1000.0
    poll_interval: float = 0.1
    key: str = "chaos"
    sound: Path = SOUND

    @property
    def journal(self) -> Path:
        """The journal that all runs share."""
        return self.folder / "jobs.journal"

    def keys(self) -> list[str]:
        """The keys of its jobs."""
        return [f"job-{number:04}" for number in range(self.jobs)]

    def write(self) -> None:
        """Writes the manifest."""
        with (self.folder / "jobs.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["key", "video_url", "audio_file"])
            rows.writerows([key, self.world.video(), str(self.sound)] for key in self.keys())

    def command(self, *more: str) -> list[str]:
        """The command line of a run, with ``more`` options."""
        options = {
            "base-url": self.world.url,
            "journal": self.journal,
            "running-tasks": self.slots,
            "requests-per-second": self.requests_per_second,
            "poll-interval": self.poll_interval,
            "reconcile-grace": self.reconcile_grace,
            "progress": "none",
        }
        named = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        return [sys.executable, "-m", "kling_lipsync.cli", "run", "jobs.csv", *named, *more]

    def start(self, *more: str, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """A run in a process of its own; its messages go to ``stderr``."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KLING_")}
        return subprocess.Popen(  # noqa: S603 - this package
            self.command(*more),
            cwd=self.folder,
            env={**kept, "KLING_API_KEY": self.key},
            stderr=stderr,
            text=True,
        )

    def finish(self, *more: str, timeout: float = 120.0) -> tuple[int, str]:
        """Runs to the end: the exit status, and what was said. Raises ``subprocess.TimeoutExpired``."""
        process = self.start(*more, stderr=subprocess.PIPE)
        try:
            _, said = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return process.returncode, said


@frozen(kw_only=True)
class Audit:
    """What became of a batch, by the journal, the results and the sandbox together."""

    succeeded: int
    created_twice: int
    lost: int
    max_running: int
    in_doubt: int
    needless: int


def audit(batch: Batch, results: Path) -> Audit:
    """Holds the results of a finished batch against the tasks that the sandbox has.

    ``succeeded`` jobs have a task of their own at the sandbox, which bears the job's external id; ``lost`` ones have
    not. ``needless`` are doubts about creates whose answer no fault took away and no crash left behind.
    """
    outcomes = {line["key"]: line for line in _lines(results)}
    tasks = {task["task_id"]: task["task_info"].get("external_task_id") for task in batch.world.tasks()}
    told = [outcome for outcome in outcomes.values() if outcome["status"] == "succeeded"]
    theirs = {one["task_id"] for one in told if tasks.get(one["task_id"]) == one["external_task_id"] is not None}
    bought = Counter(external or task for task, external in tasks.items())
    return Audit(
        succeeded=len(theirs),
        created_twice=sum(bought.values()) - len(bought),
        lost=batch.jobs - len(theirs),
        max_running=batch.world.stats()["max_running"],
        in_doubt=sum(outcome["status"] == "in_doubt" for outcome in outcomes.values()),
        needless=max(0, len(_unexplained(batch.journal)) - batch.world.dropped()),
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _unexplained(journal: Path) -> list[Event]:
    """The doubts that no crash left behind."""
    return [
        event
        for event in events_of(journal)
        if isinstance(event, CreateUnanswered) and not event.error.message.startswith(OF_A_CRASH)
    ]


def events_of(journal: Path) -> list[Event]:
    """Every event of a journal, in order."""

    async def read() -> list[Event]:
        view = await peek(journal)
        events: list[Event] = []
        while more := await view.events(after=events[-1].seq if events else 0):
            events += more
        return events

    return anyio.run(read)
