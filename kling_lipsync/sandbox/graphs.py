"""Chains of FFmpeg's filters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import av
from av.audio.frame import AudioFrame
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

Filter = tuple[str, str | None]
"""A filter's name and its arguments."""


def chain(graph: Graph, first: FilterContext, filters: Iterable[Filter]) -> FilterContext:
    """Puts filters one behind the other after ``first``; the last one is returned."""
    last = first
    for name, arguments in filters:
        following = graph.add(name, arguments)
        last.link_to(following)
        last = following
    return last


def drain_sound(graph: Graph, sink: FilterContext) -> Iterator[AudioFrame]:
    """Every frame that comes out of a graph of sounds."""
    # A context holds its graph weakly: this generator keeps it alive.
    while graph.configured:
        try:
            frame = sink.pull()
        except (av.error.EOFError, av.error.BlockingIOError):
            return
        assert isinstance(frame, AudioFrame)  # noqa: S101 - tells the type checker what an audio sink gives
        yield frame


def filter_pictures(
    stream: VideoStream, frames: Iterable[VideoFrame], filters: Iterable[Filter]
) -> Iterator[VideoFrame]:
    """Each frame of a stream, after filters that make one frame of one."""
    graph = Graph()
    start = graph.add_buffer(template=stream)
    sink = chain(graph, start, [*filters, ("buffersink", None)])
    graph.configure()
    for frame in frames:
        start.push(frame)
        filtered = sink.pull()
        assert isinstance(filtered, VideoFrame)  # noqa: S101 - tells the type checker what a video sink gives
        yield filtered
