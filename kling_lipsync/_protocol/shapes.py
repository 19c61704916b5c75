"""The models out of an answer's ``data``, in all the shapes that Kling and its gateways give them.

Unknown fields stay in ``raw``, missing optional ones are ``None``, and a lack of what the answer is for raises
``Unreadable``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from ..models import Face, FaceSession, Interval, ResourcePack, SpokenAudio, Task, TaskStatus
from . import wire
from .cleaning import one_line
from .pages import TaskPage
from .values import (
    Unreadable,
    first,
    link,
    mapping,
    moment_ms,
    number,
    seconds_ms,
    sentence,
    text,
    units,
    whole_ms,
)

Layers = Sequence[Mapping[str, Any]]
DEEPEST = 4

_TASK_ID = (wire.TASK_ID,)
_EXTERNAL_TASK_ID = (wire.EXTERNAL_TASK_ID,)


def face_session(data: object) -> FaceSession:
    """A face session; without faces where none were found."""
    layers = _layers(data)
    session_id = first(layers, (wire.SESSION_ID,), text)
    if session_id is None:
        raise _lacks(wire.SESSION_ID, data)
    found: object = next((layer[name] for name in wire.FACES for layer in layers if layer.get(name)), [])
    if not isinstance(found, list):
        raise Unreadable(f"{wire.FACES[0]} is no list")
    return FaceSession(
        session_id=session_id,
        faces=tuple(_face(item) for item in found),
        units=first(layers, wire.UNITS, units),
        raw=layers[0],
    )


def _face(item: object) -> Face:
    face = mapping(item)
    face_id, end_ms = text(face.get(wire.FACE_ID)), whole_ms(face.get(wire.END_TIME))
    if face_id is None or end_ms is None:
        raise _lacks(wire.FACE_ID if face_id is None else wire.END_TIME, item)
    # A relay that drops zeros on the way drops the start of a face that is there from the beginning.
    start_ms = whole_ms(face.get(wire.START_TIME)) or 0
    return Face(face_id=face_id, interval=Interval(start_ms, end_ms), image_url=link(face.get(wire.FACE_IMAGE)))


def task(data: object) -> Task:
    """A task as Kling, a relay that wraps Kling's answer, or a video object tells it."""
    layers = _layers(data)
    task_id = _task_id(layers)
    video = _first_of(layers, wire.VIDEOS)
    return Task(
        task_id=task_id,
        status=wire.STATUS_WORDS.get((_status_word(layers) or "").lower(), TaskStatus.PROCESSING),
        message=first(layers, wire.STATUS_MESSAGE, sentence) or _error_message(layers),
        external_task_id=_external_task_id(layers),
        video_id=text(video.get(wire.ID)),
        video_url=link(video.get(wire.URL)) or first(layers, wire.RESULT_URLS, link),
        watermark_url=link(video.get(wire.WATERMARK_URL)),
        video_duration_ms=first((video,), (wire.DURATION,), seconds_ms)
        or first(layers, wire.RESULT_SECONDS, seconds_ms),
        units=first(layers, wire.UNITS, units),
        created_ms=first(layers, wire.CREATED, moment_ms),
        updated_ms=first(layers, wire.UPDATED, moment_ms),
        raw=layers[0],
    )


def told_task(data: object) -> Task:
    """The task of a callback: as ``task``, or in Kling's newer body, where the task's id is just ``id``."""
    layers = _layers(data)
    if first(layers, _TASK_ID, text) is not None or not {wire.ID, wire.STATUS[0]} <= layers[0].keys():
        return task(data)
    return evolve(task({**layers[0], wire.TASK_ID: layers[0][wire.ID]}), raw=layers[0])


def unknown_status(raw: Mapping[str, Any]) -> str | None:
    """The word for the state in a task's ``raw`` if no document has it: the task counts as running, and a warning is
    due.
    """
    word = _status_word(_layers(raw))
    return None if word is None or word.lower() in wire.STATUS_WORDS else one_line(word, 50)


def task_page(data: object) -> TaskPage:
    """A page of tasks.

    One item that is no task spoils the page: it could be the very task that is looked for.
    """
    if not isinstance(data, list):
        raise Unreadable("the list of tasks is no list")
    ids = tuple(_task_id(_layers(item)) for item in data)
    return TaskPage(ids, task=lambda place: task(data[place]), runs=lambda place: _runs(data[place]))


