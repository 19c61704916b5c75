"""A process that works on a journal until it is killed: ``python -m … MODE PATH``.

It says on stdout what the journal has confirmed to it, a line each: ``key version``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from sqlite3 import Connection
from typing import NoReturn

import anyio

from kling_lipsync._journal import SqliteJournal, writes
from kling_lipsync.errors import JournalError

from .facts import CHECKED, begun, claimed, ended, intended, opened, write


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
    anyio.run(_main, sys.argv[1], sys.argv[2])
