"""Pictures of faces, cut from a video's frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame

from kling_lipsync.sandbox.graphs import filter_pictures
from kling_lipsync.sandbox.model import Stretch

MARGIN = 0.3
"""How much is shown around a face, as a part of its size."""


def cut_face(source: Path, stretch: Stretch, into: Path) -> None:
    """Writes a JPEG of the face in the middle of its stretch.

    Raises:
        ValueError: the video has no frame there.
    """
    with av.open(str(source)) as video, av.open(str(into), "w", format="mjpeg") as result:
        frame = _frame_at(video, (stretch.start_ms + stretch.end_ms) / 2000)
        left, width = _span(stretch.box[0], stretch.box[2], frame.width)
        top, height = _span(stretch.box[1], stretch.box[3], frame.height)
        cut = [("crop", f"{width}:{height}:{left}:{top}"), ("format", "pix_fmts=yuvj420p")]
        stream = result.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        for cropped in filter_pictures(video.streams.video[0], [frame], cut):
            cropped.pts, cropped.time_base = 0, Fraction(1)
            result.mux(stream.encode(cropped))
        result.mux(stream.encode(None))


def _frame_at(video: InputContainer, seconds: float) -> VideoFrame:
    """The first frame at or after a moment, or the last one before."""
    last = None
    video.seek(int(seconds * av.time_base))
    for frame in video.decode(video.streams.video[0]):
        last = frame
        if frame.time is not None and frame.time >= seconds:
            break
    if last is None:
        raise ValueError(f"{video.name} has no frame at {seconds} s")
    return last


def _span(start: int, length: int, limit: int) -> tuple[int, int]:
    """Where a cut begins and how long it is, with a margin and even as the encoder wants it."""
    low = max(0, min(int(start - length * MARGIN), limit - 2))
    high = min(limit, max(int(start + length * (1 + MARGIN)), low + 2))
    low -= low % 2
    return low, (high - low) - (high - low) % 2
