"""The rules for where the sound goes: Kling's documentation of advanced-lip-sync. All times are ms."""

from __future__ import annotations

from attrs import field, frozen

from ..models import Interval, Plan
from .contract import TWO_STEP
from .rules import Finding, Rule, unknown

LEAST_MS = 2_000
"""The least length of the crop, and of what it shares with the face's stretch."""

MARGIN_MS = 40
"""Kept before an end that is chosen here. A crop that was 150 ms too long made tasks fail after minutes, and the end
of a face's stretch is reported some ms late.
"""

LONGEST_VIDEO_MS = int(TWO_STEP.video_ms.high)
LONGEST_SOUND_MS = int(TWO_STEP.sound_ms.high)

FIT = "let it be fitted (fit=True, --fit)"


@frozen(kw_only=True)
class Room:
    """What the sound has to fit into: the lengths of sound and video (``None``: not known), and the face's stretch
    (``None``: not chosen yet).
    """

    sound_ms: int | None
    video_ms: int | None
    face: Interval | None = None

    @property
    def sound_end_ms(self) -> int:
        """No crop ends later."""
        return LONGEST_SOUND_MS if self.sound_ms is None else self.sound_ms

    @property
    def video_end_ms(self) -> int:
        """No sound ends later in the video."""
        return LONGEST_VIDEO_MS if self.video_ms is None else self.video_ms

    @property
    def window(self) -> Interval:
        """The stretch that the sound has to meet: the face's as far as the video goes, or the whole video."""
        if self.face is None:
            return Interval(0, self.video_end_ms)
        return Interval(self.face.start_ms, min(self.face.end_ms, self.video_end_ms))

    @property
    def safe_end_ms(self) -> int:
        """A sound that ends before is surely inside: of a video of unknown length the face's stretch is known."""
        return (self.window.end_ms if self.video_ms is None else self.video_ms) - MARGIN_MS


@frozen(kw_only=True)
class Placement:
    """A plan to be judged, as far as it goes: ``None`` is what is neither given nor chosen yet."""

    start_ms: int
    end_ms: int | None
    insert_ms: int | None
    room: Room = field(repr=False)

    @classmethod
    def of(cls, plan: Plan, room: Room) -> Placement:
        """A whole plan."""
        return cls(start_ms=plan.sound_start_ms, end_ms=plan.sound_end_ms, insert_ms=plan.sound_insert_ms, room=room)

    @property
    def length_ms(self) -> int:
        """How long the sound is heard, at least."""
        return LEAST_MS if self.end_ms is None else self.end_ms - self.start_ms


def _sound_start(at: Placement) -> Finding | None:
    return Finding(f"sound_start_ms is {at.start_ms}: give 0 or more") if at.start_ms < 0 else None


def _sound_end(at: Placement) -> Finding | None:
    limit = at.room.sound_end_ms
    if at.end_ms is None:
        return None
    if at.end_ms <= limit:
        return None if at.room.sound_ms is not None else _end_unknown(at.end_ms)
    if at.room.sound_ms is None:
        return Finding(f"sound_end_ms is {at.end_ms}: Kling takes no sound longer than {limit} ms; give at most that")
    return Finding(f"sound_end_ms is {at.end_ms}, the sound ends at {limit} ms: give at most {limit}, or {FIT}")


def _end_unknown(end_ms: int) -> Finding:
    return unknown(f"whether sound_end_ms {end_ms} lies within the sound is not known, as its length is not")


def _crop(at: Placement) -> Finding | None:
    if at.length_ms >= LEAST_MS:
        return None
    return Finding(
        f"the part of the sound from {at.start_ms} to {at.end_ms} ms is {max(0, at.length_ms)} ms long: "
        f"Kling takes {LEAST_MS} ms at least; give an earlier sound_start_ms, a later sound_end_ms or a longer sound"
    )


def _sound_insert(at: Placement) -> Finding | None:
    if at.insert_ms is None or at.insert_ms >= 0:
        return None
    return Finding(f"sound_insert_ms is {at.insert_ms}: give 0 or more, or {FIT}")


def _inside_video(at: Placement) -> Finding | None:
    limit, insert_ms = at.room.video_end_ms, at.insert_ms or 0
    if at.length_ms > limit:
        what = f"the part of the sound that is used lasts {at.length_ms} ms, the video is {_known(at.room)}"
    elif insert_ms + at.length_ms > limit:
        ends = f"{insert_ms + at.length_ms} ms{' at the earliest' if at.end_ms is None else ''}"
        what = f"a sound inserted at {insert_ms} ms ends at {ends}, the video is {_known(at.room)}"
    else:
        return _inside_unknown(at)
    return Finding(f"{what}: {_shorter(at)}")


def _known(room: Room) -> str:
    return f"{room.video_end_ms} ms long" if room.video_ms is not None else f"at most {room.video_end_ms} ms long"


def _shorter(at: Placement) -> str:
    """What to change about a sound that goes on after the video."""
    latest_ms = at.room.video_end_ms - at.length_ms
    room_ms = at.room.video_end_ms - (at.insert_ms or 0)
    advice = [f"give sound_insert_ms <= {latest_ms}"] if latest_ms >= 0 else []
    advice += [f"give sound_end_ms <= {at.start_ms + room_ms}"] if at.end_ms is not None and room_ms >= LEAST_MS else []
    return ", or ".join([*advice, FIT])


def _inside_unknown(at: Placement) -> Finding | None:
    if at.insert_ms is None or at.room.video_ms is not None:
        return None
    return unknown(
        f"whether a sound inserted at {at.insert_ms} ms lies within the video is not known, as its length is not"
    )


def _overlap(at: Placement) -> Finding | None:
    window = at.room.window
    if window.duration_ms < LEAST_MS:
        seen = f"the face is seen from {window.start_ms} to {window.end_ms} ms of the video, {window.duration_ms} ms"
        return Finding(f"{seen}: Kling needs {LEAST_MS} ms; choose another face or video")
    inserted = Interval(at.insert_ms or 0, (at.insert_ms or 0) + at.length_ms)
    shared_ms = inserted.overlap_ms(window)
    if shared_ms >= LEAST_MS:
        return None
    earliest_ms = max(0, window.start_ms + LEAST_MS - at.length_ms)
    latest_ms = min(window.end_ms - LEAST_MS, at.room.video_end_ms - at.length_ms)
    return Finding(
        f"the sound from {inserted.start_ms} to {inserted.end_ms} ms of the video shares {shared_ms} ms with the face, "
        f"seen from {window.start_ms} to {window.end_ms} ms: Kling needs {LEAST_MS} ms; give a sound_insert_ms of "
        f"{earliest_ms} to {latest_ms}, choose another face, or {FIT}"
    )


def _meets_a_face(at: Placement) -> bool:
    """A crop that is too short, or too long for the video, is told of by other rules."""
    fits = at.end_ms is not None and LEAST_MS <= at.length_ms <= at.room.video_end_ms
    return at.room.face is not None and at.insert_ms is not None and fits


TIMING_RULES = (
    Rule("sound-start", _sound_start),
    Rule("sound-end", _sound_end),
    Rule("crop", _crop),
    Rule("sound-insert", _sound_insert),
    Rule("inside-video", _inside_video),
    Rule("overlap", _overlap, concerns=_meets_a_face),
)
"""One row for each limit on the crop and its place."""
