"""Remakes every sample of this directory: `python remake.py [DIRECTORY]`.

Needs attrs, PyAV with x264, AAC and LAME (`pip install av`), the picture in scikit-image's wheel (`pip install
scikit-image`) and the speech synthesiser espeak-ng on the PATH. The same versions of those make the same bytes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
from attrs import frozen
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import BlockingIOError as NothingYet
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

Filters = tuple[tuple[str, str], ...]
"""Names and arguments of FFmpeg's filters, in the order in which a frame passes them."""

FRAMES_PER_SECOND = 25
AMBIENCE_RATE = 32_000
"""At this rate 8 s and 12 s are whole numbers of AAC's frames of 1024 samples: sound and picture end together."""
X264 = {"crf": "32", "preset": "slow", "x264-params": "keyint=600:threads=1"}
BAR_ROWS = 8
"""Height of the bar at the foot of the picture, as long as the part of the clip that is over."""

WHOLE: Filters = (("crop", "512:288:0:0"), ("scale", "1280:720:flags=bicubic"))
PERSON: Filters = (("crop", "256:288:94:0"), ("scale", "640:720:flags=bicubic"))
OTHER_PERSON: Filters = (*PERSON, ("hflip", ""), ("hue", "h=-12:s=0.5"))
WALL: Filters = (("crop", "64:72:306:8"), ("scale", "640:720:flags=bicubic"), ("gblur", "sigma=24"))


@frozen(kw_only=True)
class Appearance:
    """One face of a clip: from when to when it is seen, and its box `[x, y, width, height]` in pixels."""

    start_ms: int
    end_ms: int
    box: list[int]


@frozen(kw_only=True)
class Speech:
    """One spoken sample: the words, which of espeak-ng's voices says them, how fast, and the encoding."""

    text: str
    voice: str
    words_per_minute: int
    codec: str
    rate: int
    bit_rate: int | None = None


FACES = {
    "one-face": [Appearance(start_ms=0, end_ms=8_000, box=[446, 158, 226, 274])],
    "two-faces": [
        Appearance(start_ms=0, end_ms=12_000, box=[210, 158, 226, 278]),
        Appearance(start_ms=4_000, end_ms=12_000, box=[842, 152, 222, 284]),
    ],
}
SPEECHES = {
    "speech.wav": Speech(
        text="The moon is bright tonight, and the sea is calm. We sail at dawn.",
        voice="en-gb",
        words_per_minute=170,
        codec="pcm_s16le",
        rate=16_000,
    ),
    "speech.mp3": Speech(
        text="Good morning. A short message from the harbour: every ship came home last night.",
        voice="en-us+f3",
        words_per_minute=165,
        codec="libmp3lame",
        rate=24_000,
        bit_rate=48_000,
    ),
    "speech.m4a": Speech(
        text="Two people look at the same star and see two different things. One sees a light, one sees a road.",
        voice="en-gb+m7",
        words_per_minute=160,
        codec="aac",
        rate=24_000,
        bit_rate=48_000,
    ),
    "short.wav": Speech(text="It is too short.", voice="en-gb", words_per_minute=170, codec="pcm_s16le", rate=16_000),
}


def portrait() -> VideoFrame:
    """NASA's portrait of Eileen Collins, 512 x 512, out of scikit-image's wheel; SystemExit where that is missing."""
    package = find_spec("skimage")
    if package is None or package.origin is None:
        raise SystemExit("the portrait is missing: pip install scikit-image")
    with av.open(str(Path(package.origin).parent / "data" / "astronaut.png")) as picture:
        return next(picture.decode(video=0))


