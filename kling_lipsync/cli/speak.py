"""``kling-lipsync speak``: a text spoken by Kling, to be used by its audio id."""

from __future__ import annotations

from ..manifest import units_number
from ..models import Speech
from ._console import say_json
from ._exits import Exit
from ._options import Account, Output


async def speak(
    text: str,
    /,
    *,
    voice_id: str,
    voice_language: str = "zh",
    voice_speed: float = 1.0,
    account: Account = Account(),
    output: Output = Output(),
) -> int:
    """Has Kling speak a text, and writes its audio id as a JSON line: costs 0.05 unit each time it is run.

    Parameters
    ----------
    text
        At most 1000 characters.
    voice_id
        See: kling-lipsync voices.
    voice_language
        zh (default) or en.
    voice_speed
        0.8 to 2.0; default: 1.
    """
    output.set_up()
    async with account.client() as client:
        spoken = await client.speak(Speech(text, voice_id, language=voice_language, speed=voice_speed))
    say_json(
        {
            "audio_id": spoken.audio_id,
            "url": spoken.url,
            "duration_ms": spoken.duration_ms,
            "units": None if spoken.units is None else units_number(spoken.units),
        }
    )
    return Exit.SUCCEEDED
