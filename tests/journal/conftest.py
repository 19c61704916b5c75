from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kling_lipsync._journal import SqliteJournal

from .facts import opened


@pytest.fixture(params=["file-threaded", "file-inline", "memory-inline"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str) -> AsyncIterator[SqliteJournal]:
    """An open journal in a file and in memory, on its worker thread and in the event loop's own."""
    where, how = str(request.param).split("-")
    path = tmp_path / "jobs.db" if where == "file" else ":memory:"
    async with opened(path, inline=how == "inline") as journal:
        yield journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal may be made."""
    return tmp_path / "jobs.db"


@pytest.fixture
def public_path() -> Iterator[Path]:
    """Where a journal may be made in a folder that others may enter, as pytest's own may not be."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "jobs.db"
        Path(folder).chmod(0o755)


@pytest.fixture
async def on_disk(path: Path, anyio_backend: str) -> AsyncIterator[SqliteJournal]:
    """An open journal in the file ``path``, on its worker thread."""
    async with opened(path) as journal:
        yield journal
