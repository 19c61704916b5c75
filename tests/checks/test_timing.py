from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from kling_lipsync._checks import SoundFacts, make_plan
from kling_lipsync.errors import InvalidJob
from kling_lipsync.models import Verdict

from .build import GOOD_SOUND, GOOD_VIDEO, a_face, a_job, a_text, findings, message_of

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
NO_SOUND = evolve(GOOD_SOUND, duration_ms=None)
NO_VIDEO = evolve(GOOD_VIDEO, duration_ms=None)


@pytest.mark.parametrize(
    ("rule", "times", "verdict"),
    [
        ("sound-start", {"sound_start_ms": 0}, PASS),
        ("sound-start", {"sound_start_ms": -1}, FAIL),
        ("crop", {"sound_start_ms": 2_000}, PASS),
        ("crop", {"sound_start_ms": 2_001}, FAIL),
        ("crop", {"sound_end_ms": 2_000}, PASS),
        ("crop", {"sound_end_ms": 1_999}, FAIL),
        ("crop", {"sound_start_ms": 1_000, "sound_end_ms": 3_000}, PASS),
        ("crop", {"sound_start_ms": 1_000, "sound_end_ms": 2_999}, FAIL),
        ("crop", {"sound_start_ms": 3_000, "sound_end_ms": 1_000}, FAIL),
        ("sound-end", {"sound_end_ms": 4_000}, PASS),
        ("sound-end", {"sound_end_ms": 4_001}, FAIL),
        ("sound-insert", {"sound_insert_ms": 0}, PASS),
        ("sound-insert", {"sound_insert_ms": -1}, FAIL),
        ("inside-video", {"sound_insert_ms": 4_040}, PASS),
        ("inside-video", {"sound_insert_ms": 4_041}, FAIL),
        ("inside-video", {"sound_insert_ms": 4_000, "sound_end_ms": 4_000}, PASS),
        ("inside-video", {"sound_insert_ms": 4_001, "sound_end_ms": 4_000}, FAIL),
    ],
)
def test_times_that_a_job_gives_are_held_to_their_edges(rule: str, times: dict[str, int], verdict: Verdict) -> None:
    """With a sound of 4 s and a video of 8 s, each given time takes its last good value and refuses the next."""
    assert findings(a_job(**times)).get(rule, PASS) is verdict


@pytest.mark.parametrize(
    ("times", "found"),
    [
        ({}, {}),
        ({"sound_start_ms": 1_000}, {}),
        ({"sound_end_ms": 60_000}, {"sound-end": UNKNOWN}),
        ({"sound_start_ms": 1_000, "sound_end_ms": 60_001}, {"sound-end": FAIL}),
        ({"sound_start_ms": 59_000, "sound_end_ms": 60_000}, {"sound-end": UNKNOWN, "crop": FAIL}),
        ({"sound_insert_ms": 58_000}, {"inside-video": UNKNOWN}),
        ({"sound_insert_ms": 58_001}, {"inside-video": FAIL}),
    ],
)
def test_times_are_held_to_what_kling_takes_where_lengths_are_not_known(
    times: dict[str, int], found: dict[str, Verdict]
) -> None:
    """Without the lengths only the impossible is refused: past 60 s; the rest is reported as not known."""
    lengths = {"sound-duration": UNKNOWN, "video-duration": UNKNOWN}
    assert findings(a_job(**times), sound=NO_SOUND, video=NO_VIDEO) == lengths | found


def test_a_sound_longer_than_the_video_is_left_to_the_planner() -> None:
    """Where the job gives no times there is nothing to judge: the planner tells whether it can be placed."""
    assert findings(a_job(), sound=evolve(GOOD_SOUND, duration_ms=20_000)) == {}


@pytest.mark.parametrize(
    "times", [{"sound_end_ms": 9_000}, {"sound_insert_ms": 7_000}, {"sound_start_ms": -5}, {"sound_start_ms": 3_900}]
)
def test_fitting_lets_through_what_it_repairs(times: dict[str, int]) -> None:
    """A job that is to be fitted is not refused for times that the planner will fit."""
    assert FAIL in findings(a_job(**times)).values()
    assert findings(a_job(**times), fit=True) == {}
    assert make_plan(a_job(**times), None, video_duration_ms=8_000, sound_duration_ms=4_000, fit=True)


@pytest.mark.parametrize("times", [{"sound_end_ms": 9_000}, {"sound_insert_ms": 7_000}, {"sound_start_ms": 3_000}])
def test_the_check_and_the_planner_say_the_same(times: dict[str, int]) -> None:
    """A fault that both see is one problem, word for word."""
    job = a_job(**times)
    with pytest.raises(InvalidJob) as caught:
        make_plan(job, None, video_duration_ms=8_000, sound_duration_ms=4_000, fit=False)
    assert {problem.rule: problem.message for problem in caught.value.problems} == {
        rule: message_of(rule, job) for rule in findings(job)
    }


def test_given_times_of_a_text_are_judged_before_it_is_spoken() -> None:
    """Times that no speech could fulfil are refused before it is paid for."""
    job = a_job(audio=a_text(), sound_start_ms=1_000, sound_end_ms=2_000, sound_insert_ms=7_000)
    found = findings(job, sound=SoundFacts())
    assert (found["crop"], found.get("inside-video", PASS)) == (FAIL, PASS)
    assert findings(a_job(audio=a_text(), sound_insert_ms=7_000), sound=SoundFacts())["inside-video"] is FAIL


def planned_in_vain(**given: Any) -> str:
    """The message with which a plan is refused, of one rule alone."""
    settings: dict[str, Any] = {"times": {}, "face": None, "video": 8_000, "sound": 4_000} | given
    with pytest.raises(InvalidJob) as caught:
        make_plan(
            a_job(**settings["times"]),
            settings["face"],
            video_duration_ms=settings["video"],
            sound_duration_ms=settings["sound"],
            fit=False,
        )
    [problem] = caught.value.problems
    assert problem.verdict is FAIL
    return problem.message


