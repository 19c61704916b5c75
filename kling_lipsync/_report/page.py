"""The frame of every page: whole in itself, no script, nothing to be fetched."""

from __future__ import annotations

from html import escape

BEGINNING = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="generator" content="kling-lipsync">'
)
"""How each page begins, and by which it is known again."""


def whole_page(title: str, style: str, body: str) -> str:
    """A page of ``body``, which is HTML; in ASCII, so that it survives every encoding on its way to a file."""
    page = (
        f'{BEGINNING}\n<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
    return page.encode("ascii", "xmlcharrefreplace").decode("ascii")
