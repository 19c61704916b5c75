"""The journal's own thread: when it lives, and whom it tells."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path

import anyio
import pytest

from kling_lipsync._journal import SqliteJournal
from kling_lipsync.errors import JournalError

from .facts import ACCOUNT, CHECKED, HandClock, claimed, opened, write
from .slow import PATIENCE


def threads() -> list[threading.Thread]:
    """Those of journals."""
    return [thread for thread in threading.enumerate() if thread.name == "kling_lipsync journal"]


def await_no_thread() -> None:
    """Returns once none is left; the last one is told to end, but nobody waits for it."""
    deadline = time.monotonic() + PATIENCE
    for thread in threads():
        thread.join(deadline - time.monotonic())
    assert threads() == []


@pytest.fixture(autouse=True)
def no_thread_of_another_test() -> None:
    """Tests that left a journal open have dropped it by now."""
    gc.collect()
    await_no_thread()


@pytest.mark.anyio
async def test_a_journal_has_one_thread_while_it_is_open(path: Path) -> None:
    """However much is read and written, one thread does it, and it ends with the journal."""
    async with opened(path) as journal:
        claims = [await claimed(journal, f"job {n}") for n in range(20)]
        async with anyio.create_task_group() as group:
            for claim in claims:
                group.start_soon(write, journal, claim, CHECKED)
                group.start_soon(journal.row, claim.key)
        assert len(threads()) == 1
    await_no_thread()


@pytest.mark.anyio
async def test_an_opening_that_fails_leaves_no_thread(tmp_path: Path) -> None:
    """As where the folder is missing."""
    journal = SqliteJournal(tmp_path / "missing" / "jobs.db", clock=HandClock())
    with pytest.raises(JournalError, match="no folder"):
        await journal.open(ACCOUNT)
    await_no_thread()


@pytest.mark.anyio
async def test_a_second_opening_is_refused_and_does_no_harm(path: Path) -> None:
    """The journal that is open stays so."""
    async with opened(path) as journal:
        with pytest.raises(JournalError, match="open already"):
            await journal.open(ACCOUNT)
        await write(journal, await claimed(journal, "a"), CHECKED)


@pytest.mark.anyio
async def test_a_journal_that_was_forgotten_leaves_no_thread(path: Path) -> None:
    """A caller that never closes it does not keep a thread for ever."""
    journal = SqliteJournal(path, clock=HandClock())
    await journal.open(ACCOUNT)
    assert len(threads()) == 1
    del journal
    gc.collect()
    await_no_thread()


def test_one_event_loop_after_another(path: Path) -> None:
    """A journal may be opened in one event loop and used in the next: each is told what it asked for."""
    journal = SqliteJournal(path, clock=HandClock())

    async def begin() -> None:
        await journal.open(ACCOUNT)
        await write(journal, await claimed(journal, "a"), CHECKED)

    async def go_on() -> None:
        await write(journal, await claimed(journal, "b"), CHECKED)
        assert len(await journal.events()) == 2
        await journal.aclose()

    anyio.run(begin)
    anyio.run(go_on)
