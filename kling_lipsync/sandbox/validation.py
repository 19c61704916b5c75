"""What a request asks for, held to Kling's rules. Pure: who calls brings the session and the measured sound.

Every rule is from Kling's documentation of lip-sync; the message of a refusal names the field.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from attrs import frozen

from kling_lipsync.sandbox.dialect import VolumeField
from kling_lipsync.sandbox.fields import Fields, is_web_url
from kling_lipsync.sandbox.model import Face, Mix, Session
from kling_lipsync.sandbox.probe import SOUND_BYTES
from kling_lipsync.sandbox.refusals import wrong
from kling_lipsync.sandbox.settings import SizeCounted
from kling_lipsync.sandbox.speech import voices

SHORTEST_MS = 2_000
"""The least length of a crop, and of what it shares with the face's time."""

OVERRUN_MS = 150
"""A crop that ends this little after its sound is accepted, and its task fails: seen on the live service."""

OVERRUN_MESSAGE = "sound_end_time is later than the duration of the audio"
VOLUMES = (0.0, 2.0)
SPEEDS = (0.8, 2.0)
LANGUAGES = ("zh", "en")
TEXT_LENGTH = 1000
ONE_STEP_TEXT_LENGTH = 120
PAGES = (1, 1000)
PAGE_SIZES = (1, 500)
DIGITS = re.compile(r"[0-9]{1,16}")
"""A number in a query."""


@frozen(kw_only=True)
class SoundSource:
    """How a request names its sound: exactly one of the three is not empty."""

    audio_id: str = ""
    url: str = ""
    data: bytes = b""


@frozen(kw_only=True)
class Wish:
    """A create as its body says it, before it is held to the session's video and the sound."""

    session_id: str
    face_id: str
    sound: SoundSource
    mix: Mix
    watermark: bool
    external_task_id: str
    callback_url: str


@frozen(kw_only=True)
class Lines:
    """What speech is to say."""

    text: str
    speed: float


def read_wish(fields: Fields, counted: SizeCounted, volume_field: VolumeField) -> tuple[Wish, list[str]]:
    """The wish in a create's body, and the labels of fields that no rule knows.

    Raises:
        Refused: 1201 with the rule that is broken.
    """
    session_id = fields.required_text("session_id")
    choice = fields.only_object("face_choose")
    watermark = fields.object("watermark_info") or Fields({})
    wish = Wish(
        session_id=session_id,
        face_id=choice.required_text("face_id"),
        sound=_read_sound(choice, counted),
        mix=_read_mix(choice, volume_field),
        watermark=watermark.flag("enabled"),
        external_task_id=fields.text("external_task_id"),
        callback_url=fields.url("callback_url"),
    )
    return wish, [*fields.unknown(), *choice.unknown(), *watermark.unknown()]


def _read_sound(choice: Fields, counted: SizeCounted) -> SoundSource:
    if choice.one_of("audio_id", "sound_file") == "audio_id":
        return SoundSource(audio_id=choice.text("audio_id"))
    value = choice.text("sound_file")
    if is_web_url(value):
        return SoundSource(url=value)
    return SoundSource(data=decode_sound(value, choice.label("sound_file"), counted))


def decode_sound(value: str, label: str, counted: SizeCounted) -> bytes:
    """The bytes of a sound that was sent inline.

    Raises:
        Refused: 1201 for a ``data:`` prefix, for what is not base64 and for more than 5 MB.
    """
    if value.startswith("data:"):
        raise wrong(f"{label}: must be base64 without a data: prefix")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise wrong(f"{label}: is neither an http URL nor valid base64") from error
    check_sound_size(len(value) if counted is SizeCounted.ENCODED else len(data))
    return data


def check_sound_size(size_bytes: int) -> None:
    """Nothing, where a sound is at most 5 MB.

    Raises:
        Refused: 1201.
    """
    if size_bytes > SOUND_BYTES:
        raise wrong("sound_file: audio file size must not be more than 5MB")


def _read_mix(choice: Fields, volume_field: VolumeField) -> Mix:
    original = next((name for name in volume_field.names if name in choice.values), volume_field.names[0])
    start, end = choice.required_int("sound_start_time", 0), choice.required_int("sound_end_time", 0)
    if end - start < SHORTEST_MS:
        raise wrong(f"{choice.label('sound_end_time')}: the cropped sound must not be shorter than 2 seconds")
    return Mix(
        start_ms=start,
        end_ms=end,
        insert_ms=choice.required_int("sound_insert_time", 0),
        sound_volume=choice.number("sound_volume", 1.0, *VOLUMES),
        original_volume=choice.number(original, 1.0, *VOLUMES),
    )


def check_timing(mix: Mix, session: Session, face: Face, sound_ms: int) -> str | None:
    """Nothing, or the message with which a task of this timing will fail.

    Raises:
        Refused: 1201 with the rule that is broken.
    """
    stretch = face.stretch
    if mix.insert_ms + mix.length_ms > session.video.facts.duration_ms:
        raise wrong("sound_insert_time: the inserted sound must not end later than the video")
    overlap = min(mix.insert_ms + mix.length_ms, stretch.end_ms) - max(mix.insert_ms, stretch.start_ms)
    if overlap < SHORTEST_MS:
        raise wrong("sound_insert_time: must overlap with the face's time interval for at least 2 seconds")
    if mix.end_ms > sound_ms + OVERRUN_MS:
        raise wrong("sound_end_time: must not be later than the duration of the audio")
    return OVERRUN_MESSAGE if mix.end_ms > sound_ms else None


def choose_face(session: Session, face_id: str) -> Face:
    """The face of a session that bears this id.

    Raises:
        Refused: 1201.
    """
    face = next((face for face in session.faces if face.face_id == face_id), None)
    if face is None:
        raise wrong("face_choose[0].face_id: face not found in the session")
    return face


def read_lines(fields: Fields, most: int = TEXT_LENGTH, *, speed_shown: str = "") -> Lines:
    """What a request for speech asks for.

    Raises:
        Refused: 1201 with the rule that is broken.
    """
    text = fields.text("text", most)
    if not text.strip():
        raise wrong("text is required")
    voice = fields.required_text("voice_id"), fields.choice("voice_language", "zh", LANGUAGES)
    speed = fields.number("voice_speed", 1.0, *SPEEDS, shown=speed_shown)
    if voice not in voices():
        raise wrong("Voice id not found")
    return Lines(text=text, speed=speed)


def read_page(query: Mapping[str, str]) -> tuple[int, int]:
    """Number and size of the page that a list's query asks for.

    Raises:
        Refused: 1201.
    """
    return _bounded(query, "pageNum", 1, PAGES), _bounded(query, "pageSize", 30, PAGE_SIZES)


def _bounded(query: Mapping[str, str], name: str, default: int, bounds: tuple[int, int]) -> int:
    value = query.get(name, str(default))
    if not (DIGITS.fullmatch(value) and bounds[0] <= int(value) <= bounds[1]):
        raise wrong(f"{name}: must be an integer between {bounds[0]} and {bounds[1]}")
    return int(value)
