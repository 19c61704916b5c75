"""``kling-lipsync speak``: a text spoken by Kling, to be used by its audio id."""

from __future__ import annotations

from .._checks.rules import judge_all, refusal
from .._checks.speaking import SPEECH_RULES, Spoken
from .._workflow.inspect import contract_of
from ..client import KlingClient
from ..errors import KlingError
from ..manifest import units_number
from ..models import Speech, SpokenAudio, Verdict
from ._console import say_json, tell
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

    Exit status: 0 it was spoken, 1 it was not, 2 nothing was sent, 3 the account may not.

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
    speech = Speech(text, voice_id, language=voice_language, speed=voice_speed)
    client = account.client()
    _refuse_wrong(speech, client)
    async with client:
        spoken = await _spoken(speech, client)
    say_json(
        {
            "audio_id": spoken.audio_id,
            "url": spoken.url,
            "duration_ms": spoken.duration_ms,
            "units": None if spoken.units is None else units_number(spoken.units),
        }
    )
    return Exit.SUCCEEDED


def _refuse_wrong(speech: Speech, client: KlingClient) -> None:
    problems = judge_all(SPEECH_RULES, Spoken(speech, contract_of(client.gateway)))
    if any(problem.verdict is Verdict.FAIL for problem in problems):
        raise refusal(problems)


async def _spoken(speech: Speech, client: KlingClient) -> SpokenAudio:
    try:
        return await client.speak(speech)
    except KlingError as error:
        if error.may_have_acted:
            tell("it may have been spoken and charged; nobody can tell, and running it again may charge it once more")
        raise