def _runs(item: object) -> bool:
    return (_status_word(_layers(item)) or "").lower() in wire.RUNNING_WORDS


def spoken_audio(data: object) -> SpokenAudio:
    """The sound that Kling spoke."""
    layers = _layers(data)
    audio = _first_of(layers, wire.AUDIOS)
    audio_id = text(audio.get(wire.ID))
    if audio_id is None:
        raise _lacks(f"{wire.TASK_RESULT}.{wire.AUDIOS}[0].{wire.ID}", data)
    return SpokenAudio(
        audio_id=audio_id,
        url=link(audio.get(wire.URL)),
        duration_ms=seconds_ms(audio.get(wire.DURATION)),
        units=first(layers, wire.UNITS, units),
        raw=layers[0],
    )


def packs(data: object) -> tuple[ResourcePack, ...]:
    """The account's resource packs."""
    fields = mapping(data)
    if wire.PACKS not in fields:
        raise _lacks(wire.PACKS, data)
    found = fields[wire.PACKS] or []
    if not isinstance(found, list):
        raise Unreadable(f"{wire.PACKS} is no list")
    return tuple(_pack(mapping(item)) for item in found)


def _pack(item: Mapping[str, Any]) -> ResourcePack:
    total, remaining = number(item.get(wire.PACK_TOTAL)), number(item.get(wire.PACK_REMAINING))
    if total is None or remaining is None:
        raise _lacks(wire.PACK_TOTAL if total is None else wire.PACK_REMAINING, item)
    return ResourcePack(
        name=text(item.get(wire.PACK_NAME)) or "",
        pack_id=text(item.get(wire.PACK_ID)) or "",
        kind=text(item.get(wire.PACK_TYPE)) or "",
        status=text(item.get(wire.PACK_STATUS)) or "",
        total=total,
        remaining=remaining,
        starts_ms=moment_ms(item.get(wire.PACK_STARTS)),
        ends_ms=moment_ms(item.get(wire.PACK_ENDS)),
        raw=item,
    )


def _layers(data: object) -> Layers:
    """The object and those that relays keep inside it, outermost first."""
    if not isinstance(data, dict):
        raise Unreadable("its data is no object")
    if wire.DATA not in data and wire.METADATA not in data:
        return (data,)
    layers = [data]
    while len(layers) < DEEPEST and isinstance(inner := layers[-1].get(wire.DATA), dict):
        layers.append(inner)
    return (*layers, mapping(data.get(wire.METADATA)))


def _inside(layers: Layers, name: str) -> Layers:
    """The objects that the layers have under ``name``."""
    return [found for layer in layers if isinstance(found := layer.get(name), dict)]


def _first_of(layers: Layers, name: str) -> Mapping[str, Any]:
    """The first object in the list ``name`` of a result; a result may be missing, ``{}`` or ``[]`` before success."""
    for result in _inside(layers, wire.TASK_RESULT):
        found = result.get(name)
        for item in found if isinstance(found, list) else ():
            if isinstance(item, dict):
                return item
    return {}


def _task_id(layers: Layers) -> str:
    found = first(layers, _TASK_ID, text) or _video_object_id(layers)
    if found is None:
        raise _lacks(wire.TASK_ID, layers[0])
    return found


def _status_word(layers: Layers) -> str | None:
    return first(layers, wire.STATUS, text)


def _external_task_id(layers: Layers) -> str | None:
    return first((*_inside(layers, wire.TASK_INFO), *layers), _EXTERNAL_TASK_ID, text)


def _error_message(layers: Layers) -> str:
    return first(_inside(layers, wire.ERROR), wire.MESSAGES, sentence) or ""


def _video_object_id(layers: Layers) -> str | None:
    # Only in a video object: elsewhere "id" may be a relay's own row number.
    return text(layers[0].get(wire.VIDEO_OBJECT_ID)) if layers[0].get(wire.OBJECT) == wire.VIDEO_OBJECT else None


def _lacks(name: str, data: object) -> Unreadable:
    there = ", ".join(sorted(str(key) for key in mapping(data))[:12]) or "nothing that is known"
    return Unreadable(f"its data lacks {name}; it has {one_line(there)}")
