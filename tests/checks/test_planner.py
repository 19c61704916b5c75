from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_lipsync._checks import make_plan
from kling_lipsync.errors import InvalidJob
from kling_lipsync.models import Face, Interval, Job, Plan

from .build import a_face, a_job

LEAST = 2_000
MARGIN = 40


def planned(face: Face | None = None, *, video: int | None, sound: int | None, fit: bool = False, **times: int) -> Plan:
    """The plan for a job of these times."""
    return make_plan(a_job(**times), face, video_duration_ms=video, sound_duration_ms=sound, fit=fit)


def test_the_whole_sound_is_used_but_for_a_margin_at_its_end() -> None:
    """A chosen end leaves 40 ms, as a crop a little too long fails after minutes; a given end may be the very last."""
    assert planned(video=8_000, sound=4_000).crop == Interval(0, 3_960)
    assert planned(video=8_000, sound=4_000, sound_end_ms=4_000).crop == Interval(0, 4_000)
    assert planned(video=8_000, sound=4_000, sound_start_ms=1_000).crop == Interval(1_000, 3_960)


@pytest.mark.parametrize(
    ("sound", "end"), [(2_000, 2_000), (2_001, 2_000), (2_039, 2_000), (2_040, 2_000), (2_041, 2_001)]
)
def test_the_margin_gives_way_to_the_shortest_crop(sound: int, end: int) -> None:
    """A sound just long enough is used to its end."""
    assert planned(video=8_000, sound=sound).crop == Interval(0, end)


@pytest.mark.parametrize(
    ("face", "insert"),
    [
        ((0, 8_000), 0),
        ((3_000, 8_000), 3_000),
        ((4_000, 8_000), 4_000),
        ((5_000, 8_000), 4_000),
        ((6_000, 8_000), 4_040),
    ],
)
def test_the_sound_begins_with_the_face_or_earlier_as_far_as_needed(face: tuple[int, int], insert: int) -> None:
    """It starts where the face does if it fits, else ends before the video's end, by a margin where the rules allow."""
    assert planned(a_face(*face), video=8_000, sound=4_000).sound_insert_ms == insert


@pytest.mark.parametrize(
    ("face", "sound", "insert"),
    [
        ((2_000, 6_000), 3_000, 2_000),
        ((2_000, 6_000), 5_000, 1_000),
        ((2_000, 6_000), 9_000, 0),
        ((0, 8_000), 8_000, 0),
        ((0, 8_000), 50_000, 0),
    ],
)
def test_of_a_video_of_unknown_length_the_face_is_what_is_known(face: tuple[int, int], sound: int, insert: int) -> None:
    """The sound stays within the end of the face's stretch where it can; where it cannot, it may still be right."""
    plan = planned(a_face(*face), video=None, sound=sound)
    assert (plan.sound_insert_ms, plan.sound_end_ms) == (insert, sound - MARGIN)


def test_the_end_of_a_face_is_not_believed_past_the_video() -> None:
    """A face reported to the 8.3rd second of a video of 8 s shares no more than the video has."""
    plan = planned(a_face(6_000, 8_300), video=8_000, sound=2_000)
    assert plan.inserted == Interval(6_000, 8_000)


def test_the_margin_gives_way_to_a_given_insertion() -> None:
    """A sound that meets the face only with its last ms is used to the end."""
    plan = planned(a_face(5_000, 9_000), video=9_000, sound=7_000, sound_insert_ms=0)
    assert plan.crop == Interval(0, 7_000)
    plan = planned(a_face(5_000, 9_000), video=9_000, sound=7_020, sound_insert_ms=0)
    assert plan.crop == Interval(0, 7_000)


@pytest.mark.parametrize(
    ("times", "plan"),
    [
        ({}, Plan(0, 7_960, 0)),
        ({"sound_start_ms": 3_000}, Plan(3_000, 10_960, 0)),
        ({"sound_insert_ms": 3_000}, Plan(0, 4_960, 3_000)),
        ({"sound_insert_ms": -5}, Plan(0, 7_960, 0)),
        ({"sound_insert_ms": 7_000}, Plan(0, 2_000, 5_960)),
        ({"sound_end_ms": 5_000}, Plan(0, 5_000, 0)),
        ({"sound_end_ms": 5_000, "sound_insert_ms": 4_000}, Plan(0, 3_960, 4_000)),
        ({"sound_end_ms": 99_000, "sound_start_ms": 16_000}, Plan(16_000, 19_960, 0)),
        ({"sound_start_ms": 19_000}, Plan(18_000, 20_000, 0)),
        ({"sound_start_ms": 5_000, "sound_end_ms": 6_000}, Plan(5_000, 7_000, 0)),
    ],
)
def test_fitting_changes_as_little_as_it_must(times: dict[str, Any], plan: Plan) -> None:
    """A sound of 20 s in a video of 8 s: the end gives way first, then the insertion moves, then the start."""
    assert planned(video=8_000, sound=20_000, fit=True, **times) == plan


