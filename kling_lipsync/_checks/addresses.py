"""Addresses and ids: where Kling is to fetch the media from, and whom it is to tell."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

LONGEST_URL = 8192
"""Characters. Kling names no limit; hosts refuse longer ones."""

LONGEST_ID = 256
"""Characters. Kling names no limit; its ids have some thirty."""


def is_web(url: str) -> bool:
    """Whether it begins like an address on the web."""
    return url.lower().startswith(("http://", "https://"))


def flaw_of_url(url: str) -> str | None:
    """What keeps a text from being an http(s) URL, or ``None``: "has no host".

    Hosts on this machine or in a private network pass: a sandbox or a gateway may well reach them.
    """
    if not is_web(url):
        return "is no http:// or https:// URL"
    if len(url) > LONGEST_URL:
        return f"has {len(url)} characters, more than {LONGEST_URL}"
    if not url.isprintable() or " " in url:
        return "has blanks or control characters in it: write them as %20 and the like"
    return _flaw_of_host(url)


def _flaw_of_host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it is what checks it
    except ValueError:  # its text may quote a password
        return "cannot be read as a URL: its host or port is malformed"
    return None if parts.hostname else "has no host"


def flaw_of_id(text: str) -> str | None:
    """What keeps a text from being an id that Kling gave, or ``None``."""
    if not text or not text.isprintable() or " " in text:
        return "must be a text without blanks or control characters"
    return f"has {len(text)} characters, more than {LONGEST_ID}" if len(text) > LONGEST_ID else None


def shown(text: str) -> str:
    """A text from outside as a message may show it: short, on one line, and of a URL neither query nor password."""
    bare = re.sub(r"//[^/]*@", "//", re.split(r"[?#]", text, maxsplit=1)[0])
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in bare)
    return f'"{line}"' if len(line) <= 80 else f'"{line[:80]}..."'
