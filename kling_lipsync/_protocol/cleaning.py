"""Text from the wire, made fit for a message: one line, bounded, without control characters, tags or keys."""

from __future__ import annotations

import re

EXCERPT = 200
LONGEST_LOOK = 4000

_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_TOKEN = re.compile(r"\bBearer\s+[^\s\"',;]+|\beyJ[\w.-]{16,}", re.IGNORECASE)
HIDDEN = "[key]"
SHORTEST_SECRET = 6


def encodable(text: str) -> str:
    """The text without halves of surrogate pairs, which JSON can carry and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def one_line(text: str, limit: int = EXCERPT) -> str:
    """At most ``limit`` characters of the text in one line, control characters out."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text[:LONGEST_LOOK])
    line = " ".join(plain.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def excerpt(body: bytes, secret: str = "") -> str:
    """The beginning of a body as a reader would see it, HTML tags and keys out."""
    text = without_keys(body.decode("utf-8", "replace"), secret)
    return one_line(_TAG.sub(" ", text[:LONGEST_LOOK]))


def without_keys(text: str, secret: str = "") -> str:
    """The text with ``secret`` and whatever looks like an Authorization header cut out: some servers echo it.

    To be called before the text is shortened, so that no half of a key stays.
    """
    key = secret.split(" ")[-1]
    known = text.replace(key, HIDDEN) if len(key) >= SHORTEST_SECRET else text
    return _TOKEN.sub(HIDDEN, known)