@pytest.mark.parametrize(
    ("insert", "moved"),
    [(0, 1_040), (1_040, 1_040), (6_000, 6_000), (6_001, 5_960)],
)
def test_fitting_moves_a_given_insertion_until_it_meets_the_face(insert: int, moved: int) -> None:
    """The nearest insertion with 2 s together is taken; at the face's end, reported late, with a margin."""
    plan = planned(a_face(3_000, 8_000), video=20_000, sound=4_000, fit=True, sound_insert_ms=insert)
    assert plan == Plan(0, 3_960, moved)


@pytest.mark.parametrize(
    ("insert", "plan"), [(None, Plan(0, 8_000, 0)), (5_000, Plan(0, 3_000, 5_000)), (0, Plan(0, 8_000, 0))]
)
def test_trimming_leaves_no_margin_where_the_face_needs_each_ms(insert: int | None, plan: Plan) -> None:
    """With a face seen in the last 2 s alone the sound goes on to the very end of the video."""
    times = {} if insert is None else {"sound_insert_ms": insert}
    assert planned(a_face(6_000, 8_000), video=8_000, sound=20_000, fit=True, **times) == plan


def test_fitting_trusts_a_given_end_where_the_sound_is_not_known() -> None:
    """A sound of unknown length is taken to reach as far as the job says, and no further."""
    assert planned(video=8_000, sound=None, fit=True, sound_end_ms=3_000, sound_start_ms=2_000) == Plan(1_000, 3_000, 0)
    assert planned(video=8_000, sound=None, fit=True, sound_end_ms=30_000) == Plan(0, 7_960, 0)


def test_fitting_does_not_trim_on_suspicion() -> None:
    """Where the video's length is not known, a sound that may be right stays whole."""
    assert planned(a_face(0, 5_000), video=None, sound=9_000, fit=True) == Plan(0, 8_960, 0)


# An oracle that knows the rules and nothing of the planner.


@frozen(kw_only=True)
class World:
    """What a plan has to obey: a job's times and the lengths, ``None`` where not given or not known."""

    start: int | None
    end: int | None
    insert: int | None
    video: int | None
    sound: int | None
    face: tuple[int, int] | None

    @property
    def job(self) -> Job:
        """The job of these times."""
        return a_job(sound_start_ms=self.start, sound_end_ms=self.end, sound_insert_ms=self.insert)

    def plan(self, *, fit: bool) -> Plan | None:
        """What the planner says, ``None`` where it refuses."""
        face = a_face(*self.face) if self.face else None
        try:
            return make_plan(self.job, face, video_duration_ms=self.video, sound_duration_ms=self.sound, fit=fit)
        except InvalidJob:
            return None

    def accepts(self, plan: Plan) -> bool:
        """Whether the plan obeys every rule of Kling."""
        sound = 60_000 if self.sound is None else self.sound
        video = 60_000 if self.video is None else self.video
        inserted_end = plan.sound_insert_ms + plan.sound_end_ms - plan.sound_start_ms
        inside = plan.sound_start_ms >= 0 and plan.sound_end_ms <= sound
        inside = inside and plan.sound_insert_ms >= 0 and inserted_end <= video
        if self.face:
            shared = min(inserted_end, self.face[1], video) - max(plan.sound_insert_ms, self.face[0])
            inside = inside and shared >= LEAST
        return inside and plan.sound_end_ms - plan.sound_start_ms >= LEAST

    def keeps(self, plan: Plan) -> bool:
        """Whether the plan is what the job says, and the whole sound but for a margin where it says nothing."""
        kept = plan.sound_start_ms == (self.start or 0) and self.insert in (None, plan.sound_insert_ms)
        if self.end is not None:
            return kept and plan.sound_end_ms == self.end
        return kept and self.sound is not None and self.sound - MARGIN <= plan.sound_end_ms <= self.sound

    def candidates(self, step: int, *, fit: bool) -> Iterator[Plan]:
        """Every plan on a grid that keeps to the job, or any at all where it is to be fitted."""
        sound = self.end or 0 if self.sound is None else self.sound
        everywhere = range(0, 6_001, step)
        starts = everywhere if fit else [self.start or 0]
        if self.end is not None and not fit:
            ends = [self.end]
        else:
            ends = [end for end in (sound, sound - 20, sound - MARGIN, *everywhere) if end <= sound]
        inserts = [self.insert] if self.insert is not None and not fit else everywhere
        return (Plan(start, end, insert) for start in starts for end in ends for insert in inserts)


