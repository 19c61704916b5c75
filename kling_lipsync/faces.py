"""Ways to choose a face, each with its reason.

A rule is a short text, so that it fits into a manifest: ``longest`` (the default), ``only``, ``most-overlap``,
``index:N`` (by start time, counted from 0), ``at:MS``, ``id:X``. One person seen in several stretches counts as several
faces, as Kling counts them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from .errors import NoSuitableFace
from .models import Face, Interval

LONGEST = "longest"
"""The face that is seen for the longest stretch; of equals the earliest, then the lowest id."""

ONLY = "only"
"""The face of a video that has exactly one."""

MOST_OVERLAP = "most-overlap"
"""The face that can share, or shares, the most time with the sound; of equals the longest, the earliest, the lowest
id.
"""

_NUMBER = "[0-9]{1,9}"
_ID = r"[^\s\x00-\x1f\x7f]{1,256}"
_ARGUMENTS: Mapping[str, str] = {
    LONGEST: "",
    ONLY: "",
    MOST_OVERLAP: "",
    "index": _NUMBER,
    "at": _NUMBER,
    "id": _ID,
}
"""What may follow the colon of each rule; "": there is none."""

_SHOWN = 10
"""Faces that a message names one by one."""


@frozen
class Rule:
    """A rule that was read: its name, and what follows the colon ("" where nothing does)."""

    name: str
    argument: str = ""


@frozen
class Choice:
    """The face chosen, and why, for people to read: "the longest of 3: 0-8000 ms"."""

    face: Face
    reason: str


def index(number: int) -> str:
    """The rule for the face that comes ``number``-th by start time, counted from 0. Raises ValueError below 0."""
    return _written("index", number)


def at(time_ms: int) -> str:
    """The rule for the face that is seen ``time_ms`` after the video's start; of several the longest.

    Raises ValueError below 0.
    """
    return _written("at", time_ms)


def by_id(face_id: str) -> str:
    """The rule for the face of this id; ids belong to the session they came from. Raises ValueError for a blank one."""
    return _written("id", face_id)


def parse(rule: str) -> Rule:
    """The rule as it reads. Raises ValueError with a message that lists the rules."""
    name, colon, argument = rule.partition(":")
    allowed = _ARGUMENTS.get(name)
    if allowed is None or bool(allowed) != bool(colon) or not re.fullmatch(allowed, argument):
        raise ValueError(
            f"{rule[:80]!r} is no way to choose a face: give longest, only, most-overlap, index:N (by start time, "
            "counted from 0), at:MS (seen at that time) or id:X"
        )
    return Rule(name, argument)


def choose(
    faces: Sequence[Face], rule: str, *, key: str, crop_ms: int | None = None, insert_ms: int | None = None
) -> Choice:
    """The face that ``rule`` means, and why it is the one.

    ``crop_ms`` is how long the sound will last and ``insert_ms`` where it is to begin in the video, as far as they are
    known; only ``most-overlap`` asks. Raises ``NoSuitableFace`` for the job ``key``, saying which faces there are.
    """
    try:
        wanted = parse(rule)
    except ValueError as error:
        raise NoSuitableFace(str(error), key=key) from error
    if not faces:
        raise NoSuitableFace(
            "no face was found in the video: give one in which a face is seen, from the front, for at least 2 s",
            key=key,
        )
    scene = _Scene(faces=sorted(faces, key=_by_start), key=key, crop_ms=crop_ms, insert_ms=insert_ms)
    return _PICKERS[wanted.name](scene, wanted.argument)


def _written(name: str, argument: int | str) -> str:
    rule = f"{name}:{argument}"
    parse(rule)
    return rule


@frozen(kw_only=True)
class _Scene:
    """The faces by start time, and what is known of the sound."""

    faces: list[Face]
    key: str
    crop_ms: int | None
    insert_ms: int | None

    def refusal(self, message: str) -> NoSuitableFace:
        """The error for a rule that no face fits, with all the faces that there are."""
        told = ", ".join(f"id:{face.face_id[:40]} {_stretch(face)}" for face in self.faces[:_SHOWN])
        rest = f" and {len(self.faces) - _SHOWN} more" if len(self.faces) > _SHOWN else ""
        return NoSuitableFace(f"{message}; the faces by start time are {told}{rest}", key=self.key)

    def overlap_ms(self, face: Face) -> int:
        """The most that a face can share with the sound, as far as its length and place are known."""
        seen = face.interval
        if self.insert_ms is None:
            return seen.duration_ms if self.crop_ms is None else min(max(0, self.crop_ms), seen.duration_ms)
        end_ms = max(self.insert_ms, seen.end_ms) if self.crop_ms is None else self.insert_ms + self.crop_ms
        return seen.overlap_ms(Interval(self.insert_ms, end_ms))


def _longest(scene: _Scene, _argument: str) -> Choice:
    return _longest_of(scene.faces)


def _only(scene: _Scene, _argument: str) -> Choice:
    if len(scene.faces) > 1:
        raise scene.refusal(
            f"face=only asks for a video with one face, this one has {len(scene.faces)}: choose by longest, index:N, "
            "at:MS or id:X"
        )
    return _longest_of(scene.faces)


def _most_overlap(scene: _Scene, _argument: str) -> Choice:
    most_ms = max(scene.overlap_ms(face) for face in scene.faces)
    if most_ms == 0:
        raise scene.refusal(
            "face=most-overlap: no face is seen while the sound is heard: give another sound_insert_ms, or leave it out"
        )
    best = [face for face in scene.faces if scene.overlap_ms(face) == most_ms]
    chosen = min(best, key=_by_length)
    return Choice(chosen, f"{most_ms} ms together with the sound, the most of {len(scene.faces)}: {_stretch(chosen)}")


def _index(scene: _Scene, argument: str) -> Choice:
    if int(argument) >= len(scene.faces):
        raise scene.refusal(f"face=index:{argument} counts from 0, and the last face is index:{len(scene.faces) - 1}")
    chosen = scene.faces[int(argument)]
    return Choice(chosen, f"index {int(argument)} of {len(scene.faces)} by start time: {_stretch(chosen)}")


def _at(scene: _Scene, argument: str) -> Choice:
    moment = int(argument)
    seen = [face for face in scene.faces if face.interval.start_ms <= moment < face.interval.end_ms]
    if not seen:
        raise scene.refusal(
            f"face=at:{argument}: no face is seen {moment} ms after the video's start: give another time"
        )
    return _longest_of(seen, f" seen at {moment} ms")


def _id(scene: _Scene, argument: str) -> Choice:
    chosen = next((face for face in scene.faces if face.face_id == argument), None)
    if chosen is None:
        raise scene.refusal(
            f"face=id:{argument}: there is no face of this id; ids belong to the session they came from"
        )
    return Choice(chosen, f"id {argument}: {_stretch(chosen)}")


_PICKERS: Mapping[str, Callable[[_Scene, str], Choice]] = {
    LONGEST: _longest,
    ONLY: _only,
    MOST_OVERLAP: _most_overlap,
    "index": _index,
    "at": _at,
    "id": _id,
}


def _longest_of(faces: Sequence[Face], which: str = "") -> Choice:
    chosen = min(faces, key=_by_length)
    praise = "only face" if len(faces) == 1 else f"longest of {len(faces)}"
    return Choice(chosen, f"the {praise}{which}: {_stretch(chosen)}")


def _by_length(face: Face) -> tuple[int, int, tuple[int, str]]:
    return -face.interval.duration_ms, face.interval.start_ms, _id_order(face.face_id)


def _by_start(face: Face) -> tuple[int, tuple[int, str]]:
    return face.interval.start_ms, _id_order(face.face_id)


def _id_order(face_id: str) -> tuple[int, str]:
    """Ids in the order that people count: "2" before "10"."""
    return len(face_id), face_id


def _stretch(face: Face) -> str:
    return f"{face.interval.start_ms}-{face.interval.end_ms} ms"
