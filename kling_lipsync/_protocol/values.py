"""Single values out of decoded JSON, whatever came: each reader gives the value, or ``None`` where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from .cleaning import encodable, one_line

T = TypeVar("T")

LARGEST = 10**15
LONGEST_NUMBER = 40
LAST_SECOND = 10**11
"""A time below it is in seconds (it would be the year 1973 in ms)."""


class Unreadable(ValueError):
    """An answer lacks what it is for, or is no JSON; the message says what is missing."""


def decoded(source: bytes | str) -> object:
    """The JSON value. Raises ``Unreadable`` for what is none, or is nested too deeply."""
    try:
        found: object = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise Unreadable("no JSON") from error
    return found


def mapping(value: object) -> Mapping[str, Any]:
    """The JSON object, or an empty one."""
    return value if isinstance(value, dict) else {}


def first(layers: Sequence[Mapping[str, Any]], names: Sequence[str], read: Callable[[Any], T | None]) -> T | None:
    """The first value that reads: under the first name in any layer, outermost first, then under the next name."""
    for name in names:
        for layer in layers:
            if name in layer and (value := read(layer[name])) is not None:
                return value
    return None


def text(value: object) -> str | None:
    """A text that is not empty; ids come as numbers, too."""
    if isinstance(value, str):
        return encodable(value).strip() or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def link(value: object) -> str | None:
    """An http(s) URL."""
    found = text(value)
    return found if found and found.lower().startswith(("http://", "https://")) else None


def sentence(value: object) -> str | None:
    """A message in one line; a URL is none (some gateways put the result's URL where the reason belongs)."""
    found = text(value)
    return one_line(found, 500) or None if found and not link(found) else None


def number(value: object) -> Decimal | None:
    """A finite number of a reasonable size, from a number or a text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    digits = str(value)
    try:
        found = Decimal(digits) if len(digits) <= LONGEST_NUMBER else Decimal("NaN")
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) < LARGEST else None


def units(value: object) -> Decimal | None:
    """An amount of units, never negative."""
    found = number(value)
    return found if found is not None and found >= 0 else None


def whole_ms(value: object) -> int | None:
    """Milliseconds that came in ms."""
    found = number(value)
    return None if found is None else int(found)


def seconds_ms(value: object) -> int | None:
    """Milliseconds that came in seconds, such as "5" or "5.1"."""
    found = units(value)
    return None if found is None else round(found * 1000)


def moment_ms(value: object) -> int | None:
    """Unix time in ms, from ms or seconds."""
    found = number(value)
    if found is None or found <= 0:
        return None
    return int(found if found >= LAST_SECOND else found * 1000)
