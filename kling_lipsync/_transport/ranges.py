"""The words of range requests (RFC 9110, 14)."""

from __future__ import annotations

import re

from attrs import frozen

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", re.ASCII | re.IGNORECASE)


@frozen
class ContentRange:
    """Which bytes an answer holds, ``end`` not included, and of how many; ``None`` is what it does not say."""

    start: int | None
    end: int | None
    total: int | None

    @classmethod
    def parse(cls, header: str) -> ContentRange | None:
        """The value of a ``Content-Range`` header, ``None`` where it makes no sense."""
        match = _CONTENT_RANGE.fullmatch(header.strip())
        if match is None:
            return None
        first, last, total = (int(number) if number and number != "*" else None for number in match.groups())
        if first is not None and last is not None and last < first:
            return None
        return cls(first, None if last is None else last + 1, total)


def range_header(start: int, end: int | None = None) -> str:
    """Asks for the bytes from ``start`` on, up to ``end``, which is not included."""
    return f"bytes={start}-" if end is None else f"bytes={start}-{end - 1}"
