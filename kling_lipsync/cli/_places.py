"""Places that a command will write to, looked at before anything is paid."""

from __future__ import annotations

import os
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


def _refuse_locked(option: str, path: Path, folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{option} {path}: the folder {folder} may not be written: check its permissions")
