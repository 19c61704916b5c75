"""Results that an earlier run left: read back a line at a time, and kept where they would be written over."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigurationError
from ..models import Status

_LONGEST_LINE = 1024 * 1024
"""Bytes that are read at once; a line that is longer is no result."""

_PAID = (Status.SUCCEEDED.value, Status.RUNNING.value, Status.IN_DOUBT.value)


class Listed(NamedTuple):
    """A job that results list, and whether its task was paid, or may have been: it succeeded, runs or is in doubt;
    ``external_task_id`` is the one that its task bears at Kling.
    """

    key: str
    paid: bool
    external_task_id: str = ""


def listed(path: Path) -> Iterator[Listed]:
    """The jobs that the results at ``path`` list, in the order of the file: a later line for a key wins.

    Lines that are no results, as a process that was killed may leave one, are passed over. A missing file lists
    nothing. Raises ConfigurationError for a file that holds something else, a manifest for example, and for one that
    cannot be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b"")):
                job = listed_by(line)
                if job is not None:
                    yield job
                elif number == 0:
                    raise ConfigurationError(f"{path}: exists and holds no results; it is left as it is, give another")
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(f"{path}: the results cannot be read: {error.strerror or error}") from error


def keep_beside(path: Path) -> Path:
    """The copy that is made of the results at ``path``: their name + ``.1``, or the next number that is free.

    Raises ConfigurationError where it cannot be written.
    """
    try:
        return next(copy for number in count(1) if _copied(path, copy := path.with_name(f"{path.name}.{number}")))
    except OSError as error:
        raise ConfigurationError(f"{path}: no copy can be kept beside it: {error.strerror or error}") from error


def _copied(path: Path, copy: Path) -> bool:
    """Whether ``copy`` was free, and holds now what ``path`` holds."""
    try:
        with path.open("rb") as old, copy.open("xb") as new:
            shutil.copyfileobj(old, new)
            new.flush()
            os.fsync(new.fileno())
    except FileExistsError:
        return False
    return True


def listed_by(line: bytes | str) -> Listed | None:
    """The job that a line of results lists, or ``None`` where it is no result."""
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or not isinstance(read.get("key"), str) or not isinstance(read.get("status"), str):
        return None
    external = read.get("external_task_id")
    return Listed(read["key"], read["status"] in _PAID, external if isinstance(external, str) else "")
