"""Each endpoint as a call: the request to make, and how its answer reads.

Sources: Kling's documentation of lip-sync, text-to-speech and account information inquiry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from attrs import field, frozen

from .._version import __version__
from ..abc import Body, Request
from ..errors import ConfigurationError
from ..models import FaceSession, ResourcePack, Speech, SpokenAudio, Task, Video
from . import shapes, wire
from .bodies import JsonBody, SoundBody, SoundData
from .dialects import Dialect
from .orders import AudioId, OneStepOrder, Order, SoundUrl
from .pages import TaskPage

T = TypeVar("T")

FIRST_PAGE = 1
LARGEST_PAGE = 500


@frozen(kw_only=True)
class Call(Generic[T]):
    """One request to make of a gateway.

    ``name`` says what is asked ("identify", "create", "query", "list", "speech", "costs"). ``path`` is below the base
    URL and quoted. ``repeatable``: sending it again costs nothing that matters; a create is not. ``read`` makes the
    result from the answer's ``data``.
    """

    name: str
    method: str
    path: str
    read: Callable[[Any], T] = field(repr=False)
    query: Mapping[str, str] = field(factory=dict)
    body: Body | None = field(default=None, repr=False)
    repeatable: bool = True


def write_request(call: Call[Any], *, base_url: str, authorization: str, read_timeout: float = 60.0) -> Request:
    """The HTTP request for a call; ``authorization`` is the header's value, ``read_timeout`` in seconds."""
    headers = {
        wire.AUTHORIZATION: authorization,
        "accept": wire.JSON_TYPE,
        "user-agent": f"kling-lipsync/{__version__}",
    }
    if call.body is not None:
        headers[wire.CONTENT_TYPE] = call.body.content_type
    query = f"?{urlencode(call.query)}" if call.query else ""
    return Request(
        method=call.method,
        url=f"{base_url}{call.path}{query}",
        headers=headers,
        body=call.body,
        read_timeout=read_timeout,
    )


def identify_face(dialect: Dialect, video: Video) -> Call[FaceSession]:
    """Finds the faces of a video. Raises ``ConfigurationError`` where the gateway cannot."""
    path = _served(dialect.identify, "identify faces")
    # Exactly one key: a gateway refuses both, even if one is empty.
    source = {wire.VIDEO_ID: video.id} if video.id is not None else {wire.VIDEO_URL: video.url}
    return Call(name="identify", method="POST", path=path, body=JsonBody.of(source), read=shapes.face_session)


def create_task(dialect: Dialect, order: Order) -> Call[Task]:
    """Buys a task. Raises ValueError for a volume that is no number."""
    document = {
        wire.SESSION_ID: order.session_id,
        **({wire.WATERMARK_INFO: {wire.ENABLED: True}} if order.watermark else {}),
        **_optional(wire.EXTERNAL_TASK_ID, order.external_task_id),
        **_optional(wire.CALLBACK_URL, order.callback_url),
        wire.FACE_CHOOSE: [_face_choice(order)],
    }
    return _creation(dialect, document, order.sound)


def create_one_step(dialect: Dialect, order: OneStepOrder) -> Call[Task]:
    """Buys a task of the older contract. Raises ValueError for a speed that is no number."""
    video = order.video
    source = {wire.VIDEO_ID: video.id} if video.id is not None else {wire.VIDEO_URL: video.url}
    document = {
        **_optional(wire.CALLBACK_URL, order.callback_url),
        wire.INPUT: {**source, **_one_step_sound(order.sound)},
    }
    return _creation(dialect, document, order.sound)


def get_task(dialect: Dialect, task_id: str) -> Call[Task]:
    """Asks for one task, by Kling's id or by the external one.

    Raises ValueError for an id that cannot stand in a path.
    """
    return _query(dialect.tasks, task_id)


def get_task_elsewhere(dialect: Dialect, task_id: str) -> tuple[Call[Task], ...]:
    """The other places where the gateway may have a task that ``get_task`` did not find; mostly there are none."""
    return tuple(_query(path, task_id) for path in dialect.other_tasks)


