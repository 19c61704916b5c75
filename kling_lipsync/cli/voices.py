"""``kling-lipsync voices``: the voices that can speak a text."""

from __future__ import annotations

from typing import Literal

from .._checks import voices as known_voices
from ._console import say_json, say_table
from ._exits import Exit


async def voices(*, language: Literal["zh", "en"] | None = None, json: bool = False) -> int:
    """Lists the voices known; id and language together name one. Kling may have others.

    Parameters
    ----------
    language
        Only voices of this language.
    json
        Write a JSON line for each voice.
    """
    chosen = [voice for voice in known_voices() if language in (None, voice.language)]
    if json:
        for voice in chosen:
            say_json({"voice_id": voice.voice_id, "voice_language": voice.language, "name": voice.name})
    else:
        say_table(("VOICE", "LANGUAGE", "NAME"), [(voice.voice_id, voice.language, voice.name) for voice in chosen])
    return Exit.SUCCEEDED
