"""Names that follow from content, so that equal things are made once."""

from __future__ import annotations

import hashlib
from pathlib import Path


def content_key(path: Path) -> str:
    """A key that changes with a file's content."""
    about = path.stat()
    return f"{path}:{about.st_mtime_ns}:{about.st_size}"


def file_name(suffix: str, *parts: object) -> str:
    """A name for a file that follows from these parts alone, by their repr."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:40] + suffix
