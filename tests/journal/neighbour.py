"""Another process on a journal, which does as it is told: ``with neighbour(path) as other: other.ask("admit a")``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio

from kling_lipsync._journal import SqliteJournal
from kling_lipsync.abc import Claim
from kling_lipsync.errors import KlingError

from .facts import ACCOUNT, HandClock, ended, intended, write

Action = Callable[[SqliteJournal, str], Awaitable[str]]


class Neighbour:
    """The process, seen from here."""

    def __init__(self, path: Path, account: str) -> None:
        command = [sys.executable, "-m", __name__, str(path), account]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        piped = partial(subprocess.Popen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process: subprocess.Popen[str] = piped(command, env=environment)
        self.opened = self.hear()

    def tell(self, line: str) -> None:
        """Begins what ``line`` asks for."""
        assert self.process.stdin
        print(line, file=self.process.stdin, flush=True)

    def hear(self) -> str:
        """The next line that it says; empty where it is dead."""
        assert self.process.stdout
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, line: str) -> str:
        """What it answers to ``line``."""
        self.tell(line)
        return self.hear()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, which has had its effect when this returns."""
        self.process.send_signal(number)
        if number is not signal.SIGCONT:
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def leave(self) -> None:
        """Lets it close its journal and end."""
        self.process.communicate()


@contextmanager
def neighbour(path: Path, account: str = ACCOUNT) -> Iterator[Neighbour]:
    """A process that has the journal open inside, unless it was refused."""
    other = Neighbour(path, account)
    try:
        yield other
    finally:
        other.process.kill()
        other.process.communicate()


def _say(line: object) -> None:
    print(line, flush=True)  # noqa: T201 - the parent reads it


_claims: dict[str, Claim] = {}


async def _admit(journal: SqliteJournal, key: str) -> str:
    admission = await journal.admit(key, f"settings of {key}")
    _claims[key] = admission.claim
    return f"admitted {len(admission.events)}"


async def _intend(journal: SqliteJournal, key: str) -> str:
    row = await journal.row(key)
    (event,) = await write(journal, _claims[key], intended(), after=row.version if row else 0)
    return f"version {event.version}"


async def _end(journal: SqliteJournal, key: str) -> str:
    row = await journal.row(key)
    (event,) = await write(journal, _claims[key], ended(), after=row.version if row else 0)
    return f"version {event.version}"


async def _release(journal: SqliteJournal, key: str) -> str:
    await journal.release(_claims[key])
    return "released"


async def _beget(_: SqliteJournal, how: str) -> str:
    """A child that lives on when this process dies: a program with all that may be inherited, or a fork."""
    if how == "program":
        idle = "import time; time.sleep(600)"
        child = subprocess.Popen(  # noqa: ASYNC220, S603 - our own line, and nobody else runs on this loop
            [sys.executable, "-c", idle], close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        return str(child.pid)
    pid = os.fork()
    if pid == 0:
        for stream in (0, 1):
            os.close(stream)
        threading.Event().wait(600)
        os._exit(0)
    return str(pid)


async def _use_in_fork(journal: SqliteJournal, key: str) -> str:
    """What a forked child is told that goes on with its parent's journal."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        store, said = journal._opened(), []
        uses: list[Callable[[], object]] = [
            partial(store.transact, []),
            partial(store.read, id),
            partial(store.turns.take, 1.0),
        ]
        for use in uses:
            try:
                said.append(repr(use()))
            except KlingError as error:
                said.append(str(error))
        store.close()
        os.write(writing, " | ".join(said).encode())
        os._exit(0)
    os.waitpid(pid, 0)  # noqa: ASYNC222 - nobody else runs on this loop
    return os.read(reading, 10_000).decode()


async def _pace(journal: SqliteJournal, count: str) -> str:
    """Departs ``count`` times at 50 a second, from four tasks, and says by which reading of the clock."""
    turns = journal._opened().turns
    pacer, now = journal.pacer(50), turns.now
    readings: list[float] = []
    departures: list[float] = []

    def read() -> float:
        readings[:] = [now()]
        return readings[0]

    async def depart(times: int) -> None:
        for _ in range(times):
            await pacer.wait()
            departures.append(readings[0])
            _say("left")

    turns.now = read  # type: ignore[method-assign]
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(depart, int(count) // 4)
    return " ".join(map(str, departures))


ACTIONS: dict[str, Action] = {
    "admit": _admit,
    "intend": _intend,
    "end": _end,
    "release": _release,
    "beget": _beget,
    "fork": _use_in_fork,
    "pace": _pace,
}


async def _main(path: str, account: str) -> None:
    journal = SqliteJournal(path, clock=HandClock())
    try:
        await journal.open(account)
    except KlingError as error:
        _say(f"! {error}")
        return
    _say(f"pid {os.getpid()}")
    for line in sys.stdin:
        action, _, argument = line.strip().partition(" ")
        try:
            _say(await ACTIONS[action](journal, argument))
        except KlingError as error:
            _say(f"! {type(error).__name__}: {error}")
    await journal.aclose()


if __name__ == "__main__":
    anyio.run(_main, sys.argv[1], sys.argv[2])
