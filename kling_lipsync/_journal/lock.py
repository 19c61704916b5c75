"""Locks of the operating system: held while their process lives, running or stopped, and free at once when it dies.

A child process has no part in them. One that is started as a program never gets the file; one that is forked closes it
before anything else, so that a lock never outlives the process which took it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from ..errors import JournalError

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # Windows' locks forbid reading: one byte far behind the content is locked

    def _lock(descriptor: int, *, shared: bool = False) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool = False) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


_PLAIN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_HELD_ELSEWHERE = (BlockingIOError, PermissionError)  # flock says the first, Windows the second

_open_files: set[int] = set()


def _close_in_child() -> None:
    while _open_files:
        os.close(_open_files.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


class LockFile:
    """A file that this process has open, and the lock on it. Every method raises ``OSError``."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        """Opens the file, which ``new`` makes: it must not be there then."""
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | (os.O_EXCL if new else 0) | _PLAIN, 0o600)
        _open_files.add(self.descriptor)

    def try_lock(self) -> bool:
        """Whether the lock is ours from now on; ``False`` where somebody else has it."""
        try:
            _lock(self.descriptor)
        except _HELD_ELSEWHERE:
            return False
        return True

    def unlock(self) -> None:
        """Gives the lock back and keeps the file open."""
        _unlock(self.descriptor)

    def in_place(self) -> bool:
        """Whether the file is still the one of that name: who tidies up may have removed it before it was locked."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(self.descriptor))

    def read(self, size: int) -> bytes:
        """The first ``size`` bytes of the file, or as many as there are."""
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        return os.read(self.descriptor, size)

    def write(self, content: bytes) -> None:
        """Puts ``content`` at the file's beginning."""
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        os.write(self.descriptor, content)

    def close(self) -> None:
        """Closes the file, which gives its lock back."""
        _open_files.discard(self.descriptor)
        os.close(self.descriptor)

    def remove(self) -> None:
        """Removes the file and gives its lock back: in this order where the system can, so that whoever takes the lock
        of a file that is gone can see it.
        """
        if sys.platform == "win32":
            self.close()
            with suppress(PermissionError):  # somebody has it open: theirs to remove
                self.path.unlink(missing_ok=True)
        else:
            self.path.unlink(missing_ok=True)
            self.close()


def refuse_fork(process: int, name: str) -> None:
    """Raises ``JournalError`` in a process that is not ``process``, which opened what messages call ``name``."""
    if process != os.getpid():
        raise JournalError(f"{name} was opened by another process, before a fork: open it anew in this one")


def locked(path: Path) -> bool:
    """Whether a living process has the lock on the file; it is left as it is.

    A file that this user may not open counts as locked: it is not known to be free. Raises ``OSError``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _PLAIN)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    try:
        _lock(descriptor, shared=True)  # so that two who look at one moment do not take each other for the owner
    except _HELD_ELSEWHERE:
        return True
    finally:
        os.close(descriptor)
    return False
