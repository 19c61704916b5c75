"""Files on disk, by name: each is made when it is first asked for, and made once."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
from anyio import to_thread
from attrs import frozen

T = TypeVar("T")


@frozen(kw_only=True)
class Recipe:
    """How a file is made, from when on it may be had and when it is gone (Unix seconds).

    ``file`` is its name on the shelf: recipes that make the same thing share it, so that it is made once.
    """

    file: str
    make: Callable[[Path], None]
    ready_at: float = 0.0
    gone_at: float


class Once:
    """Values by key: each made once, however many ask for it at a time; the oldest of more than ``most`` goes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[str, Any] = {}
        self._locks: weakref.WeakValueDictionary[str, anyio.Lock] = weakref.WeakValueDictionary()

    async def get(self, key: str, make: Callable[[], Awaitable[T]]) -> T:
        """The value of a key; what ``make`` raises is raised to the one who asked, and the next one tries again."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = anyio.Lock()
        async with lock:
            if key not in self._values:
                self._values[key] = await make()
                while len(self._values) > self._most:
                    del self._values[next(iter(self._values))]
            value: T = self._values[key]
            return value

    def forget(self, key: str) -> None:
        """Lets the next one who asks make the value anew."""
        self._values.pop(key, None)


class Shelf:
    """A temporary directory that holds at most ``most_bytes``: what was not used for longest goes first.

    It is removed with `close`, or with the object.
    """

    def __init__(self, most_bytes: int, *, threads: bool) -> None:
        self._most_bytes = most_bytes
        self._threads = threads
        self._sizes: dict[str, int] = {}
        self._bytes = 0
        self._made = Once(most=1_000_000)
        self._directory: Path | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None

    def path(self, name: str) -> Path:
        """Where a file of this name stands, or would."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="kling-sandbox-"))
            self._finalizer = weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        return self._directory / name

    async def get(self, name: str, make: Callable[[Path], None]) -> Path:
        """The file of this name, made if it is not there."""
        await self._made.get(name, partial(self._make, name, make))
        self._sizes[name] = self._sizes.pop(name)
        return self.path(name)

    async def run(self, work: Callable[[], T]) -> T:
        """What a function returns: called in a worker thread, or inline where threads are off."""
        return await to_thread.run_sync(work) if self._threads else work()

    def keep(self, draft: Path, name: str) -> Path:
        """Takes a file that stands in the directory under another name; the same name means the same content."""
        if name in self._sizes:
            self._sizes[name] = self._sizes.pop(name)
            return self.path(name)
        self._sizes[name] = draft.stat().st_size
        self._bytes += self._sizes[name]
        draft.replace(self.path(name))
        self._make_room()
        return self.path(name)

    def close(self) -> None:
        """Removes the directory and what is in it."""
        if self._finalizer is not None:
            self._finalizer()

    async def _make(self, name: str, make: Callable[[Path], None]) -> None:
        draft = self.path(f"draft-{name}")
        try:
            await self.run(partial(make, draft))
            self.keep(draft, name)
        finally:
            draft.unlink(missing_ok=True)

    def _make_room(self) -> None:
        while self._bytes > self._most_bytes and len(self._sizes) > 1:
            oldest = next(iter(self._sizes))
            self._bytes -= self._sizes.pop(oldest)
            self._made.forget(oldest)
            self.path(oldest).unlink(missing_ok=True)
