from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import anyio
import pytest

from kling_lipsync.errors import ClaimLost, JournalError

from .facts import CHECKED, begun, claimed, holders, intended, opened, write
from .test_opening import refusal

pytestmark = pytest.mark.anyio


def folder(path: Path) -> Path:
    """Where the owners of the journal at ``path`` have their files."""
    return path.with_name(f"{path.name}.owners")


async def test_one_process_may_open_a_journal_twice(path: Path) -> None:
    """Two owners in one process, by whatever name of the file: what one has claimed the other may not, and both may
    write.
    """
    link = path.with_name("link.db")
    link.symlink_to(path)
    async with opened(path) as one, opened(link, inline=True) as two:
        of_one, of_two = await claimed(one, "a"), await claimed(two, "b")
        with pytest.raises(ClaimLost, match=r"'a' is being run by another process, or another journal of this one"):
            await claimed(two, "a")
        await write(one, of_one, CHECKED)
        await write(two, of_two, CHECKED)
        assert await one.events() == await two.events()
        assert len(list(folder(path).iterdir())) == 2


async def test_a_job_given_back_is_free_for_another_owner(path: Path) -> None:
    """A release lets any owner in; the one that gave it back is refused from then on."""
    async with opened(path) as one, opened(path) as two:
        claim = await begun(one, "a", CHECKED)
        await one.release(claim)
        admission = await two.admit("a", "settings of a")
        assert len(admission.events) == 1
        with pytest.raises(ClaimLost):
            await claimed(one, "a")
        with pytest.raises(ClaimLost):
            await write(one, claim, CHECKED, after=1)


async def test_closing_gives_the_claims_back(path: Path) -> None:
    """Nobody need say which: whoever is left may admit every job of an owner that has closed its journal."""
    async with opened(path) as survivor:
        async with opened(path) as other:
            await begun(other, "a", intended())
            assert await survivor.dead_claims() == []
        assert [row.key for row in await survivor.dead_claims()] == ["a"]
        await claimed(survivor, "a")


async def test_the_last_owner_removes_the_folder(path: Path) -> None:
    """Each owner takes its own file away, and the last one the folder."""
    async with opened(path):
        async with opened(path):
            assert len(list(folder(path).iterdir())) == 2
        assert len(list(folder(path).iterdir())) == 1
    assert not folder(path).exists()


async def test_what_dead_owners_left_is_swept(path: Path) -> None:
    """A file that no process has locked is taken away by the next who opens the journal, a living owner's is not."""
    async with opened(path):
        (living,) = folder(path).iterdir()
        for name in ("0123456789abcdef", "fedcba9876543210"):
            (folder(path) / name).write_text("1")
        async with opened(path):
            found = list(folder(path).iterdir())
            assert living in found
            assert len(found) == 2


@pytest.mark.parametrize("what", ["append", "replace"])
async def test_an_owner_that_was_held_to_be_dead_writes_no_more(path: Path, what: str) -> None:
    """Where an owner's lock file was taken away by hand another may take its job over: then the first is refused,
    whatever it believes, and the second's job is whole.
    """
    async with opened(path) as first:
        claim = await begun(first, "a", CHECKED)
        for file in folder(path).iterdir():
            file.unlink()
        async with opened(path) as second:
            taken = (await second.admit("a", "settings of a")).claim
            with pytest.raises(ClaimLost, match="was taken over"):
                if what == "append":
                    await write(first, claim, intended(), after=1)
                else:
                    await first.replace_settings(claim, "new")
            await first.release(claim)
            await write(second, taken, intended(), after=1)
            assert await holders(second) == ["a"]
            assert await second.unclaimed(["a"]) == []


async def test_a_release_that_fails_keeps_the_job(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where giving back cannot be written, the caller is told, and the job stays with its owner, who may admit it."""
    async with opened(path) as one, opened(path) as two:
        claim = await claimed(one, "a")
        with monkeypatch.context() as broken:
            broken.setattr("kling_lipsync._journal.writes.release", _fail)
            with pytest.raises(JournalError, match="no pen"):
                await one.release(claim)
        with pytest.raises(ClaimLost):
            await claimed(two, "a")
        await claimed(one, "a")


def _fail(*_: object, **__: object) -> None:
    raise JournalError("no pen")


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL])
async def test_a_disk_that_cannot_lock_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Where the file system has no locks the opening fails, says why, and leaves nothing behind."""

    def flock(descriptor: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as network:
        network.setattr(fcntl, "flock", flock)
        message = await refusal(path)
    assert "cannot be locked" in message
    assert os.strerror(code) in message
    assert "choose a folder of your own on a local disk" in message
    assert not path.exists()
    async with opened(path):
        pass
    assert not folder(path).exists()


async def test_a_refused_opening_leaves_no_owner(path: Path) -> None:
    """Who was refused is not at work on the journal."""
    async with opened(path) as journal:
        await begun(journal, "a", intended())
        assert "belongs to" in await refusal(path, "other")
        assert len(list(folder(path).iterdir())) == 1
    assert "belongs to" in await refusal(path, "other")
    assert not folder(path).exists()


async def test_opening_and_closing_amid_others_always_works(path: Path) -> None:
    """The folder comes and goes with its last owner; nobody who enters at that moment falls over it."""

    async def come_and_go(n: int) -> None:
        for _ in range(8):
            async with opened(path) as journal:
                await journal.release(await claimed(journal, f"job {n}"))

    async with anyio.create_task_group() as tasks:
        for n in range(4):
            tasks.start_soon(come_and_go, n)
    assert not folder(path).exists()
