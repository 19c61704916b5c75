"""Looks at a journal with the rights of a user who owns nothing: ``python nobody.py open|peek PATH``.

Tests often run as root, whom no permission stops: a process of its own gives root up first. Any other user keeps to
the modes anyway.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from kling_lipsync._journal import SqliteJournal, peek, store  # noqa: F401 - store while it may still be read
from kling_lipsync.errors import JournalError

NOBODY = 65534
ON_UNIX = pytest.mark.skipif(sys.platform == "win32", reason="permissions are Unix modes here")
ONE_LOOP = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""For tests of what another process does, whichever loop the test itself runs on."""


class StoppedClock:
    """A clock nobody looks at."""

    def wall(self) -> float:
        """The epoch."""
        return 0.0

    def monotonic(self) -> float:
        """The same."""
        return 0.0


def as_nobody(action: str, path: Path) -> str:
    """What the action on ``path`` says, done by a user whom permissions stop."""
    command = [sys.executable, "-m", __name__, action, str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(  # noqa: S603 - this file
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


async def _open(path: str) -> str:
    journal = SqliteJournal(path, clock=StoppedClock(), inline=True)
    try:
        await journal.open("account")
    except JournalError as error:
        return str(error)
    await journal.aclose()
    return "opened"


async def _peek(path: str) -> str:
    try:
        view = await peek(path, inline=True)
        return f"{len(await view.events())} events"
    except JournalError as error:
        return str(error)


async def _main(action: str, path: str) -> None:
    if os.getuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    print(await {"open": _open, "peek": _peek}[action](path))  # noqa: T201 - its answer


if __name__ == "__main__":
    anyio.run(_main, sys.argv[1], sys.argv[2])