def filtered(frame: VideoFrame, filters: Filters) -> VideoFrame:
    """The frame after FFmpeg's filters, as yuv420p."""
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, FRAMES_PER_SECOND)
    )
    steps = [graph.add(name, arguments) for name, arguments in (*filters, ("format", "yuv420p"))]
    graph.link_nodes(source, *steps, graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()


def rows(frame: VideoFrame, plane: int) -> list[bytes]:
    """The pixel rows of one plane, without the padding that follows each."""
    layer = frame.planes[plane]
    data = bytes(layer)
    return [data[row * layer.line_size :][: layer.width] for row in range(layer.height)]


def painted(planes: Iterable[list[bytes]], width: int, height: int) -> VideoFrame:
    """A yuv420p frame from the pixel rows of its three planes."""
    frame = VideoFrame(width, height, "yuv420p")
    for plane, lines in zip(frame.planes, planes, strict=True):
        plane.update(b"".join(line.ljust(plane.line_size, b"\0") for line in lines))
    return frame


def side_by_side(left: VideoFrame, right: VideoFrame) -> VideoFrame:
    """One frame from two of the same height."""
    planes = ([a + b for a, b in zip(rows(left, plane), rows(right, plane), strict=True)] for plane in range(3))
    return painted(planes, left.width + right.width, left.height)


def with_bar(frame: VideoFrame, share: float) -> VideoFrame:
    """The frame with the bar over its first `share` of the width."""
    white = round(frame.width * share)
    bar = b"\xeb" * white + b"\x20" * (frame.width - white)
    luma, blue, red = (rows(frame, plane) for plane in range(3))
    grey = b"\x80" * (frame.width // 2)
    planes = (
        luma[:-BAR_ROWS] + [bar] * BAR_ROWS,
        blue[: -BAR_ROWS // 2] + [grey] * (BAR_ROWS // 2),
        red[: -BAR_ROWS // 2] + [grey] * (BAR_ROWS // 2),
    )
    return painted(planes, frame.width, frame.height)


def pictures(scenes: list[tuple[int, VideoFrame]], length_ms: int) -> Iterator[VideoFrame]:
    """Every frame of a clip whose scenes begin at the given milliseconds."""
    count = length_ms * FRAMES_PER_SECOND // 1000
    for index in range(count):
        at_ms = index * 1000 // FRAMES_PER_SECOND
        scene = [picture for start_ms, picture in scenes if start_ms <= at_ms][-1]
        frame = with_bar(scene, (index + 1) / count)
        frame.pts, frame.time_base = index, Fraction(1, FRAMES_PER_SECOND)
        yield frame


def ambience(length_ms: int) -> Iterator[AudioFrame]:
    """Soft noise, always the same, in frames of 1024 samples."""
    graph = Graph()
    length = f"sample_rate={AMBIENCE_RATE}:duration={length_ms}ms"
    noise = graph.add("anoisesrc", f"{length}:color=brown:amplitude=0.04:seed=7")
    shape = graph.add("aformat", f"sample_fmts=fltp:channel_layouts=mono:sample_rates={AMBIENCE_RATE}")
    graph.link_nodes(noise, shape, graph.add("asetnsamples", "n=1024:p=0"), graph.add("abuffersink")).configure()
    while True:
        try:
            frame = graph.pull()
        except (NothingYet, EOFError):
            return
        if isinstance(frame, AudioFrame):
            yield frame


def write(
    container: OutputContainer, stream: VideoStream | AudioStream, frames: Iterable[VideoFrame | AudioFrame]
) -> None:
    """Encodes all frames into the stream, and flushes it."""
    for frame in frames:
        container.mux(stream.encode(frame))  # type: ignore[arg-type]  # each stream is given its own kind of frame
    container.mux(stream.encode(None))


def make_clip(path: Path, scenes: list[tuple[int, VideoFrame]], length_ms: int) -> None:
    """Writes an mp4 of H.264 and AAC, its index first."""
    with av.open(str(path), "w", options={"fflags": "+bitexact", "movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=X264)
        video.width, video.height, video.pix_fmt = 1280, 720, "yuv420p"
        audio = container.add_stream("aac", rate=AMBIENCE_RATE, layout="mono", options={"flags": "+bitexact"})
        audio.bit_rate = 32_000
        write(container, video, pictures(scenes, length_ms))
        write(container, audio, ambience(length_ms))


def spoken(speech: Speech) -> list[AudioFrame]:
    """What espeak-ng makes of the text, at the speech's rate; SystemExit where it is missing."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise SystemExit("the speech synthesiser is missing: apt-get install espeak-ng")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "speech.wav")
        options = ["-v", speech.voice, "-s", str(speech.words_per_minute), "-w", str(path)]
        subprocess.run([program, *options, speech.text], check=True)  # noqa: S603 - the texts above, no shell
        samples = "s16" if speech.codec == "pcm_s16le" else "fltp"
        resampler = AudioResampler(format=samples, layout="mono", rate=speech.rate)
        with av.open(str(path)) as container:
            return [part for frame in (*container.decode(audio=0), None) for part in resampler.resample(frame)]


def make_speech(path: Path, speech: Speech) -> None:
    """Writes one spoken sample in the container that the name's ending asks for."""
    muxer = "ipod" if path.suffix == ".m4a" else None
    with av.open(str(path), "w", format=muxer, options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(speech.codec, rate=speech.rate, layout="mono", options={"flags": "+bitexact"})
        if not isinstance(stream, AudioStream):
            raise SystemExit(f"PyAV here has no encoder for sound called {speech.codec}")
        if speech.bit_rate is not None:
            stream.bit_rate = speech.bit_rate
        write(container, stream, spoken(speech))


def remake(directory: Path) -> None:
    """Writes all samples into the directory."""
    picture = portrait()
    left, right, wall = (filtered(picture, filters) for filters in (PERSON, OTHER_PERSON, WALL))
    make_clip(directory / "one-face.mp4", [(0, filtered(picture, WHOLE))], 8_000)
    two = [(0, side_by_side(left, wall)), (4_000, side_by_side(left, right))]
    make_clip(directory / "two-faces.mp4", two, 12_000)
    for name, faces in FACES.items():
        lines = ",\n".join(
            f"  {json.dumps({'start_ms': face.start_ms, 'end_ms': face.end_ms, 'box': face.box})}" for face in faces
        )
        (directory / f"{name}.faces.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    for name, speech in SPEECHES.items():
        make_speech(directory / name, speech)


if __name__ == "__main__":
    remake(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