def list_tasks(dialect: Dialect, page: int = FIRST_PAGE, size: int = LARGEST_PAGE) -> Call[TaskPage]:
    """Asks for a page of the account's tasks: ``page`` 1 to 1000, ``size`` 1 to 500; the order is not documented."""
    query = {wire.PAGE_NUM: str(page), wire.PAGE_SIZE: str(size)}
    return Call(name="list", method="GET", path=dialect.tasks, query=query, read=shapes.task_page)


def speak(dialect: Dialect, speech: Speech) -> Call[SpokenAudio]:
    """Has a text spoken; the answer brings the sound. Raises ``ConfigurationError`` where the gateway cannot."""
    path = _served(dialect.speech, "speak")
    return Call(name="speech", method="POST", path=path, body=JsonBody.of(_voice(speech)), read=shapes.spoken_audio)


def account_costs(dialect: Dialect, start_ms: int, end_ms: int) -> Call[tuple[ResourcePack, ...]]:
    """Asks for the resource packs between two Unix times in ms, at most once a second.

    Raises ``ConfigurationError`` where the gateway cannot.
    """
    path = _served(dialect.costs, "tell an account's resource packs")
    query = {wire.START_TIME: str(start_ms), wire.END_TIME: str(end_ms)}
    return Call(name="costs", method="GET", path=path, query=query, read=shapes.packs)


def _creation(dialect: Dialect, document: Mapping[str, Any], sound: object) -> Call[Task]:
    body: Body = SoundBody.of(document, sound) if isinstance(sound, SoundData) else JsonBody.of(document)
    return Call(name="create", method="POST", path=dialect.create, body=body, repeatable=False, read=shapes.task)


def _query(folder: str, task_id: str) -> Call[Task]:
    if task_id.strip(".") == "":
        raise ValueError(f"{task_id!r} is no task id")
    return Call(name="query", method="GET", path=f"{folder}/{quote(task_id, safe='')}", read=shapes.task)


def _face_choice(order: Order) -> dict[str, Any]:
    plan = order.plan
    return {
        wire.FACE_ID: order.face_id,
        wire.SOUND_START_TIME: plan.sound_start_ms,
        wire.SOUND_END_TIME: plan.sound_end_ms,
        wire.SOUND_INSERT_TIME: plan.sound_insert_ms,
        wire.SOUND_VOLUME: order.sound_volume,
        wire.ORIGINAL_AUDIO_VOLUME: order.original_audio_volume,
        **_sound(order.sound),  # last, for the body leaves its hole at the end
    }


def _sound(sound: AudioId | SoundUrl | SoundData) -> dict[str, str]:
    if isinstance(sound, AudioId):
        return {wire.AUDIO_ID: sound.id}
    return {wire.SOUND_FILE: sound.url if isinstance(sound, SoundUrl) else ""}


def _one_step_sound(sound: SoundUrl | SoundData | Speech) -> dict[str, Any]:
    if isinstance(sound, Speech):
        return {wire.MODE: wire.TEXT_TO_VIDEO, **_voice(sound)}
    if isinstance(sound, SoundUrl):
        return {wire.MODE: wire.AUDIO_TO_VIDEO, wire.AUDIO_TYPE: wire.AUDIO_TYPE_URL, wire.AUDIO_URL: sound.url}
    return {wire.MODE: wire.AUDIO_TO_VIDEO, wire.AUDIO_TYPE: wire.AUDIO_TYPE_FILE, wire.AUDIO_FILE: ""}


def _voice(speech: Speech) -> dict[str, Any]:
    speed = {wire.VOICE_SPEED: speech.speed} if speech.speed != 1.0 else {}
    return {wire.TEXT: speech.text, wire.VOICE_ID: speech.voice_id, wire.VOICE_LANGUAGE: speech.language, **speed}


def _optional(name: str, value: str | None) -> dict[str, str]:
    return {} if value is None else {name: value}


def _served(path: str | None, verb: str) -> str:
    if path is None:
        raise ConfigurationError(f"this gateway has no endpoint to {verb}: choose another one with --gateway")
    return path
