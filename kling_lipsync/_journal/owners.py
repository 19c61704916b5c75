"""Who works on a journal: each opened one is an owner, alive for as long as its lock is held.

An owner has a random id and, in the folder ``NAME.owners`` beside the journal, a locked file of that name. No clock and
no heartbeat: a process that is stopped stays alive, one that was killed is dead at once.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path

from ..errors import JournalError
from .lock import LockFile, locked

_ATTEMPTS = 100  # each fails only where another process tidies up between two steps of ours


class Owners:
    """The owners of the journal at ``path``, as anybody may see them; one in memory has but one, who lives."""

    def __init__(self, path: Path | None) -> None:
        self.folder = path and path.with_name(f"{path.name}.owners")

    def alive(self, owner: str | None) -> bool:
        """Whether an owner of that id lives; one whose file is not here does not. Raises ``OSError``."""
        return owner is not None and owner != "" and (self.folder is None or locked(self.folder / owner))

    def told(self, owner: str) -> str:
        """An owner for a message."""
        with suppress(OSError, ValueError):
            if self.folder and (pid := int((self.folder / owner).read_text("ascii"))) != os.getpid():
                return f"another process (pid {pid})"
        return "another process, or another journal of this one"

    def others(self, own: str) -> list[str]:
        """The ids of the living owners besides ``own``. Raises ``OSError``."""
        return [file.name for file in self._files() if file.name != own and locked(file)]

    def tidy(self) -> None:
        """Removes what dead owners left. Raises ``OSError``."""
        for file in self._files():
            left = LockFile(file)
            if left.try_lock():
                left.remove()
            else:
                left.close()

    def _files(self) -> list[Path]:
        return list(self.folder.iterdir()) if self.folder and self.folder.is_dir() else []


class Owner:
    """One opened journal: the only one that may write about the jobs it has claimed, until ``leave``.

    ``id`` is its id. After a fork the lock belongs to the parent alone.
    """

    def __init__(self, owner_id: str, file: LockFile | None) -> None:
        self.id = owner_id
        self._file = file

    @classmethod
    def join(cls, owners: Owners, name: str) -> Owner:
        """A new owner of the journal that messages call ``name``. Raises ``JournalError`` where its folder cannot be
        written, or where nothing can be locked, as on a network disk.
        """
        if owners.folder is None:
            return cls(secrets.token_hex(8), None)
        try:
            file = _lock_new_file(owners.folder)
        except OSError as error:
            raise JournalError(
                f"{name} cannot be locked: {owners.folder}: {error.strerror}: choose a folder of your own on a local "
                "disk (a journal cannot be kept on a network disk)"
            ) from error
        return cls(file.path.name, file)

    def leave(self) -> None:
        """Gives the lock back, and with it every claim. Raises ``OSError``."""
        if self._file:
            self._file.remove()
            with suppress(OSError):  # others work on the journal still
                self._file.path.parent.rmdir()


def _lock_new_file(folder: Path) -> LockFile:
    for _ in range(_ATTEMPTS):
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            file = LockFile(folder / secrets.token_hex(8), new=True)
        except FileNotFoundError:
            continue
        try:
            if file.try_lock() and file.in_place():
                file.write(b"%d" % os.getpid())
                return file
        except BaseException:
            file.remove()
            raise
        file.close()
    raise OSError(errno.EAGAIN, "the folder does not stay as it is")
