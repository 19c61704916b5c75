"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import anyio

from ..errors import DownloadError
from .failures import reason_of

T = TypeVar("T")


class PartialFile:
    """A file under a name of its own, in the folder of ``path``, until ``publish`` gives it that name.

    Used with ``async with``, which removes it if it was not published, whatever happened. ``threads`` moves the disk's
    work off the event loop. Every method raises ``DownloadError`` where the disk refuses.
    """

    def __init__(self, path: Path, *, threads: bool = True) -> None:
        self._path = path
        self._threads = threads
        self._part = path.parent / f".{secrets.token_hex(8)}.part"
        self._file: FileIO | None = None
        self.size = 0
        """Bytes written so far."""

    async def write(self, block: bytes) -> None:
        """Adds ``block`` at the end."""
        await self._off_loop(lambda: self._write(block))

    async def restart(self) -> None:
        """Begins again with an empty file."""
        await self._off_loop(self._restart)

    async def publish(self) -> int:
        """Gives the file its name, replacing what is there, once it is safely on disk; its size."""
        await self._off_loop(self._publish)
        return self.size

    async def __aenter__(self) -> PartialFile:
        await self._off_loop(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._disk_errors():
            if self._file is not None:
                self._file.close()
            self._part.unlink(missing_ok=True)

    async def _off_loop(self, work: Callable[[], T]) -> T:
        with self._disk_errors():
            return await anyio.to_thread.run_sync(work) if self._threads else work()

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = FileIO(self._part, "x")

    @property
    def _opened(self) -> FileIO:
        if self._file is None:
            raise RuntimeError("a PartialFile is used with `async with`")
        return self._file

    def _write(self, block: bytes) -> None:
        rest = memoryview(block)
        while rest:
            rest = rest[self._opened.write(rest) :]
        self.size += len(block)

    def _restart(self) -> None:
        self._opened.seek(0)
        self._opened.truncate()
        self.size = 0

    def _publish(self) -> None:
        os.fsync(self._opened.fileno())
        self._opened.close()
        self._part.replace(self._path)
        _sync_folder(self._path.parent)

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DownloadError(f"{self._path} cannot be written: {reason_of(error)}") from error


def _sync_folder(folder: Path) -> None:
    """Puts a new name on disk, where the system lets a folder be opened (it does not on Windows)."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
