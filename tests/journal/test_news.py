from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from kling_lipsync._journal import SqliteJournal, news

from .facts import CHECKED, begun, claimed, opened
from .slow import PATIENCE, slow_transaction

pytestmark = pytest.mark.anyio

INTERVAL = 0.02


@pytest.fixture(autouse=True)
def _short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks follow each other faster than in earnest."""
    monkeypatch.setattr(news, "INTERVAL", INTERVAL)


async def quiet(journal: SqliteJournal) -> None:
    """Returns once nothing is new to the journal."""
    while await journal.wait_for_others(0.0) or await journal.wait_for_others(2 * INTERVAL):
        pass


def looks_of(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each look of the journal finds, from now on."""
    looks: list[int] = []
    assert journal._news
    version = journal._news._version

    async def look() -> int:
        looks.append(found := await version())
        return found

    monkeypatch.setattr(journal._news, "_version", look)
    return looks


async def some(looks: list[int]) -> None:
    """Returns once there has been a look."""
    while not looks:
        await anyio.sleep(INTERVAL / 2)


async def test_news_are_told_as_soon_as_another_has_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits is woken by another owner's commit, long before its patience ends."""
    async with opened(path) as waiting, opened(path) as other:
        await quiet(waiting)
        looks = looks_of(waiting, monkeypatch)
        told: list[bool] = []

        async def wait() -> None:
            told.append(await waiting.wait_for_others(10 * PATIENCE))

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await some(looks)
                await begun(other, "a", CHECKED)
        assert told == [True]


async def test_what_was_written_before_the_question_is_news(path: Path) -> None:
    """Nothing is missed between two questions."""
    async with opened(path) as waiting, opened(path) as other:
        await quiet(waiting)
        await begun(other, "a", CHECKED)
        with anyio.fail_after(PATIENCE):
            assert await waiting.wait_for_others(10 * PATIENCE)
        assert not await waiting.wait_for_others(5 * INTERVAL)


async def test_ones_own_writing_is_no_news(path: Path) -> None:
    """After ``timeout`` seconds without another's commit the answer is no, whatever was written here."""
    async with opened(path) as journal:
        await quiet(journal)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(begun, journal, "a", *[CHECKED] * 5)
            assert not await journal.wait_for_others(5 * INTERVAL)
        await journal.release(await claimed(journal, "b"))
        assert not await journal.wait_for_others(5 * INTERVAL)


async def test_a_question_without_patience_is_answered(path: Path) -> None:
    """With no time to wait the journal has one look."""
    async with opened(path) as journal, opened(path) as other:
        await quiet(journal)
        assert not await journal.wait_for_others(0)
        await begun(other, "a", CHECKED)
        with anyio.fail_after(PATIENCE):
            while not await journal.wait_for_others(0):  # a look is not due yet
                await anyio.sleep(INTERVAL / 2)


async def test_one_look_serves_all_who_wait(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty who wait are told by one and the same look, and the file is not looked at more often for them."""
    async with opened(path) as journal, opened(path) as other:
        await quiet(journal)
        looks = looks_of(journal, monkeypatch)
        told: list[bool] = []

        async def wait() -> None:
            told.append(await journal.wait_for_others(10 * PATIENCE))

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                for _ in range(50):
                    tasks.start_soon(wait)
                await some(looks)
                await claimed(other, "a")
        assert told == [True] * 50
        assert looks.count(looks[-1]) <= 2  # the look that found it, and one by those who had slept through it


async def test_a_look_that_takes_long_is_waited_for(path: Path) -> None:
    """A slow disk, or a long transaction, may hold a look up for longer than the time between two: the waiting goes on
    after it.
    """
    async with opened(path) as journal, opened(path) as other:
        await quiet(journal)
        told: list[bool] = []

        async def wait() -> None:
            told.append(await journal.wait_for_others(10 * PATIENCE))

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                async with slow_transaction(journal):
                    tasks.start_soon(wait)
                    await anyio.sleep(3 * INTERVAL)
                    assert told == []
                await anyio.sleep(2 * INTERVAL)
                await begun(other, "a", CHECKED)
        assert told == [True]


async def test_a_cancelled_waiter_leaves_the_others_waiting(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was to look and is cancelled: another looks in its place."""
    async with opened(path) as journal, opened(path) as other:
        await quiet(journal)
        looks = looks_of(journal, monkeypatch)
        told: list[bool] = []
        scope = anyio.CancelScope()

        async def first() -> None:
            with scope:
                told.append(await journal.wait_for_others(10 * PATIENCE))

        async def second() -> None:
            told.append(await journal.wait_for_others(10 * PATIENCE))

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(first)
                await some(looks)
                tasks.start_soon(second)
                scope.cancel()
                await begun(other, "a", CHECKED)
        assert told == [True]


async def test_in_memory_there_are_no_others() -> None:
    """A journal in memory has but one owner: it waits, and has no news."""
    async with opened(":memory:") as journal:
        await begun(journal, "a", CHECKED)
        assert not await journal.wait_for_others(0.01)
