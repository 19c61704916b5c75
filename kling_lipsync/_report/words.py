"""What came from outside and what was counted, as the report may show it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from html import escape

from .._protocol.cleaning import encodable, one_line, without_keys
from ..models import Status

LONGEST_KEY = 80
LONGEST_MESSAGE = 400
"""Characters that are shown of a key, and of an error's words."""

_HOST = re.compile(r"(https?://)(?:[^\s/?#\"'<>]*@)?([^\s/?#@\"'<>]*)[^\s\"'<>]*", re.IGNORECASE)
_SIGNED = re.compile(r"(https?://)(?:[^\s/?#]*@)?([^\s?#]*)(?:[?#]\S*)?", re.IGNORECASE)
_LONGEST_INPUT = 20_000


def key_text(key: str) -> str:
    """A job's key, bounded and on one line: of a URL, neither password nor what signs it."""
    return one_line(encodable(_SIGNED.sub(r"\1\2", key[:_LONGEST_INPUT])), LONGEST_KEY)


def key_html(key: str) -> str:
    """The same, as HTML."""
    return escape(key_text(key))


def message_html(message: str) -> str:
    """An error's words: of each URL the host alone, and nothing that looks like a key."""
    plain = _HOST.sub("\\1\\2/\N{HORIZONTAL ELLIPSIS}", without_keys(message[:_LONGEST_INPUT]))
    return escape(one_line(encodable(plain), LONGEST_MESSAGE))


def in_words(status: Status) -> str:
    """A status for people to read."""
    return status.value.replace("_", " ")


def number(amount: int | Decimal) -> str:
    """An amount, its thousands set apart."""
    return f"{amount:,}" if isinstance(amount, int) else f"{amount.normalize():,f}"


def lasting(seconds: float) -> str:
    """A length of time: its two largest parts."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if seconds >= 10 else f"{seconds:.2g} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


def moment(at: float, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A Unix time in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime(form)
