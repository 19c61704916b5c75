from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kling_lipsync._journal import SqliteJournal, schema
from kling_lipsync.errors import JournalError

from .facts import ACCOUNT, CHECKED, begun, claimed, opened
from .nobody import ON_UNIX, ONE_LOOP, as_nobody

pytestmark = pytest.mark.anyio


async def refusal(path: Path, account: str = ACCOUNT) -> str:
    """What opening says, which must fail."""
    with pytest.raises(JournalError) as failure:
        async with opened(path, account=account):
            pass
    return str(failure.value)


def sqlite(path: Path, *statements: str) -> None:
    """Another program's writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()


async def answer(journal: SqliteJournal, pragma: str) -> object:
    """What SQLite says of itself."""
    found: tuple[object] = await journal._read(lambda connection: connection.execute(f"pragma {pragma}").fetchone())
    return found[0]


async def test_a_new_journal_is_private_and_marked(path: Path) -> None:
    """The file and what lies beside it are readable by their owner alone; the header names program and format."""
    async with opened(path) as journal:
        await claimed(journal, "a")
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
        assert modes.pop("jobs.db.owners") == 0o700
        assert set(modes) == {"jobs.db", "jobs.db.pace", "jobs.db-wal", "jobs.db-shm"}
        assert set(modes.values()) == {0o600}
        (owner,) = path.with_name("jobs.db.owners").iterdir()
        assert stat.S_IMODE(owner.stat().st_mode) == 0o600
    header = path.read_bytes()[:100]
    assert int.from_bytes(header[68:72], "big") == schema.APPLICATION_ID
    assert int.from_bytes(header[60:64], "big") == schema.FORMAT


async def test_every_commit_waits_for_the_disk(on_disk: SqliteJournal) -> None:
    """A write-ahead log, synced at each commit, and down to the platter where the system distinguishes that."""
    pragmas = {"journal_mode": "wal", "synchronous": 2, "fullfsync": 1, "checkpoint_fullfsync": 1}
    for pragma, value in pragmas.items():
        assert await answer(on_disk, pragma) == value, pragma


@pytest.mark.parametrize("content", [b"k", b"key,video_url\r\na,https://example.com/v.mp4\r\n" * 100, b"\x00" * 5000])
async def test_a_file_of_another_kind_is_left_as_it_is(path: Path, content: bytes) -> None:
    """A manifest given by mistake is refused; neither it nor its folder changes."""
    path.write_bytes(content)
    assert "left as it is" in await refusal(path)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


async def test_another_programs_database_is_left_as_it_is(path: Path) -> None:
    """An SQLite file that is not ours is refused; neither it nor its folder changes."""
    sqlite(path, "pragma journal_mode = wal", "create table jobs (key)", "insert into jobs values (1)")
    content = path.read_bytes()
    assert "another program's file" in await refusal(path)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


async def test_an_empty_file_becomes_a_journal(path: Path) -> None:
    """A file that was made to reserve a name is taken."""
    path.touch()
    async with opened(path) as journal:
        await claimed(journal, "a")


async def test_a_newer_format_is_refused(path: Path) -> None:
    """A file of a later version is left to that version."""
    async with opened(path):
        pass
    sqlite(path, f"pragma user_version = {schema.FORMAT + 1}")
    assert "upgrade the package" in await refusal(path)


async def test_a_damaged_file_is_refused(path: Path) -> None:
    """Damage anywhere in the file is found before anything is paid, not by the first job that meets it."""
    async with opened(path) as journal:
        for n in range(200):
            await begun(journal, f"job {n}", CHECKED)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    assert "damaged" in await refusal(path)
    path.write_bytes(content[: 5 * 4096])
    assert "damaged" in await refusal(path)


async def test_a_folder_and_a_missing_folder_are_refused(path: Path) -> None:
    """The message says what to do; nothing is made."""
    assert "no file: name a file" in await refusal(path.parent)
    assert f"no folder {path.parent / 'missing'}: make it" in await refusal(path.parent / "missing" / "jobs.db")
    assert list(path.parent.iterdir()) == []


@ON_UNIX
async def test_a_device_is_refused() -> None:
    """A journal that forgets everything is none."""
    assert "no file: name a file" in await refusal(Path(os.devnull))


@ONE_LOOP
@ON_UNIX
async def test_a_file_that_may_not_be_written_is_refused(public_path: Path) -> None:
    """A read-only file is refused before anything else."""
    async with opened(public_path):
        pass
    public_path.parent.chmod(0o777)
    public_path.chmod(0o444)
    assert "may not be written: check its permissions" in as_nobody("open", public_path)


@ONE_LOOP
@ON_UNIX
async def test_a_folder_that_may_not_be_entered_is_refused(public_path: Path) -> None:
    """The message says what the system said."""
    public_path.parent.chmod(0o600)
    for action in ("open", "peek"):
        assert "cannot be used: Permission denied: check its permissions" in as_nobody(action, public_path)


@ONE_LOOP
@ON_UNIX
@pytest.mark.parametrize("made", [True, False])
async def test_a_folder_that_may_not_be_written_is_refused(public_path: Path, made: bool) -> None:
    """SQLite needs to write beside the file."""
    if made:
        async with opened(public_path):
            pass
        public_path.chmod(0o666)
    public_path.parent.chmod(0o555)
    assert "jobs.db.owners: Permission denied: choose a folder of your own" in as_nobody("open", public_path)


async def test_an_unfinished_creation_is_finished(path: Path) -> None:
    """A process that died between the two steps of making the file leaves one that opens."""
    async with opened(path):
        pass
    sqlite(path, "pragma journal_mode = delete")
    async with opened(path) as journal:
        assert await answer(journal, "journal_mode") == "wal"


def test_the_tables_are_the_format() -> None:
    """A file of format 1 has these tables: what later versions must be able to read."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in schema.STEPS[0]:
            connection.execute(statement)
        tables = {
            name: [column[1] for column in connection.execute(f"pragma table_info({name})")]
            for (name,) in connection.execute("select name from sqlite_schema where type = 'table'").fetchall()
        }
    del tables["sqlite_sequence"]
    assert tables == {
        "meta": ["id", "journal_id", "account", "account_since"],
        "jobs": [
            "position",
            "key",
            "settings",
            "attempt",
            "version",
            "status",
            "holds_slot",
            "reserved",
            "spent",
            "outcome",
            "owner",
            "paused",
            "job",
        ],
        "events": ["seq", "job", "version", "attempt", "at", "kind", "facts"],
        "intents": ["external_task_id", "job"],
        "news": ["seq", "task_id"],
        "sessions": ["video", "session", "made_at"],
        "tally": ["status", "jobs", "slots", "spent", "reserved"],
    }


def test_sqlite_is_imported_when_a_journal_is_opened() -> None:
    """Importing the package does not pay for SQLite."""
    script = "import sys, kling_lipsync._journal; sys.exit('sqlite3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0  # noqa: S603 - our own line
