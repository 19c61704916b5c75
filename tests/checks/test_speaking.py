from __future__ import annotations

import math
from typing import Any

import pytest

from kling_lipsync._checks import ONE_STEP, SoundFacts, voices
from kling_lipsync.models import Speech, Verdict

from .build import a_job, a_text, findings, message_of

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
SPOKEN = SoundFacts(duration_ms=4_000)


@pytest.mark.parametrize(
    ("rule", "changes", "verdict"),
    [
        ("speech-text", {"text": "x"}, PASS),
        ("speech-text", {"text": "x" * 1000}, PASS),
        ("speech-text", {"text": "x" * 1001}, FAIL),
        ("speech-text", {"text": ""}, FAIL),
        ("speech-text", {"text": " \n"}, FAIL),
        ("speech-speed", {"speed": 0.8}, PASS),
        ("speech-speed", {"speed": 2.0}, PASS),
        ("speech-speed", {"speed": 2}, PASS),
        ("speech-speed", {"speed": math.nextafter(0.8, 0)}, FAIL),
        ("speech-speed", {"speed": math.nextafter(2.0, 3)}, FAIL),
        ("speech-speed", {"speed": math.nan}, FAIL),
        ("speech-speed", {"speed": math.inf}, FAIL),
        ("speech-language", {"language": "en"}, PASS),
        ("speech-language", {"language": "zh", "voice_id": "genshin_vindi2"}, PASS),
        ("speech-language", {"language": "de"}, FAIL),
        ("speech-language", {"language": "EN"}, FAIL),
        ("speech-voice", {"voice_id": "oversea_male1"}, PASS),
        ("speech-voice", {"voice_id": "oversea_male1", "language": "zh"}, FAIL),
        ("speech-voice", {"voice_id": "tiyuxi_xuedi", "language": "en"}, FAIL),
        ("speech-voice", {"voice_id": "my_cloned_voice"}, UNKNOWN),
        ("speech-voice", {"voice_id": ""}, FAIL),
    ],
)
def test_each_limit_of_speech_holds_at_its_edge(rule: str, changes: dict[str, Any], verdict: Verdict) -> None:
    """Every limit on speech takes its last good value and refuses the next one; a voice not known here may exist."""
    found = findings(a_job(audio=a_text(**changes)), sound=SPOKEN)
    assert found == ({} if verdict is PASS else {rule: verdict})


def test_a_voice_of_the_other_language_is_told_its_own() -> None:
    """The message says which language the voice speaks."""
    message = message_of("speech-voice", a_job(audio=a_text(voice_id="tiyuxi_xuedi")))
    assert "speaks zh, not en" in message


@pytest.mark.parametrize(("length", "verdict"), [(120, PASS), (121, FAIL)])
def test_one_step_gateways_take_short_texts(length: int, verdict: Verdict) -> None:
    """The one-step contract takes 120 characters."""
    found = findings(a_job(audio=a_text("x" * length)), contract=ONE_STEP)
    assert found.get("speech-text", PASS) is verdict


def test_the_voices_are_known_by_id_and_language() -> None:
    """The table has both languages, no key twice, and every voice in it passes the check."""
    known = voices()
    assert {voice.language for voice in known} == {"zh", "en"}
    assert len({(voice.voice_id, voice.language) for voice in known}) == len(known) > 50
    assert next(voice.name for voice in known if voice.voice_id == "oversea_male1") == "Anchor"
    for voice in known:
        text = Speech("Hello", voice.voice_id, language=voice.language)
        assert findings(a_job(audio=text), sound=SPOKEN) == {}
