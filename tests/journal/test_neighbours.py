from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kling_lipsync._journal import patience, peek, store
from kling_lipsync._transport import SystemClock
from kling_lipsync.errors import ClaimLost, JournalError

from .facts import ACCOUNT, CHECKED, begun, claimed, holders, intended, opened, write
from .neighbour import neighbour
from .test_owners import folder

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals"),
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),  # what is tested is between processes
]


async def test_a_second_process_is_welcome(path: Path) -> None:
    """Two processes work on one journal; a job is refused to the second with the first one's pid, until it is given
    back.
    """
    with neighbour(path) as other:
        async with opened(path) as journal:
            assert other.ask("admit theirs") == "admitted 0"
            await begun(journal, "mine", CHECKED)
            assert other.ask("intend theirs") == "version 1"
            with pytest.raises(ClaimLost, match=rf"'theirs' is being run by another process \({other.opened}\)"):
                await claimed(journal, "theirs")
            assert other.ask("admit mine").startswith("! ClaimLost: job 'mine' is being run by another process")
            assert await journal.slots_of_others() == 1
            assert other.ask("release theirs") == "released"
            assert len((await journal.admit("theirs", "settings of theirs")).events) == 1
            assert await journal.slots_of_others() == 0


async def test_a_stopped_owner_keeps_its_claims(path: Path) -> None:
    """A process that is stopped is not dead, however long; it goes on where it was."""
    with neighbour(path) as other:
        async with opened(path) as journal:
            assert other.ask("admit a") == "admitted 0"
            assert other.ask("intend a") == "version 1"
            other.signal(signal.SIGSTOP)
            with pytest.raises(ClaimLost, match=other.opened):
                await claimed(journal, "a")
            assert await journal.dead_claims() == []
            assert await journal.unclaimed(["a"]) == []
            other.signal(signal.SIGCONT)
            assert other.ask("end a") == "version 2"


async def test_a_killed_owner_loses_its_claims_at_once(path: Path) -> None:
    """The moment a process is dead its jobs are anybody's, stopped before or not."""
    with neighbour(path) as other:
        async with opened(path) as journal:
            other.ask("admit a")
            other.ask("intend a")
            other.signal(signal.SIGSTOP)
            other.signal(signal.SIGKILL)
            assert [row.key for row in await journal.dead_claims()] == ["a"]
            assert await journal.unclaimed(["a"]) == ["a"]
            assert len((await journal.admit("a", "settings of a")).events) == 1
            assert await journal.dead_claims() == []
            assert len(list(folder(path).iterdir())) == 2
            async with opened(path):
                assert len(list(folder(path).iterdir())) == 2  # what the dead left is gone


@pytest.mark.parametrize("how", ["program", "fork"])
async def test_a_child_does_not_keep_its_parents_claims(path: Path, how: str) -> None:
    """A child that outlives its parent, whether started as a program or forked, has no part in the parent's lock."""
    with neighbour(path) as other:
        other.ask("admit a")
        child = int(other.ask(f"beget {how}"))
        try:
            async with opened(path) as journal:
                with pytest.raises(ClaimLost):
                    await claimed(journal, "a")
                other.signal(signal.SIGKILL)
                os.kill(child, 0)  # it lives
                await claimed(journal, "a")
        finally:
            os.kill(child, signal.SIGKILL)


async def test_a_forked_child_is_refused_and_does_no_harm(path: Path) -> None:
    """A child that goes on with its parent's journal is told to open its own; the parent's claims and log stay."""
    with neighbour(path) as other:
        other.ask("admit a")
        refusals = other.ask("fork").split(" | ")
        assert len(refusals) == 3
        assert ["was opened by another process, before a fork: open it anew" in each for each in refusals] == [True] * 3
        async with opened(path) as journal:
            with pytest.raises(ClaimLost):
                await claimed(journal, "a")
            assert other.ask("intend a") == "version 1"
            assert await holders(journal) == ["a"]


async def test_another_account_waits_for_the_processes_at_work(path: Path) -> None:
    """A journal where nothing is open changes hands only when no process of the old account is left, dead ones not
    counted.
    """
    with neighbour(path) as other:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            with pytest.raises(JournalError, match="another process is at work on it"):
                async with opened(path, account="other"):
                    pass
            other.signal(number)
    async with opened(path, account="other"):
        with neighbour(path) as late:
            assert "belongs to the account other, and another process is at work" in late.opened


async def test_many_may_make_a_journal_together(tmp_path: Path) -> None:
    """Of owners that open a new journal at one moment none is refused, and they agree on what it is."""

    def make(path: Path, start: threading.Barrier) -> str:
        start.wait()
        made = store.open_store(path, ACCOUNT, clock=SystemClock(), shared=True)
        try:
            return made.journal_id
        finally:
            made.close()

    with ThreadPoolExecutor(6) as makers:
        for n in range(15):
            made = [makers.submit(make, tmp_path / f"{n}.db", start) for start in [threading.Barrier(6)] * 6]
            assert len({each.result() for each in made}) == 1


async def test_a_process_stopped_amid_a_write_is_told_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another program holds the file's own lock writes wait for it, in the end in vain; reading goes on, and
    writing once the lock is free.
    """
    monkeypatch.setattr(patience, "_MOMENTS", 3)
    async with opened(path) as journal:
        claim = await begun(journal, "a", CHECKED)
        holder = sqlite3.connect(path, isolation_level=None)
        try:
            holder.execute("begin immediate")
            with pytest.raises(JournalError, match="another process has been writing for too long"):
                await write(journal, claim, intended(), after=1)
            assert len(await journal.events()) == 1
        finally:
            holder.close()
        await write(journal, claim, intended(), after=1)


async def test_a_look_beside_writers(path: Path) -> None:
    """A view of a journal on which two processes work sees both; who is alive it sees too, and writes nothing."""
    async with opened(path) as journal:
        await begun(journal, "mine", intended())
        with neighbour(path) as other:
            other.ask("admit theirs")
            other.ask("intend theirs")
            before = sorted((each.name, each.stat().st_mtime_ns) for each in path.parent.rglob("*"))
            view = await peek(path)
            assert [row.key async for row in view.rows()] == ["mine", "theirs"]
            assert await view.dead_claims() == []
            assert await view.totals() == await journal.totals()
            other.signal(signal.SIGKILL)
            assert [row.key for row in await view.dead_claims()] == ["theirs"]
            assert await view.unclaimed(["mine", "theirs"]) == ["theirs"]
            assert sorted((each.name, each.stat().st_mtime_ns) for each in path.parent.rglob("*")) == before
