"""One process per journal: a lock of the operating system, which dies with its owner and outlives its being stopped."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..errors import JournalError

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # Windows' locks forbid reading: one byte far behind the owner's number is locked

    def _take(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """An exclusive lock on a file beside the journal, from ``FileLock.take`` until ``release`` or this process's end.

    The file stays: removing a lock file would let two processes lock two files of one name.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path, name: str) -> FileLock:
        """The lock on ``path``, for the journal that messages call ``name``.

        Raises ``JournalError`` where another process (or another journal of this one) holds it, or where the folder
        cannot be written or locked.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as error:
            raise JournalError(f"{name} cannot be locked: {path}: {error.strerror}") from error
        try:
            _take(descriptor)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode("ascii"))
        except OSError as error:
            message = _refusal(descriptor, name, error)
            os.close(descriptor)
            raise JournalError(message) from error
        return cls(descriptor)

    def release(self) -> None:
        """Gives the lock back."""
        os.close(self._descriptor)


def _refusal(descriptor: int, name: str, error: OSError) -> str:
    if not isinstance(error, BlockingIOError | PermissionError):
        return f"{name} cannot be locked: {error.strerror}: choose a folder on a local disk"
    owner = os.read(descriptor, 32).decode("ascii", "replace")
    if owner == str(os.getpid()):
        return f"{name} is in use by this process already: close it there first"
    process = f"another process (pid {owner})" if owner else "another process"
    return f"{name} is in use by {process}: wait for it to end, or give this run a journal of its own"