def test_an_end_past_the_sound_is_told_where_the_sound_ends() -> None:
    """The message names the sound's end where it is known, else the longest sound that Kling takes."""
    assert "the sound ends at 4000 ms: give at most 4000" in planned_in_vain(times={"sound_end_ms": 4_001})
    times = {"sound_start_ms": 30_000, "sound_end_ms": 60_001}
    assert "Kling takes no sound longer than 60000 ms" in planned_in_vain(sound=None, video=None, times=times)


def test_a_sound_longer_than_the_video_is_told_how_to_be_cut() -> None:
    """The message names the end that would fit, and fitting."""
    message = planned_in_vain(sound=20_000)
    assert "lasts 19960 ms, the video is 8000 ms long" in message
    assert "give sound_end_ms <= 8000, or let it be fitted (fit=True, --fit)" in message
    assert (
        make_plan(
            a_job(sound_end_ms=8_000), None, video_duration_ms=8_000, sound_duration_ms=20_000, fit=False
        ).crop.duration_ms
        == 8_000
    )


def test_an_insertion_past_the_end_is_told_the_latest() -> None:
    """The message names the latest insertion and the latest end; both work."""
    message = planned_in_vain(times={"sound_insert_ms": 5_000})
    assert "give sound_insert_ms <= 4040, or give sound_end_ms <= 3000" in message
    for repair in ({"sound_insert_ms": 4_040}, {"sound_insert_ms": 5_000, "sound_end_ms": 3_000}):
        assert make_plan(a_job(**repair), None, video_duration_ms=8_000, sound_duration_ms=4_000, fit=False)


@pytest.mark.parametrize(
    ("times", "advice"),
    [
        (
            {"sound_end_ms": 8_000, "sound_insert_ms": 1},
            "give sound_insert_ms <= 0, or give sound_end_ms <= 7999, or let",
        ),
        ({"sound_end_ms": 8_001, "sound_insert_ms": 6_000}, "long: give sound_end_ms <= 2000, or let"),
        ({"sound_end_ms": 8_001, "sound_insert_ms": 6_001}, "long: let it be fitted"),
        ({"sound_end_ms": 4_000, "sound_insert_ms": 6_001}, "long: give sound_insert_ms <= 4000, or let"),
    ],
)
def test_only_advice_that_can_be_followed_is_given(times: dict[str, int], advice: str) -> None:
    """An insertion before the start or a crop under 2 s is never advised."""
    assert advice in planned_in_vain(sound=20_000, times=times)


def test_an_insertion_is_judged_by_the_shortest_sound_where_its_length_is_not_known() -> None:
    """Before a text is spoken, the message speaks of the earliest end, and advises about the insertion alone."""
    message = message_of("inside-video", a_job(audio=a_text(), sound_insert_ms=6_001), sound=SoundFacts())
    assert message == (
        "a sound inserted at 6001 ms ends at 8001 ms at the earliest, the video is 8000 ms long: "
        "give sound_insert_ms <= 6000, or let it be fitted (fit=True, --fit)"
    )
    assert "ends at 10000 ms, the" in planned_in_vain(times={"sound_insert_ms": 6_000, "sound_end_ms": 4_000})


def test_one_fault_is_one_problem() -> None:
    """What follows from a fault is not told as another one."""
    assert "1999 ms long" in planned_in_vain(face=a_face(0, 8_000), times={"sound_end_ms": 1_999})
    assert "sound_insert_ms is -1" in planned_in_vain(times={"sound_insert_ms": -1, "sound_end_ms": 2_000})
    assert "lasts 9000 ms" in planned_in_vain(sound=9_000, face=a_face(6_500, 8_000), times={"sound_end_ms": 9_000})


def test_a_sound_beside_the_face_is_told_where_the_face_is() -> None:
    """The message names the insertions that would do; the first and the last of them work."""
    face = a_face(5_000, 8_000)
    message = planned_in_vain(times={"sound_insert_ms": 0}, face=face)
    assert "seen from 5000 to 8000 ms" in message
    assert "a sound_insert_ms of 3040 to 4040" in message
    for insert_ms in (3_040, 4_040):
        job = a_job(sound_insert_ms=insert_ms)
        assert make_plan(job, face, video_duration_ms=8_000, sound_duration_ms=4_000, fit=False)


def test_a_face_seen_for_too_short_a_time_is_told_so() -> None:
    """A face of less than 2 s inside the video cannot be met by any sound."""
    assert "choose another face" in planned_in_vain(face=a_face(6_001, 9_000))
    assert (
        make_plan(
            a_job(), a_face(6_000, 9_000), video_duration_ms=8_000, sound_duration_ms=4_000, fit=False
        ).inserted.end_ms
        == 8_000
    )


def test_a_sound_of_unknown_length_needs_an_end() -> None:
    """Without a length the end of the sound must be given; it is then believed up to 60 s."""
    assert planned_in_vain(sound=None) == "the length of the sound is not known: give sound_end_ms"
    plan = make_plan(a_job(sound_end_ms=3_000), None, video_duration_ms=8_000, sound_duration_ms=None, fit=False)
    assert plan.sound_end_ms == 3_000


@pytest.mark.parametrize("fit", [True, False])
def test_the_planner_takes_whole_numbers_only(fit: bool) -> None:
    """Times that are no whole numbers never reach a plan."""
    with pytest.raises(InvalidJob, match="whole milliseconds"):
        make_plan(a_job(sound_insert_ms=0.5), None, video_duration_ms=8_000, sound_duration_ms=4_000, fit=fit)
