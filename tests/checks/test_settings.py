from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_lipsync import faces
from kling_lipsync._checks import ONE_STEP, find_problems, refusal
from kling_lipsync.models import Audio, Problem, Verdict, Video

from .build import GOOD_SOUND, GOOD_VIDEO, a_job, a_text, findings, message_of

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
LONE = "\ud83d"


@pytest.mark.parametrize("name", ["sound_volume", "original_audio_volume"])
@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0, PASS),
        (0.0, PASS),
        (2, PASS),
        (2.0, PASS),
        (math.nextafter(2.0, 3.0), FAIL),
        (-0.001, FAIL),
        (math.nan, FAIL),
        (math.inf, FAIL),
        (-math.inf, FAIL),
        ("1", FAIL),
        (Decimal(1), FAIL),
        (True, FAIL),
        (None, FAIL),
    ],
)
def test_volumes_are_numbers_from_0_to_2(name: str, value: Any, verdict: Verdict) -> None:
    """Both volumes take 0 and 2 and nothing outside, NaN and infinity least of all."""
    assert findings(a_job(**{name: value})).get(name.replace("_", "-"), PASS) is verdict


@pytest.mark.parametrize(
    ("key", "verdict"),
    [
        ("k" * 256, PASS),
        ("k" * 257, FAIL),
        ("Szene 1 / Größe", PASS),
        ("a\tb", FAIL),
        ("a\x00b", FAIL),
        ("a\u202eb", FAIL),
        (" ", FAIL),
        (LONE, FAIL),
    ],
)
def test_a_key_is_printable_and_bounded(key: str, verdict: Verdict) -> None:
    """A key is a name that can be shown on one line."""
    assert findings(a_job(key=key)).get("key", PASS) is verdict


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        (None, PASS),
        ("a" * 256, PASS),
        ("a" * 257, FAIL),
        ("", FAIL),
        ("a\nb", FAIL),
        ("..", FAIL),
        ("a.b", PASS),
        ("_x", PASS),
        ("7-scene", UNKNOWN),
    ],
)
def test_an_external_task_id_can_be_asked_for(name: str | None, verdict: Verdict) -> None:
    """The id can stand in a path; a digit in front is taken wrongly by some gateway, so it is pointed out."""
    assert findings(a_job(external_task_id=name)).get("external-task-id", PASS) is verdict


@pytest.mark.parametrize(
    ("output", "verdict"),
    [
        (None, PASS),
        ("clip.mp4", PASS),
        ("scene 1/clip.mp4", PASS),
        ("./clip.mp4", PASS),
        ("clip..mp4", PASS),
        ("x" * 240, PASS),
        ("x" * 241, FAIL),
        ("ü" * 121, FAIL),
        ("", FAIL),
        (".", FAIL),
        ("folder/", FAIL),
        ("..", FAIL),
        ("../clip.mp4", FAIL),
        ("a/../../clip.mp4", FAIL),
        ("a\\..\\clip.mp4", FAIL),
        ("/etc/clip.mp4", FAIL),
        ("\\clip.mp4", FAIL),
        ("\\\\server\\share\\clip.mp4", FAIL),
        ("C:\\clip.mp4", FAIL),
        ("C:clip.mp4", FAIL),
        ("clip\x00.mp4", FAIL),
        ("clip\n.mp4", FAIL),
        (LONE, FAIL),
    ],
)
def test_output_stays_below_the_download_folder(output: str | None, verdict: Verdict) -> None:
    """No path of any system goes out of the download folder, and each names a file that can be written."""
    assert findings(a_job(output=output)).get("output", PASS) is verdict


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        (None, PASS),
        ("http://127.0.0.1:9000/hook", PASS),
        ("https://me.example/hook", PASS),
        ("me.example", FAIL),
        ("", FAIL),
    ],
)
def test_a_callback_goes_to_a_url(url: str | None, verdict: Verdict) -> None:
    """Callbacks go to http(s) URLs; this machine's own are no mistake in a test."""
    assert findings(a_job(callback_url=url)).get("callback-url", PASS) is verdict


RULE_LIKE = st.one_of(
    st.sampled_from(["longest", "only", "most-overlap", "longest:", "only:1", "Longest", "index", "at:", "id:"]),
    st.builds(
        "{}:{}".format,
        st.sampled_from(["index", "at", "id", "longest", "ID"]),
        st.one_of(st.integers(-5, 10**10), st.text(max_size=5), st.integers(250, 260).map("x".__mul__)),
    ),
    st.text(max_size=12),
)


