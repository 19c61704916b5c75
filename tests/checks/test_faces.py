from __future__ import annotations

from typing import Any

import pytest

from kling_lipsync import faces
from kling_lipsync.errors import NoSuitableFace
from kling_lipsync.faces import Choice, choose
from kling_lipsync.models import Face

from .build import a_face

EARLY, LATE, SHORT = a_face(0, 8_000, "2"), a_face(4_000, 12_000, "10"), a_face(1_000, 3_000, "7")
SCENE = [LATE, SHORT, EARLY]


def chosen(rule: str, scene: list[Face] = SCENE, **sound: int) -> Choice:
    """What the rule chooses for the job "scene-1"."""
    return choose(scene, rule, key="scene-1", **sound)


@pytest.mark.parametrize(
    ("rule", "face", "reason"),
    [
        ("longest", EARLY, "the longest of 3: 0-8000 ms"),
        ("index:0", EARLY, "index 0 of 3 by start time: 0-8000 ms"),
        ("index:1", SHORT, "index 1 of 3 by start time: 1000-3000 ms"),
        ("index:2", LATE, "index 2 of 3 by start time: 4000-12000 ms"),
        ("at:0", EARLY, "the only face seen at 0 ms: 0-8000 ms"),
        ("at:7999", EARLY, "the longest of 2 seen at 7999 ms: 0-8000 ms"),
        ("at:8000", LATE, "the only face seen at 8000 ms: 4000-12000 ms"),
        ("at:1000", EARLY, "the longest of 2 seen at 1000 ms: 0-8000 ms"),
        ("id:7", SHORT, "id 7: 1000-3000 ms"),
        ("id:10", LATE, "id 10: 4000-12000 ms"),
    ],
)
def test_each_rule_chooses_with_a_reason(rule: str, face: Face, reason: str) -> None:
    """Whatever the order of Kling's answer, each rule finds its face and says why it is the one."""
    assert chosen(rule) == Choice(face, reason)


def test_longest_prefers_the_earliest_then_the_lowest_id() -> None:
    """Of faces seen equally long the earliest is chosen, and of those the lowest id, counted as people count."""
    ten, two, later = a_face(0, 5_000, "10"), a_face(0, 5_000, "2"), a_face(1, 5_001, "1")
    assert chosen("longest", [later, ten, two]).face == two
    assert chosen("index:0", [later, ten, two]).face == two


@pytest.mark.parametrize("rule", ["longest", "only", "index:0", "at:1500", "id:7", "most-overlap"])
def test_a_single_face_is_found_by_every_rule(rule: str) -> None:
    """A video with one face leaves no choice."""
    assert chosen(rule, [SHORT]).face == SHORT


@pytest.mark.parametrize(
    ("sound", "face", "overlap_ms"),
    [
        ({"crop_ms": 4_000, "insert_ms": 8_000}, LATE, 4_000),
        ({"crop_ms": 4_000, "insert_ms": 3_000}, EARLY, 4_000),
        ({"crop_ms": 4_000, "insert_ms": 4_001}, LATE, 4_000),
        ({"crop_ms": 9_000, "insert_ms": 0}, EARLY, 8_000),
        ({"insert_ms": 5_000}, LATE, 7_000),
        ({"insert_ms": 1_000}, LATE, 8_000),
        ({"crop_ms": 9_000}, EARLY, 8_000),
        ({"crop_ms": 1_500}, EARLY, 1_500),
        ({}, EARLY, 8_000),
    ],
)
def test_most_overlap_looks_at_where_the_sound_is(sound: dict[str, Any], face: Face, overlap_ms: int) -> None:
    """The face that shares most with the sound wins, as far as the sound's length and place are known."""
    choice = chosen("most-overlap", **sound)
    assert choice.face == face
    assert choice.reason.startswith(f"{overlap_ms} ms together with the sound, the most of 3: ")


def refused(rule: str, scene: list[Face] = SCENE, **sound: int) -> str:
    """The message with which a choice is refused."""
    with pytest.raises(NoSuitableFace) as caught:
        chosen(rule, scene, **sound)
    assert caught.value.key == "scene-1"
    return str(caught.value)


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        ("only", "asks for a video with one face, this one has 3"),
        ("index:3", "index:3 counts from 0, and the last face is index:2"),
        ("at:12000", "no face is seen 12000 ms after the video's start"),
        ("id:8", "there is no face of this id"),
    ],
)
def test_a_rule_that_no_face_fits_is_told_which_there_are(rule: str, asked: str) -> None:
    """The message says what was asked and lists the faces with their stretches."""
    message = refused(rule)
    assert asked in message
    assert message.endswith("are id:2 0-8000 ms, id:7 1000-3000 ms, id:10 4000-12000 ms")


@pytest.mark.parametrize("sound", [{"crop_ms": 2_000, "insert_ms": 12_000}, {"insert_ms": 12_000}, {"crop_ms": -1}])
def test_a_sound_that_meets_no_face_is_told_so(sound: dict[str, Any]) -> None:
    """most-overlap refuses rather than choose a face that shares nothing with the sound."""
    assert "no face is seen while the sound is heard" in refused("most-overlap", **sound)


@pytest.mark.parametrize("rule", ["longest", "only", "most-overlap", "index:0", "at:0", "id:0"])
def test_a_video_without_faces_is_told_so(rule: str) -> None:
    """Without any face every rule says the same."""
    assert refused(rule, []).startswith("no face was found in the video")


def test_a_crowd_is_counted_not_listed() -> None:
    """A message stays short however many faces there are."""
    crowd = [a_face(start_ms, start_ms + 2_000, str(start_ms)) for start_ms in range(1_000)]
    assert refused("only", crowd).endswith("id:9 9-2009 ms and 990 more")


@pytest.mark.parametrize(
    "rule",
    ["", "Longest", "longest:", "only:1", "index", "index:", "index:-1", "index:1.5", "index:1234567890", "at:",
     "at:x", "at:\N{ARABIC-INDIC DIGIT ONE}", "id:", "id:a b", "id:" + "x" * 257, "biggest"],
)  # fmt: skip
def test_other_texts_are_no_rules(rule: str) -> None:
    """What is no rule is refused with all of them listed, alone or as a choice."""
    with pytest.raises(ValueError, match=r"longest, only, most-overlap, index:N .* at:MS .* id:X"):
        faces.parse(rule)
    assert "no way to choose a face" in refused(rule)


def test_rules_are_written_as_they_are_read() -> None:
    """The rules' own names and makers give texts that read back as what they mean."""
    written = [faces.LONGEST, faces.ONLY, faces.MOST_OVERLAP, faces.index(1), faces.at(2_500), faces.by_id("face_001")]
    assert written == ["longest", "only", "most-overlap", "index:1", "at:2500", "id:face_001"]
    assert [(rule.name, rule.argument) for rule in map(faces.parse, written)] == [
        ("longest", ""),
        ("only", ""),
        ("most-overlap", ""),
        ("index", "1"),
        ("at", "2500"),
        ("id", "face_001"),
    ]


@pytest.mark.parametrize("make", [lambda: faces.index(-1), lambda: faces.at(-1), lambda: faces.by_id("")])
def test_makers_of_rules_refuse_what_could_not_be_read(make: object) -> None:
    """No maker writes a rule that its reader refuses."""
    assert callable(make)
    with pytest.raises(ValueError, match="no way to choose a face"):
        make()
