"""Places that a command will write to: looked at before anything is paid, and written whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ..errors import ConfigurationError


def refuse_folder(option: str, folder: Path) -> None:
    """Refuses a folder that can be neither made nor written. Raises ConfigurationError."""
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise ConfigurationError(f"{option} {folder}: {there} is no folder: name another")
    _refuse_locked(option, folder, there)


def refuse_file(option: str, path: Path) -> None:
    """Refuses a file that cannot be written because of where it is to lie. Raises ConfigurationError."""
    if path.is_dir():
        raise ConfigurationError(f"{option} {path}: it is a folder: name a file")
    if not path.parent.is_dir():
        raise ConfigurationError(f"{option} {path}: there is no folder {path.parent}: make it first")
    _refuse_locked(option, path, path.parent)


def write_whole(option: str, path: Path, text: str) -> None:
    """Writes a file that takes the place of ``path`` once it is on disk. Raises ConfigurationError where it cannot."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            with beside.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{option} {path}: {error.strerror}") from error


def _refuse_locked(option: str, path: Path, folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{option} {path}: the folder {folder} may not be written: check its permissions")
