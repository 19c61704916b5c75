"""The rules for a text to be spoken: Kling's documentation of its text-to-speech."""

from __future__ import annotations

from attrs import frozen

from ..models import Speech
from .addresses import shown
from .contract import Contract
from .numbers import flaw_of_number
from .rules import Finding, Rule, unknown
from .voices import languages_of


@frozen
class Spoken:
    """A text to be judged, and the contract it is held to."""

    speech: Speech
    contract: Contract


def _text(case: Spoken) -> Finding | None:
    text, allowed = case.speech.text, case.contract.text_length
    if text.strip() and len(text) in allowed:
        return None
    found = f"has {len(text)} characters" if text.strip() else "is empty"
    return Finding(f"the text to be spoken {found}: give {allowed} characters")


def _speed(case: Spoken) -> Finding | None:
    flaw = flaw_of_number(case.speech.speed, case.contract.speed)
    return Finding(f"the speed of the voice {flaw}") if flaw else None


def _language(case: Spoken) -> Finding | None:
    if case.speech.language in case.contract.languages:
        return None
    allowed = " or ".join(case.contract.languages)
    return Finding(f"{shown(case.speech.language)} is no language that Kling speaks: give {allowed}")


def _voice(case: Spoken) -> Finding | None:
    voice_id, language = case.speech.voice_id, case.speech.language
    known = languages_of(voice_id)
    if language in known:
        return None
    if known:
        return Finding(
            f"the voice {shown(voice_id)} speaks {', '.join(known)}, not {language}: give that, or another voice"
        )
    if not voice_id.strip():
        return Finding("the voice is missing: give a voice id (`kling-lipsync voices` lists them)")
    return unknown(f"the voice {shown(voice_id)} is not among those known here (`kling-lipsync voices` lists them)")


def _language_is_spoken(case: Spoken) -> bool:
    return _language(case) is None


SPEECH_RULES = (
    Rule("speech-text", _text),
    Rule("speech-speed", _speed),
    Rule("speech-language", _language),
    Rule("speech-voice", _voice, concerns=_language_is_spoken),
)
"""One row for each limit on speech."""
