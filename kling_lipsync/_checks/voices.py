"""The voices of Kling's text-to-speech, as its documentation lists them; there is no endpoint that does."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from attrs import frozen


@frozen(kw_only=True)
class Voice:
    """A voice: ``voice_id`` and ``language`` ("zh" or "en") together are its key. ``name`` is "" where it has none."""

    voice_id: str
    language: str
    name: str = ""


@cache
def voices() -> tuple[Voice, ...]:
    """Every voice known, in Kling's order; read from the package's own table the first time."""
    import csv  # only a job with a text asks for them

    table = Path(__file__).with_name("voices.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(table.splitlines())
    return tuple(Voice(voice_id=row["voice_id"], language=row["voice_language"], name=row["name"]) for row in rows)


def languages_of(voice_id: str) -> tuple[str, ...]:
    """The languages that a voice speaks; none where it is not known."""
    return tuple(voice.language for voice in voices() if voice.voice_id == voice_id)
