"""The timing planner: where the sound will go, decided before anything is sent. All times are ms.

What the job says is kept. What it leaves out is chosen: the whole sound, inserted where the face begins, or earlier
where it would not fit otherwise. With ``fit``, what cannot be kept changes as little as it must, in this order: the
start of the crop moves least, then the insertion, and the end of the crop gives way first.
"""

from __future__ import annotations

from ..models import Face, Interval, Job, Plan, Verdict
from .rules import Finding, Rule, judge_all, refusal
from .settings import flaw_of_times
from .timing import LEAST_MS, MARGIN_MS, TIMING_RULES, Placement, Room

WHOLE_TIMES = (Rule("times", flaw_of_times),)


def make_plan(
    job: Job, face: Face | None, *, video_duration_ms: int | None, sound_duration_ms: int | None, fit: bool
) -> Plan:
    """Where the sound of ``job`` goes.

    Without a ``face`` (before they are identified) nothing has to be shared with one. Durations are ms, ``None`` where
    they are not known: the video is then taken to last at least as long as the face is seen, and at most 60 s. Raises
    ``InvalidJob`` whose problems say what to change.
    """
    if wrong := judge_all(WHOLE_TIMES, job):
        raise refusal(wrong)
    room = Room(sound_ms=sound_duration_ms, video_ms=video_duration_ms, face=face.interval if face else None)
    crop = wished_crop(job, room)
    if crop is None:
        raise refusal(judge_all((Rule("sound-end", _end_missing),), job))
    plan = _fitted(job, crop, room) if fit else _wished(job, crop, room)
    problems = judge_all(TIMING_RULES, Placement.of(plan, room))
    if any(problem.verdict is Verdict.FAIL for problem in problems):
        raise refusal(problems)
    return plan


def _end_missing(_job: Job) -> Finding:
    return Finding("the length of the sound is not known: give sound_end_ms")


def stated_placement(job: Job, room: Room) -> Placement:
    """What the job itself says of the timing, and what follows from that."""
    crop = wished_crop(job, room)
    end_ms = crop.end_ms if crop else None
    return Placement(start_ms=job.sound_start_ms or 0, end_ms=end_ms, insert_ms=job.sound_insert_ms, room=room)


def wished_crop(job: Job, room: Room) -> Interval | None:
    """The crop as the job has it, or the whole sound; ``None`` where its end is neither given nor known."""
    start_ms = job.sound_start_ms or 0
    if job.sound_end_ms is not None:
        return Interval(start_ms, job.sound_end_ms)
    return None if room.sound_ms is None else Interval(start_ms, _chosen_end(start_ms, job, room.sound_ms, room))


def _chosen_end(start_ms: int, job: Job, sound_ms: int, room: Room) -> int:
    """A margin before the sound's end, or less where the rules need each ms."""
    least_ms = start_ms + LEAST_MS
    if job.sound_insert_ms is not None:
        meeting_ms = least_ms + room.window.start_ms - job.sound_insert_ms
        least_ms = max(least_ms, meeting_ms) if meeting_ms <= sound_ms else least_ms
    return min(sound_ms, max(sound_ms - MARGIN_MS, least_ms))


def _wished(job: Job, crop: Interval, room: Room) -> Plan:
    insert_ms = job.sound_insert_ms
    if insert_ms is None:
        insert_ms = _place(crop.end_ms - crop.start_ms, room)
    return Plan(crop.start_ms, crop.end_ms, insert_ms)


def _place(length_ms: int, room: Room) -> int:
    """Where the face begins; earlier as far as needed to end safely inside the video, still meeting the face."""
    window = room.window
    wanted_ms = min(window.start_ms, room.safe_end_ms - length_ms)
    earliest_ms = max(0, window.start_ms + LEAST_MS - length_ms)
    latest_ms = max(0, room.video_end_ms - length_ms)
    return min(latest_ms, max(earliest_ms, wanted_ms))


def _fitted(job: Job, crop: Interval, room: Room) -> Plan:
    crop = _fitted_crop(job, crop, room)
    if job.sound_insert_ms is None:
        insert_ms = _place(min(crop.duration_ms, room.video_end_ms), room)
    else:
        insert_ms = _moved(job.sound_insert_ms, crop.duration_ms, room)
    return Plan(crop.start_ms, crop.start_ms + _trimmed(crop.duration_ms, insert_ms, room), insert_ms)


def _fitted_crop(job: Job, crop: Interval, room: Room) -> Interval:
    """The crop inside the sound. A sound of unknown length is taken to reach as far as the job says it does."""
    sound_ms = min(crop.end_ms, room.sound_end_ms) if room.sound_ms is None else room.sound_ms
    start_ms = max(0, min(crop.start_ms, sound_ms - LEAST_MS))
    if crop.end_ms > sound_ms:
        return Interval(start_ms, _chosen_end(start_ms, job, sound_ms, room))
    return Interval(start_ms, min(sound_ms, max(crop.end_ms, start_ms + LEAST_MS)))


def _moved(insert_ms: int, length_ms: int, room: Room) -> int:
    """The insertion that the job asks for, or the nearest at which the sound surely meets the face."""
    window = room.window
    earliest_ms = max(0, window.start_ms + LEAST_MS - length_ms)
    latest_ms = window.end_ms - LEAST_MS
    if insert_ms > latest_ms:
        return max(window.start_ms, latest_ms - MARGIN_MS)
    return max(earliest_ms, insert_ms)


def _trimmed(length_ms: int, insert_ms: int, room: Room) -> int:
    """The length of the crop, cut to what the video has room for, with a margin where the rules leave one."""
    room_ms = room.video_end_ms - insert_ms
    if length_ms <= room_ms:
        return length_ms
    meeting_ms = max(insert_ms, room.window.start_ms) + LEAST_MS - insert_ms
    return max(room_ms - MARGIN_MS, meeting_ms)