@settings(deadline=None)
@given(RULE_LIKE)
def test_a_rule_for_faces_passes_exactly_if_it_can_be_read(rule: str) -> None:
    """The check before anything is paid and the reader of rules agree on every text."""
    try:
        faces.parse(rule)
    except ValueError:
        readable = False
    else:
        readable = True
    assert findings(a_job(face=rule)).get("face", PASS) is (PASS if readable else FAIL)


def test_a_wrong_rule_for_faces_is_told_which_there_are() -> None:
    """The message lists the rules."""
    message = message_of("face", a_job(face="biggest"))
    assert all(rule in message for rule in ("biggest", "longest", "only", "most-overlap", "index:N", "at:MS", "id:X"))


@pytest.mark.parametrize("name", ["sound_start_ms", "sound_end_ms", "sound_insert_ms"])
@pytest.mark.parametrize("value", [2000.0, math.nan, math.inf, "2000", True])
@pytest.mark.parametrize("fit", [True, False])
def test_times_are_whole_numbers(name: str, value: Any, fit: bool) -> None:
    """Anything but a whole number of ms is refused, and judged no further; fitting does not help."""
    assert findings(a_job(**{name: value}), fit=fit) == {"times": FAIL}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"meta": {"shot": LONE}}, "meta"),
        ({"meta": {LONE: "1"}}, "meta"),
        ({"meta": {"first": "\ud800"}}, "meta"),
        ({"meta": {"last": "\udfff"}}, "meta"),
        ({"scene": LONE}, "scene"),
        ({"audio": a_text(f"Hello{LONE}")}, "text"),
    ],
)
def test_half_characters_are_refused(changes: dict[str, Any], field: str) -> None:
    """A text that cannot be written as UTF-8 is refused before it meets a file or a request."""
    job = a_job(**changes)
    assert findings(job)["unicode"] is FAIL
    assert message_of("unicode", job).startswith(f"{field}:")


def test_whole_characters_pass() -> None:
    """Text beyond the basic plane is no half character."""
    assert findings(a_job(scene="\ud7ff\ue000\N{GRINNING FACE}", meta={"szene": "größe"})) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"face": "only"},
        {"sound_start_ms": 0},
        {"sound_end_ms": 3_000},
        {"sound_insert_ms": 0},
        {"sound_volume": 0.5},
        {"original_audio_volume": 0.0},
        {"watermark": True},
        {"external_task_id": "mine"},
    ],
)
def test_one_step_gateways_refuse_what_they_would_drop(changes: dict[str, Any]) -> None:
    """A setting that the one-step contract has no place for is refused by name, not left out in silence."""
    job = a_job(**changes)
    assert findings(job, contract=ONE_STEP) == {"no-place": FAIL}
    assert next(iter(changes)) in message_of("no-place", job, contract=ONE_STEP)
    assert findings(job) == {}


def test_a_job_without_extras_passes_a_one_step_gateway() -> None:
    """What both contracts take passes both."""
    assert findings(a_job(callback_url="https://me.example/hook"), contract=ONE_STEP) == {}


def test_every_broken_rule_is_told_at_once() -> None:
    """All problems come together, each a finding of its own with a message of one line."""
    job = a_job(key="a\nb", face="biggest", sound_volume=3, output="../x", sound_insert_ms=-1)
    problems = find_problems(job, GOOD_VIDEO, GOOD_SOUND)
    assert [problem.rule for problem in problems] == ["key", "output", "face", "sound-volume", "sound-insert"]
    assert all(problem.message.isprintable() for problem in problems)


def test_a_refusal_says_only_what_fails() -> None:
    """The error for a refused job carries the broken rules, not what could not be checked."""
    broken, doubtful = Problem("key", "the key is blank"), Problem("face", "who knows", UNKNOWN)
    error = refusal([doubtful, broken])
    assert (str(error), error.problems) == ("the key is blank", (broken,))


@settings(deadline=None)
@given(
    key=st.text(min_size=1, max_size=20),
    url=st.text(max_size=40) | st.text(max_size=20).map("https://".__add__),
    output=st.text(max_size=20),
)
def test_no_text_breaks_the_checks(key: str, url: str, output: str) -> None:
    """Whatever a manifest holds, the checks give findings with messages of one line, and never an exception."""
    job = a_job(key=key, video=Video.from_url(url), audio=Audio.from_url(url), callback_url=url, output=output)
    problems = find_problems(job, GOOD_VIDEO, GOOD_SOUND)
    assert all(problem.message.isprintable() for problem in problems)
