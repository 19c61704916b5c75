"""The rules for a text to be spoken: Kling's documentation of its text-to-speech."""

from __future__ import annotations

from .addresses import shown
from .case import Case
from .numbers import flaw_of_number
from .rules import Finding, Rule, unknown
from .voices import languages_of


def _text(case: Case) -> Finding | None:
    text, allowed = case.speech.text if case.speech else "", case.contract.text_length
    if text.strip() and len(text) in allowed:
        return None
    found = f"has {len(text)} characters" if text.strip() else "is empty"
    return Finding(f"the text to be spoken {found}: it must have {allowed}; shorten or fill it")


def _speed(case: Case) -> Finding | None:
    flaw = flaw_of_number(case.speech.speed if case.speech else None, case.contract.speed)
    return Finding(f"the speed of the voice {flaw}") if flaw else None


def _language(case: Case) -> Finding | None:
    language, allowed = case.speech.language if case.speech else "", case.contract.languages
    if language in allowed:
        return None
    return Finding(f"the language {shown(language)} is not one that Kling speaks: give {' or '.join(allowed)}")


def _voice(case: Case) -> Finding | None:
    voice_id, language = (case.speech.voice_id, case.speech.language) if case.speech else ("", "")
    known = languages_of(voice_id)
    if language in known:
        return None
    if known:
        return Finding(f"the voice {shown(voice_id)} speaks {', '.join(known)}, not {language}: give that, or another voice")
    if not voice_id.strip():
        return Finding('the voice is missing: give a voice_id (see "kling-lipsync voices")')
    return unknown(f"the voice {shown(voice_id)} is not among those known here: see \"kling-lipsync voices\"")


def _is_spoken(case: Case) -> bool:
    return case.speech is not None


def _language_is_spoken(case: Case) -> bool:
    return _is_spoken(case) and _language(case) is None


SPEECH_RULES = (
    Rule("speech-text", _text, concerns=_is_spoken),
    Rule("speech-speed", _speed, concerns=_is_spoken),
    Rule("speech-language", _language, concerns=_is_spoken),
    Rule("speech-voice", _voice, concerns=_language_is_spoken),
)
"""One row for each limit on speech."""
