"""What makes a value no number, or one out of bounds."""

from __future__ import annotations

from .contract import Range


def flaw_of_number(value: object, allowed: Range) -> str | None:
    """What is wrong with a number that must lie within ``allowed``, or ``None``; NaN and infinity never pass."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"is not a number: give {allowed}"
    return None if value in allowed else f"is {value}: give {allowed}"


def is_whole(value: object) -> bool:
    """Whether it is a whole number, as times in ms are."""
    return isinstance(value, int) and not isinstance(value, bool)
