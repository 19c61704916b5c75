"""One job in a process that comes to grief at a chosen moment: ``python -m tests.chaos.lives MODE LIFE-AS-JSON``.

What each life tells is a line of JSON on stdout.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from sqlite3 import Connection
from typing import Any, NoReturn

import anyio
from attrs import asdict, evolve, frozen

from benchmarks._chaos_batch import SOUND
from kling_lipsync import Audio, Coordinator, Job, KlingClient, Limits, Outcome, PollPolicy, Task, Video
from kling_lipsync._journal.store import Store

SECRET = "secret-secret-secret-secret-secret"
BEFORE, AFTER = "before", "after"


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Returns once ``condition`` holds; it is looked at again and again, and must hold at last."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


@frozen
class ShiftedClock:
    """The machine's clock, set wrong by ``offset`` seconds."""

    offset: float

    def wall(self) -> float:
        return time.time() + self.offset

    def monotonic(self) -> float:
        return anyio.current_time()


@frozen(kw_only=True)
class Life:
    """A run of jobs on a journal; ``clock`` and ``clock_afterwards`` are by how much the clock is wrong, in seconds.

    ``jobs`` are keys, apart by blanks; ``signed``: with tokens that a wrong clock spoils, instead of a key.
    """

    url: str
    journal: str
    jobs: str = "job-0000"
    clock: float = 0.0
    clock_afterwards: float = 0.0
    grace: float = 0.5
    slots: int = 5
    signed: bool = False

    def started(self, mode: str) -> subprocess.Popen[str]:
        """This life in a process of its own, in one of ``MODES``."""
        command = [sys.executable, "-m", __name__, mode, json.dumps(asdict(self))]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 - this file

    def told(self, mode: str) -> list[dict[str, Any]]:
        """What this life tells in all; it has to end by itself, and well."""
        process = self.started(mode)
        said, _ = process.communicate(timeout=90)
        assert process.returncode == 0
        return [json.loads(line) for line in said.splitlines()]

    async def run(self) -> list[tuple[Outcome | None, Outcome]]:
        """How each job stood before, and how it stands now."""
        jobs = [
            Job(key=key, video=Video.from_url(f"{self.url}/media/one-face.mp4"), audio=Audio.from_file(SOUND))
            for key in self.jobs.split()
        ]
        keys: dict[str, Any] = {"access_key": "access", "secret_key": SECRET} if self.signed else {"api_key": "chaos"}
        client = KlingClient(**keys, base_url=self.url, clock=ShiftedClock(self.clock))
        async with (
            client,
            Coordinator(
                client,
                journal=self.journal,
                limits=Limits(running_tasks=self.slots, requests_per_second=None),
                poll=PollPolicy(interval=0.02),
                reconcile_grace=self.grace,
            ) as coordinator,
        ):
            before = [await coordinator.get(job.key) for job in jobs]
            return list(zip(before, await coordinator.run_all(jobs), strict=True))


def _say(found: Outcome | None, outcome: Outcome) -> None:
    line = {
        "key": outcome.key,
        "found": found and str(found.status),
        "had_task": bool(found and found.task_id),
        "status": str(outcome.status),
        "task_id": outcome.task_id,
        "external_task_id": outcome.external_task_id,
        "error": str(outcome.error),
    }
    print(json.dumps(line), flush=True)  # noqa: T201 - the parent reads it


def live(life: Life) -> None:
    """An undisturbed life, which tells its outcomes."""
    for found, outcome in anyio.run(life.run):
        _say(found, outcome)


def die_at_every_commit(life: Life) -> None:
    """For each commit of a life, dies before it and dies after it, each time lives again undisturbed, and tells.

    Each life has a journal of its own, beside the one that is given. The first one is not disturbed: it imports all
    that the others need.
    """
    anyio.run(life.run)
    until(lambda: threading.active_count() == 1)  # only then may a process fork
    for number in count(1):
        ends = [_die_and_live_again(life, number, when) for when in (BEFORE, AFTER)]
        if not any(ends):
            return


def _die_and_live_again(life: Life, number: int, when: str) -> bool:
    """Whether that life had so many commits, and was ended by the chosen one."""
    key = f"{when}-{number}"
    mine = evolve(life, journal=f"{life.journal}-{key}", jobs=key)
    status = _forked(lambda: _die(mine, number, when))
    assert status in (-signal.SIGKILL, 0), "it failed of something else"
    killed = status != 0
    if killed:
        assert _forked(lambda: live(evolve(mine, clock=mine.clock_afterwards))) == 0
    return killed


def _forked(work: Callable[[], None]) -> int:
    """Does ``work`` in a child of this process; gives its exit status."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - a forked child must not return into its parent's stack
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _die(life: Life, number: int, when: str) -> None:
    transact, numbers = Store.transact, count(1)

    def dying(store: Store, works: Sequence[Callable[[Connection], None]], **options: Any) -> None:
        fatal = next(numbers) == number
        if fatal and when == BEFORE:
            _kill_oneself()
        transact(store, works, **options)
        if fatal:
            _kill_oneself()

    Store.transact = dying  # type: ignore[method-assign,assignment]  # it is what dies
    anyio.run(life.run)


def _kill_oneself() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("the signal kills at once")


def stop_before_the_create(life: Life) -> None:
    """Stops its own process between the intent and the POST, and goes on when it is told to continue."""
    create = KlingClient.create_ordered_task

    async def stopped(client: KlingClient, order: Any) -> Task:
        os.kill(os.getpid(), signal.SIGSTOP)
        return await create(client, order)

    KlingClient.create_ordered_task = stopped  # type: ignore[method-assign,assignment]  # it is where to stop
    live(life)


def die_after_the_create(life: Life) -> None:
    """Dies as soon as Kling has answered the first create, before that is written."""
    create = KlingClient.create_ordered_task

    async def fatal(client: KlingClient, order: Any) -> NoReturn:
        await create(client, order)
        _kill_oneself()

    KlingClient.create_ordered_task = fatal  # type: ignore[method-assign,assignment]  # it is what kills
    live(life)


_ALL = (live, die_at_every_commit, stop_before_the_create, die_after_the_create)
MODES = {function.__name__: function for function in _ALL}

if __name__ == "__main__":
    MODES[sys.argv[1]](Life(**json.loads(sys.argv[2])))
