"""mp4, mov and m4a: a walk over the outermost boxes, which reads the index and steps over the sound and the picture."""

from __future__ import annotations

from fractions import Fraction

from attrs import Factory, define, frozen

from .boxes import parse_header
from .fragments import Fragments
from .info import MediaInfo, Steps, UnreadableMedia
from .reader import Reader
from .segments import SegmentIndex, parse_segments
from .tracks import Movie, Track, parse_movie

MOST_BOXES = 100_000
"""Outermost boxes, at most: an hour of fragments of 0.1 s."""
INDEX_LIMIT = 16 * 1024 * 1024
"""Bytes of one box that is read whole, at most."""
STILL_OF_INTEREST = (b"mdat", b"free", b"skip", b"wide")
"""Once the length is known: the media, which may be cut short, and padding before them. The rest may be junk."""
READ_WHOLE = ("ftyp", "moov", "moof", "sidx")
PICTURE_BRANDS = {"avif", "avis", "heic", "heix", "hevc", "heim", "mif1", "msf1"}
HEADER = 16


BRAND_WITHOUT_FTYP = "qt  "
"""QuickTime wrote no `ftyp` for its first ten years."""


@frozen
class Box:
    """An outermost box: where its body lies, and where it ends (None: where the file does)."""

    kind: str
    body: int
    end: int | None


@define
class Walk:
    """What the boxes have told so far; `length` is None as long as more of them have to be read for it."""

    reader: Reader
    brand: str = BRAND_WITHOUT_FTYP
    fragments: Fragments | None = None
    fragment_seen: bool = False
    segments: SegmentIndex = Factory(SegmentIndex)
    length: Fraction | None = None

    def meet(self, box: Box, body: memoryview) -> None:
        """Takes in one box. UnreadableMedia where it is broken."""
        if box.kind == "ftyp":
            self.brand = bytes(body[:4]).decode("latin-1")
        elif box.kind == "moov" and self.fragments is None:
            self._index(parse_movie(body))
        elif box.kind == "sidx" and box.end is not None:
            self.segments.add(parse_segments(body, box.end))
        elif box.kind == "moof":
            self.fragment_seen = True
            if self.fragments is not None:
                self.fragments.add(body)

    def _index(self, movie: Movie) -> None:
        self.fragments = Fragments(movie)
        if movie.sample_durations is None:
            self.length = max((movie.length(track) for track in movie.played), default=Fraction(0))
        elif movie.fragments_duration:
            self.length = Fraction(movie.fragments_duration, movie.timescale)


def read_movie(reader: Reader) -> Steps[MediaInfo]:
    """Reads an ISO file; UnreadableMedia where it is broken, cut short, or no mp4, mov or m4a."""
    walk = Walk(reader)
    position: int | None = 0
    for _ in range(MOST_BOXES):
        box = yield from _next_box(reader, position, STILL_OF_INTEREST if walk.length is not None else None)
        if box is None or (walk.length is not None and box.kind == "mdat"):
            break
        walk.meet(box, (yield from _body(reader, box)))
        if box.kind == "sidx" and (yield from _index_is_complete(walk)):
            walk.length = walk.segments.length()
            break
        position = box.end
    else:
        raise UnreadableMedia(f"broken: it has more than {MOST_BOXES} boxes")
    return _info(walk)


def _index_is_complete(walk: Walk) -> Steps[bool]:
    """Whether the segments of every track are known, and nothing follows them but an index for random access."""
    if walk.fragments is None:
        return False
    end = walk.segments.end_of({track.track_id for track in walk.fragments.movie.played})
    if end is None:
        return False
    tail = yield from walk.reader.read(end - 1, 1 + HEADER)
    return len(tail) == 1 or tail[5:9] == b"mfra"


def _next_box(reader: Reader, position: int | None, kinds: tuple[bytes, ...] | None) -> Steps[Box | None]:
    """The box at the position; None at the end of the file, and for the few bytes that some writers leave there.

    With `kinds`, None for a box of any other kind as well. UnreadableMedia where the box is longer than the file.
    """
    if position is None:
        return None
    data = yield from reader.read(position, HEADER)
    if len(data) < 8 or (kinds is not None and data[4:8] not in kinds):
        return None
    header = parse_header(memoryview(data))
    end = None if header.length is None else position + header.length
    if end is not None and reader.size is not None and end > reader.size:
        raise UnreadableMedia(f"truncated: {end} bytes are announced, {reader.size} are there")
    return Box(header.kind, position + header.header_length, end)


def _body(reader: Reader, box: Box) -> Steps[memoryview]:
    """The whole body of a box that tells something, nothing of any other; the next box's header is read along."""
    if box.kind not in READ_WHOLE:
        return memoryview(b"")
    length = INDEX_LIMIT + 1 if box.end is None else box.end - box.body
    if length > INDEX_LIMIT and box.end is not None:
        raise UnreadableMedia(f"broken: its {box.kind} box claims {length} bytes")
    data = yield from reader.read(box.body, length + HEADER)
    if box.end is None and len(data) > INDEX_LIMIT:
        raise UnreadableMedia(f"broken: its {box.kind} box is longer than {INDEX_LIMIT >> 20} MB")
    if box.end is not None and len(data) < length:
        raise UnreadableMedia(f"truncated: the file ends within its {box.kind} box")
    return memoryview(data)[:length]


def _info(walk: Walk) -> MediaInfo:
    if walk.fragments is None:
        raise UnreadableMedia(_without_index(walk))
    movie = walk.fragments.movie
    videos, sounds = movie.of_kind("video"), movie.of_kind("audio")
    if not videos and not sounds:
        raise UnreadableMedia("an MP4 file without picture and sound")
    length = _length(walk, walk.fragments)
    width, height = _shown_size(movie, videos[0]) if videos else (None, None)
    return MediaInfo(
        container=_container(walk.brand, has_video=bool(videos)),
        duration_ms=int(length * 1000),
        size=walk.reader.size,
        has_video=bool(videos),
        has_audio=bool(sounds),
        width=width,
        height=height,
        video_codec=videos[0].codec if videos else None,
        audio_codec=sounds[0].codec if sounds else None,
    )


def _length(walk: Walk, fragments: Fragments) -> Fraction:
    if walk.length is not None:
        return walk.length
    if not walk.fragment_seen and not any(track.duration for track in fragments.movie.played):
        raise UnreadableMedia("truncated: an MP4 file of fragments, none of which is there")
    return fragments.length()


def _without_index(walk: Walk) -> str:
    if walk.brand in PICTURE_BRANDS:
        return "a HEIF or AVIF picture"
    if walk.fragment_seen:
        return "a fragment of an MP4 file, without the index that belongs to it"
    return "truncated: an MP4 file without its index (moov)"


def _container(brand: str, *, has_video: bool) -> str:
    """QuickTime says so; of the others, what has no picture is m4a whatever its brand."""
    if brand == "qt  ":
        return "mov"
    return "mp4" if has_video else "m4a"


def _shown_size(movie: Movie, track: Track) -> tuple[int, int]:
    """Width and height after the turns of the track and of the whole movie."""
    if track.sideways != movie.sideways:
        return track.height, track.width
    return track.width, track.height
