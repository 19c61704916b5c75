"""Real media files, made with PyAV, and PyAV's own measure of how long they are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import av
from attrs import field, frozen
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import BlockingIOError as NothingYet
from av.filter import Graph
from av.video.frame import VideoFrame

Target = Path | IO[bytes]


@frozen(kw_only=True)
class Sound:
    """A sound to be made: its encoding, its length in samples, and what FFmpeg is told besides."""

    codec: str
    rate: int
    samples: int
    layout: str = "mono"
    bit_rate: int | None = None
    muxer: str | None = None
    options: dict[str, str] = field(factory=dict)
    codec_options: dict[str, str] = field(factory=dict)


@frozen(kw_only=True)
class Film:
    """A film to be made: pictures at a rate, with sound or without."""

    frames: int
    rate: Fraction = Fraction(25)
    width: int = 64
    height: int = 48
    codec: str = "libx264"
    sound: Sound | None = None
    muxer: str | None = None
    options: dict[str, str] = field(factory=dict)
    codec_options: dict[str, str] = field(factory=dict)


def noise(rate: int, layout: str, samples: int, sample_format: str) -> Iterator[AudioFrame]:
    """So many samples of noise that changes its strength, so that a variable bit rate varies."""
    graph = Graph()
    filters = (
        ("anoisesrc", f"sample_rate={rate}:amplitude=0.3:seed=1:nb_samples=1152"),
        ("tremolo", "f=1:d=0.9"),
        ("atrim", f"end_sample={samples}"),
        ("aformat", f"sample_fmts={sample_format}:channel_layouts={layout}:sample_rates={rate}"),
        ("abuffersink", ""),
    )
    graph.link_nodes(*(graph.add(name, arguments) for name, arguments in filters)).configure()
    while True:
        try:
            frame = graph.pull()
        except (NothingYet, EOFError):
            return
        if isinstance(frame, AudioFrame):
            yield frame


def pictures(film: Film) -> Iterator[VideoFrame]:
    """Grey pictures, each a little lighter than the one before."""
    for index in range(film.frames):
        frame = VideoFrame(film.width, film.height, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([index * 3 % 200 + 20]) * plane.buffer_size)
        frame.pts, frame.time_base = index, 1 / film.rate
        yield frame


def make_sound(target: Target, sound: Sound) -> None:
    """Writes a file that holds the sound alone."""
    name = str(target) if isinstance(target, Path) else target
    with av.open(name, "w", format=sound.muxer, options=sound.options) as container:
        stream = _sound_stream(container, sound)
        container.start_encoding()
        for packet in _encoded(stream, sound):
            container.mux(packet)


def make_film(target: Target, film: Film) -> None:
    """Writes pictures and sound, in the order of their times as a recorder does."""
    name = str(target) if isinstance(target, Path) else target
    with av.open(name, "w", format=film.muxer, options=film.options) as container:
        video = container.add_stream(film.codec, rate=film.rate, options=film.codec_options)
        video.width, video.height, video.pix_fmt = film.width, film.height, "yuv420p"  # type: ignore[union-attr]  # a video
        sound = film.sound
        audio = None if sound is None else _sound_stream(container, sound)
        container.start_encoding()
        packets = list(chain.from_iterable(video.encode(frame) for frame in chain(pictures(film), [None])))  # type: ignore[union-attr,arg-type]  # a video
        if sound is not None and audio is not None:
            packets += _encoded(audio, sound)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)


def film_bytes(film: Film) -> bytes:
    """The bytes of a file with the film."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "film")
        make_film(path, film)
        return path.read_bytes()


def sound_bytes(sound: Sound) -> bytes:
    """The bytes of a file with the sound."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "sound")
        make_sound(path, sound)
        return path.read_bytes()


def decoded_ms(data: bytes) -> int:
    """How long the sound of a file is by the samples that a decoder makes of it."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(stream))
        return samples * 1000 // stream.rate


def presented_ms(data: bytes) -> float:
    """How long a film is by its packets: from the first moment that is shown to the end of the last packet."""
    with av.open(io.BytesIO(data), "r") as container:
        times = [
            (packet.pts * packet.time_base, (packet.pts + (packet.duration or 0)) * packet.time_base)
            for packet in container.demux()
            if packet.pts is not None and packet.time_base is not None
        ]
    start = max(Fraction(0), min(begin for begin, _ in times))
    return float((max(end for _, end in times) - start) * 1000)


def _sound_stream(container: OutputContainer, sound: Sound) -> AudioStream:
    stream = container.add_stream(sound.codec, rate=sound.rate, layout=sound.layout, options=sound.codec_options)
    assert isinstance(stream, AudioStream)
    if sound.bit_rate is not None:
        stream.bit_rate = sound.bit_rate
    return stream


def _encoded(stream: AudioStream, sound: Sound) -> list[av.Packet]:
    frames = noise(sound.rate, sound.layout, sound.samples, stream.codec_context.format.name)
    return [packet for frame in chain(frames, [None]) for packet in stream.encode(frame)]
