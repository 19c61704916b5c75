from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from kling_lipsync._journal import SqliteJournal, peek, schema
from kling_lipsync.errors import JournalError
from kling_lipsync.models import FaceSession

from .facts import ACCOUNT, CHECKED, begun, intended, opened, write
from .nobody import ON_UNIX, ONE_LOOP, as_nobody
from .test_opening import sqlite

pytestmark = pytest.mark.anyio


async def test_a_running_journal_is_looked_at(on_disk: SqliteJournal, path: Path) -> None:
    """While a process works on it everything may be read, and each question is answered as things stand by then."""
    claim = await begun(on_disk, "a", CHECKED)
    await on_disk.keep_session("v", FaceSession(session_id="s", faces=()), 1.0)
    view = await peek(path)
    assert (view.journal_id, view.account) == (on_disk.journal_id, ACCOUNT)
    assert await view.events() == await on_disk.events()
    await write(on_disk, claim, intended(), after=1)
    assert await view.events(after=1) == await on_disk.events(after=1)
    assert await view.totals() == await on_disk.totals()
    assert [row async for row in view.rows()] == [await on_disk.row("a")]
    assert await view.row("a") == await on_disk.row("a")
    assert await view.rows_of(["a", "b"]) == await on_disk.rows_of(["a", "b"])
    assert await view.session("v") == await on_disk.session("v")


async def test_a_look_does_not_disturb(on_disk: SqliteJournal, path: Path) -> None:
    """A look by the very process that works on the journal leaves its locks, its files and its log as they were."""
    claim = await begun(on_disk, "a", CHECKED)
    before = {each: each.stat().st_size for each in path.parent.iterdir()}
    await (await peek(path)).totals()
    assert {each: each.stat().st_size for each in path.parent.iterdir()} == before
    await write(on_disk, claim, intended(), after=1)


async def test_a_look_keeps_sqlites_own_locks(on_disk: SqliteJournal, path: Path) -> None:
    """After a look, a second opening and a refused one, another program that reads the file still sees that it is in
    use: it does not take the log away when it closes.
    """
    await begun(on_disk, "a", CHECKED)
    await (await peek(path)).totals()
    async with opened(path):
        pass
    with pytest.raises(JournalError, match="belongs to"):
        async with opened(path, account="other"):
            pass
    other = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('select * from jobs').fetchall(); c.close()"
    )
    subprocess.run([sys.executable, "-c", other, str(path)], check=True)  # noqa: S603 - our own line
    assert path.with_name("jobs.db-wal").stat().st_size > 0


async def test_a_quiet_journal_is_looked_at_without_a_trace(path: Path) -> None:
    """A closed journal is read although nobody holds it; its folder does not change."""
    async with opened(path) as journal:
        await begun(journal, "a", intended())
    before = {each: (each.stat().st_size, each.stat().st_mtime_ns) for each in path.parent.iterdir()}
    view = await peek(str(path), inline=True)
    assert (await view.totals()).reserved == Decimal("0.5")
    assert {each: (each.stat().st_size, each.stat().st_mtime_ns) for each in path.parent.iterdir()} == before


async def test_a_view_outlives_the_process_it_looked_at(path: Path) -> None:
    """A view follows the journal from running to closed and back."""
    async with opened(path) as journal:
        claim = await begun(journal, "a", CHECKED)
        view = await peek(path)
        assert len(await view.events()) == 1
        await write(journal, claim, intended(), after=1)
    assert len(await view.events()) == 2
    async with opened(path) as journal:
        await begun(journal, "b", CHECKED)
        assert len(await view.events()) == 3


async def test_nothing_is_made_where_there_is_no_journal(path: Path) -> None:
    """A name that was mistyped is an error, not an empty journal; so is an empty file."""
    with pytest.raises(JournalError, match="there is no journal"):
        await peek(path)
    assert list(path.parent.iterdir()) == []
    path.touch()
    with pytest.raises(JournalError, match="there is no journal"):
        await peek(path)


async def test_what_is_no_journal_is_not_looked_at(path: Path) -> None:
    """A manifest, another program's database, another format."""
    path.write_text("key,video_url\n")
    with pytest.raises(JournalError, match="left as it is"):
        await peek(path)
    path.unlink()
    sqlite(path, "create table jobs (key)")
    with pytest.raises(JournalError, match="another program"):
        await peek(path)
    path.unlink()
    async with opened(path):
        pass
    sqlite(path, f"pragma user_version = {schema.FORMAT + 1}")
    with pytest.raises(JournalError, match="upgrade"):
        await peek(path)
    sqlite(path, "pragma user_version = 0")
    with pytest.raises(JournalError, match="format 0"):
        await peek(path)


@ONE_LOOP
@ON_UNIX
async def test_a_quiet_journal_in_a_read_only_folder_is_looked_at(public_path: Path) -> None:
    """A colleague's finished journal, which may neither be written nor anything beside it, is read."""
    async with opened(public_path) as journal:
        await begun(journal, "a", CHECKED, intended())
    public_path.chmod(0o444)
    public_path.parent.chmod(0o555)
    assert as_nobody("peek", public_path) == "2 events\n"


@ONE_LOOP
@ON_UNIX
async def test_a_running_journal_in_a_read_only_folder_is_looked_at(public_path: Path) -> None:
    """A colleague's running journal, too, what its log holds included."""
    async with opened(public_path) as journal:
        await begun(journal, "a", CHECKED, intended())
        for each in public_path.parent.iterdir():
            each.chmod(0o444)
        public_path.parent.chmod(0o555)
        assert as_nobody("peek", public_path) == "2 events\n"


@ONE_LOOP
@ON_UNIX
async def test_a_log_that_cannot_be_read_is_not_passed_over(public_path: Path) -> None:
    """A copy of a journal and its log in a read-only folder cannot be read whole: an error, never an older state."""
    async with opened(public_path) as journal:
        await begun(journal, "a", CHECKED, intended())
        folder = public_path.with_name("copy")
        folder.mkdir()
        for suffix in ("", "-wal"):
            copy = folder / f"{public_path.name}{suffix}"
            copy.write_bytes(public_path.with_name(copy.name).read_bytes())
            copy.chmod(0o444)
    folder.chmod(0o555)
    try:
        assert "check its permissions and those of its folder" in as_nobody("peek", folder / public_path.name)
    finally:
        folder.chmod(0o755)