@st.composite
def worlds(draw: st.DrawFn, step: int, most: int = 6_000) -> World:
    """Small worlds whose times are multiples of ``step``: the impossible among them, and many that just fit."""
    times = st.none() | st.integers(-1, most // step).map(lambda number: number * step)
    lengths = st.integers(1, most // step).map(lambda number: number * step)
    long_enough = st.integers(LEAST // step, most // step).map(lambda number: number * step)
    video = draw(st.none() | lengths | long_enough)
    start = draw(lengths) - step
    stretches = st.just(LEAST) | long_enough | lengths
    if video is not None:
        start = draw(st.sampled_from([start, max(0, video - LEAST), 0]))
    face = draw(st.none() | stretches.map(lambda length: (start, start + length)))
    return World(
        start=draw(times),
        end=draw(times),
        insert=draw(times),
        video=video,
        sound=draw(st.none() | lengths | long_enough),
        face=face,
    )


@settings(max_examples=300, deadline=None)
@given(worlds(step=20))
def test_a_plan_is_found_wherever_there_is_one(world: World) -> None:
    """Every placement on a grid is tried: the planner finds a plan exactly where one of them keeps to the job."""
    plan = world.plan(fit=False)
    if plan is None:
        found = (p for p in world.candidates(20, fit=False) if world.accepts(p) and world.keeps(p))
        assert next(found, None) is None
    else:
        assert world.accepts(plan)
        assert world.keeps(plan)


@settings(max_examples=200, deadline=None)
@given(worlds(step=500))
def test_fitting_finds_a_plan_wherever_there_is_one(world: World) -> None:
    """Every crop and placement on a grid is tried: fitting fails exactly where none of them obeys the rules."""
    plan = world.plan(fit=True)
    if plan is not None:
        assert world.accepts(plan)
    elif world.sound is not None or world.end is not None:
        assert not any(world.accepts(candidate) for candidate in world.candidates(500, fit=True))


TIMES = st.none() | st.integers(-1_000, 70_000)
LENGTHS = st.none() | st.integers(0, 70_000)
ANY_WORLD = st.builds(
    World,
    start=TIMES,
    end=TIMES,
    insert=TIMES,
    video=LENGTHS,
    sound=LENGTHS,
    face=st.none() | st.tuples(st.integers(0, 60_000), st.integers(0, 65_000)),
)


@settings(max_examples=300, deadline=None)
@given(ANY_WORLD, st.booleans())
def test_every_plan_obeys_every_rule(world: World, fit: bool) -> None:
    """Whatever is asked for, what comes out is a plan that Kling takes, or a refusal that says why."""
    plan = world.plan(fit=fit)
    assert plan is None or world.accepts(plan)


@settings(max_examples=300, deadline=None)
@given(ANY_WORLD | worlds(step=20))
def test_fitting_changes_nothing_that_fits(world: World) -> None:
    """Where a job can be kept as it is, fitting gives the same plan."""
    kept = world.plan(fit=False)
    assert kept is None or world.plan(fit=True) == kept


@settings(max_examples=200, deadline=None)
@given(worlds(step=500))
def test_fitting_keeps_the_start_and_the_insertion_where_it_can(world: World) -> None:
    """A given start that some plan keeps is kept, and with it a given insertion that some plan keeps."""
    plan = world.plan(fit=True)
    if plan is None:
        return
    if plan.sound_start_ms != (world.start or 0):
        assert not _some_plan(world, start=world.start or 0, insert=None)
    if world.insert is not None and plan.sound_insert_ms != world.insert:
        assert not _some_plan(world, start=plan.sound_start_ms, insert=world.insert)


def _some_plan(world: World, *, start: int, insert: int | None) -> bool:
    return any(
        world.accepts(plan)
        for plan in world.candidates(500, fit=True)
        if plan.sound_start_ms == start
        and insert in (None, plan.sound_insert_ms)
        and (world.end is None or plan.sound_end_ms <= max(world.end, start + LEAST))
    )


@settings(max_examples=200, deadline=None)
@given(worlds(step=20))
def test_a_free_insertion_meets_the_face_as_long_as_a_margin_allows(world: World) -> None:
    """No other place for the same crop shares more than a margin's time more with the face."""
    plan = world.plan(fit=False)
    if plan is None or world.face is None or world.insert is not None:
        return
    stretch = Interval(world.face[0], min(world.face[1], world.video or 60_000))
    others = (evolve(plan, sound_insert_ms=insert) for insert in range(0, 6_001, 20))
    most = max(other.inserted.overlap_ms(stretch) for other in others if world.accepts(other) or other == plan)
    assert plan.inserted.overlap_ms(stretch) >= most - MARGIN


def test_the_oracle_tells_good_plans_from_bad_ones() -> None:
    """The oracle itself refuses each way of breaking a rule, so that its word is worth something."""
    world = World(start=None, end=None, insert=None, video=8_000, sound=4_000, face=(3_000, 8_000))
    good: dict[str, Any] = {"sound_start_ms": 0, "sound_end_ms": 4_000, "sound_insert_ms": 3_000}
    assert world.accepts(Plan(**good))
    for bad in (
        {"sound_start_ms": -1},
        {"sound_start_ms": 2_001},
        {"sound_end_ms": 4_001},
        {"sound_insert_ms": 999},
        {"sound_insert_ms": 4_001},
    ):
        assert not world.accepts(Plan(**(good | bad)))
