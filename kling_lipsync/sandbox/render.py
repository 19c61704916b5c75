"""Result videos: the source's picture with the new sound mixed in, and the same with a visible mark."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from kling_lipsync.sandbox.graphs import Filter, chain, drain_sound, filter_pictures
from kling_lipsync.sandbox.model import Mix, VideoFacts

Frame = TypeVar("Frame", AudioFrame, VideoFrame)

RATE = 44_100
SAMPLES = "sample_fmts=fltp:sample_rates=44100:channel_layouts=stereo"
FROM_ZERO = ("aresample", "async=1:first_pts=0")
"""Silence up to the first sample's time: a sound may begin later than its picture."""

COPIED_CODECS = frozenset({"h264", "hevc"})
"""Pictures that stand in an mp4 as they are; others are encoded anew."""

FASTSTART = {"movflags": "+faststart"}
MARK = ("1001", "1010", "1100", "1010", "1001")
"""The mark's picture: a letter K of blocks, drawn into the lower right corner."""


def render_result(source: Path, facts: VideoFacts, sound: Path, mix: Mix, into: Path) -> None:
    """Writes an mp4 of the source's length: its picture as it is, its sound and the new one mixed."""
    with av.open(str(source)) as video, av.open(str(into), "w", format="mp4", options=FASTSTART) as result:
        original = video.streams.video[0]
        if original.codec_context.name in COPIED_CODECS:
            picture = _copied(result, video, original)
        else:
            picture = _encoded_picture(result, original, video.decode(original))
        track = result.add_stream("aac", rate=RATE, layout="stereo")
        frames = _mixed(source if facts.has_sound else None, sound, mix, facts.duration_ms)
        _write(result, picture, _encoded(track.encode, frames))


def render_watermarked(source: Path, into: Path) -> None:
    """Writes an mp4 whose picture is encoded anew with a mark in it; the sound stays as it is."""
    with (
        av.open(str(source)) as video,
        av.open(str(source)) as sound,
        av.open(str(into), "w", format="mp4", options=FASTSTART) as result,
    ):
        original = video.streams.video[0]
        picture = _encoded_picture(result, original, _marked(video, original))
        _write(result, picture, _copied(result, sound, sound.streams.audio[0]))


def _write(result: OutputContainer, *streams: Iterator[Packet]) -> None:
    """Both streams' packets in the order of their time."""
    for packet in heapq.merge(*streams, key=_decoding_time):
        result.mux(packet)


def _decoding_time(packet: Packet) -> Fraction:
    return packet.dts * packet.time_base if packet.dts is not None else Fraction(0)


def _copied(result: OutputContainer, source: InputContainer, stream: AudioStream | VideoStream) -> Iterator[Packet]:
    target = result.add_stream_from_template(stream)
    return _restamped(source.demux(stream), target)


def _restamped(packets: Iterable[Packet], target: AudioStream | VideoStream) -> Iterator[Packet]:
    for packet in packets:
        if packet.dts is not None:
            packet.stream = target
            yield packet


def _encoded_picture(result: OutputContainer, original: VideoStream, frames: Iterable[VideoFrame]) -> Iterator[Packet]:
    target = result.add_stream("libx264", rate=original.average_rate, options={"preset": "veryfast", "crf": "23"})
    target.width, target.height, target.pix_fmt = original.width, original.height, "yuv420p"
    target.time_base = original.time_base
    return _encoded(target.encode, frames)


def _encoded(encode: Callable[[Frame | None], list[Packet]], frames: Iterable[Frame]) -> Iterator[Packet]:
    for frame in frames:
        yield from encode(frame)
    yield from encode(None)


def _mixed(original: Path | None, sound: Path, mix: Mix, duration_ms: int) -> Iterator[AudioFrame]:
    """Frames of exactly ``duration_ms``: what is heard of the original, and the crop where it was put."""
    graph = Graph()
    crop = f"start={mix.start_ms / 1000}:end={mix.end_ms / 1000}"
    inserted = _Branch(graph, sound, [
        ("asetpts", "PTS-STARTPTS"), ("atrim", crop), ("volume", str(mix.sound_volume)),
        ("asetpts", f"PTS-STARTPTS+{mix.insert_ms / 1000}/TB"), FROM_ZERO,
    ])  # fmt: skip
    branches = [inserted]
    if original is not None:
        branches.append(_Branch(graph, original, [FROM_ZERO, ("volume", str(mix.original_volume))]))
    joined = graph.add("amix", f"inputs={len(branches)}:normalize=0:duration=longest")
    for index, branch in enumerate(branches):
        branch.end.link_to(joined, 0, index)
    sink = chain(graph, joined, [
        ("apad", f"whole_dur={duration_ms}ms"), ("atrim", f"end={duration_ms / 1000}"),
        ("aformat", SAMPLES), ("asetnsamples", "n=1024:p=0"), ("abuffersink", None),
    ])  # fmt: skip
    graph.configure()
    for branch in branches:
        branch.feed()
    return drain_sound(graph, sink)


class _Branch:
    """One sound on its way into the mix."""

    def __init__(self, graph: Graph, path: Path, filters: list[Filter]) -> None:
        self.path = path
        with av.open(str(path)) as container:
            self.start = graph.add_abuffer(template=container.streams.audio[0])
        self.end = chain(graph, self.start, [("aformat", SAMPLES), *filters])

    def feed(self) -> None:
        """Pushes the whole sound into the graph."""
        with av.open(str(self.path)) as container:
            for frame in container.decode(container.streams.audio[0]):
                self.start.push(frame)
        self.start.push(None)


def _marked(video: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    size = max(8, stream.height // 60)
    boxes = [
        ("drawbox", f"x=iw-{(6 - column) * size}:y=ih-{(7 - row) * size}:w={size}:h={size}:color=white@0.8:t=fill")
        for row, line in enumerate(MARK)
        for column, dot in enumerate(line)
        if dot == "1"
    ]
    return filter_pictures(stream, video.decode(stream), [*boxes, ("format", "pix_fmts=yuv420p")])
