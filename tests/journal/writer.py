"""A process that works on a journal until it is killed: ``python -m … MODE PATH``.

It says on stdout what the journal has confirmed to it, a line each: ``key version``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from sqlite3 import Connection
from typing import NoReturn

import anyio

from kling_lipsync._journal import SqliteJournal, writes
from kling_lipsync._journal.store import Store
from kling_lipsync.errors import JournalError

from .facts import CHECKED, begun, claimed, ended, intended, opened, write

Works = Sequence[Callable[[Connection], None]]


def started(mode: str, path: Path) -> subprocess.Popen[str]:
    """The process, in ``MODES``."""
    command = [sys.executable, "-m", __name__, mode, str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 - this file


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the parent reads it


async def _work(journal: SqliteJournal) -> None:
    async def one(key: str) -> None:
        claim = await claimed(journal, key)
        for after in range(0, 10**6, 2):
            for step, event in enumerate((intended(), ended()), after):
                await write(journal, claim, event, after=step)
                _say(f"{key} {step + 1}")

    async with anyio.create_task_group() as tasks:
        for n in range(5):
            tasks.start_soon(one, f"job {n}")


async def _die_inside(journal: SqliteJournal) -> None:
    append = writes.append

    def append_and_die(connection: Connection, entry: writes.Entry) -> NoReturn:
        append(connection, entry)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("the signal kills at once")

    await begun(journal, "a", CHECKED)
    _say("a 1")
    writes.append = append_and_die
    await begun(journal, "b", intended())
    _say("b 1")


STEPS = 6
"""The commits of one job's life, as ``_live`` goes through them."""

DEATHS = [(moment, commit) for moment in ("before", "after") for commit in range(1, STEPS + 1)]


async def _live(journal: SqliteJournal) -> None:
    claim = await claimed(journal, "a")
    await journal.keep_job("a", "settings of a", "all of a")
    await write(journal, claim, CHECKED, intended(), ended())
    await journal.release(claim, ended=True)


async def _die(moment: str, commit: int, path: Path) -> None:
    """Lives until the transaction of that number, and dies right before its commit or right after."""
    transact, numbers = Store.transact, count(0)  # the opening's is the first

    def die(_: object = None) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def transact_and_die(self: Store, works: Works, *, durable: bool = True) -> None:
        here = next(numbers) == commit
        transact(self, [*works, die] if here and moment == "before" else works, durable=durable)
        if here:
            die()

    setattr(Store, "transact", transact_and_die)  # noqa: B010 - type checkers know that it is a method
    async with opened(path, inline=True) as journal:
        await _live(journal)


def _die_of_each(folder: Path) -> None:
    """All deaths, each in a process of its own and on a journal of its own."""
    for moment, commit in DEATHS:
        pid = os.fork()
        if pid == 0:
            anyio.run(_die, moment, commit, folder / f"{moment} {commit}.db")
            os._exit(0)
        _say(f"{moment} {commit} {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")


async def _fill_the_disk(journal: SqliteJournal) -> None:
    import resource

    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, unlimited[1]))
    claim = await claimed(journal, "a")
    version = 0
    try:
        for version in range(10**6):
            await write(journal, claim, CHECKED, after=version)
            _say(f"a {version + 1}")
    except JournalError as error:
        _say(f"! {error}")
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    try:
        await write(journal, claim, CHECKED, after=version)
    except JournalError as error:
        _say(f"! {error}")


MODES = {"work": _work, "die inside": _die_inside, "fill the disk": _fill_the_disk}


async def _main(mode: str, path: str) -> None:
    async with opened(path) as journal:
        await MODES[mode](journal)


if __name__ == "__main__":
    if sys.argv[1] == "die of each":
        _die_of_each(Path(sys.argv[2]))
    else:
        anyio.run(_main, sys.argv[1], sys.argv[2])
