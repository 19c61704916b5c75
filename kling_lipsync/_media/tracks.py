"""The index of an ISO file (`moov`): which tracks there are, and how long each is played."""

from __future__ import annotations

import struct
from fractions import Fraction

from attrs import frozen

from .boxes import Fields, children, find, versioned
from .codecs import FOUR_LETTERS, OBJECT_TYPES
from .info import UnreadableMedia

KINDS = {"vide": "video", "soun": "audio"}
ENABLED = 1
MOST_TRACKS = 32
MOST_EDITS = 1_000
EMPTY = -1
"""The media time of an edit that shows nothing for a while."""


@frozen
class Edit:
    """One entry of an edit list: `duration` in the movie's ticks (0: to the end), `media_time` in the track's."""

    duration: int
    media_time: int


@frozen(kw_only=True)
class Track:
    """One track of picture or sound; `duration` is in ticks of `timescale` and counts no fragments.

    `first_offset` is by how many ticks the first sample is shown later than it is decoded: frames that depend on later
    ones need such a delay, for which an edit list may make up.
    """

    track_id: int
    kind: str
    enabled: bool
    timescale: int
    duration: int
    first_offset: int
    edits: tuple[Edit, ...]
    codec: str | None
    width: int
    height: int
    sideways: bool


@frozen(kw_only=True)
class Movie:
    """What the index says; `sample_durations` are the defaults of fragments by track, None without fragments."""

    timescale: int
    sideways: bool
    tracks: tuple[Track, ...]
    sample_durations: dict[int, int] | None
    fragments_duration: int

    @property
    def played(self) -> list[Track]:
        """The tracks that a player plays: of each kind the enabled ones, all where none is enabled."""
        return self.of_kind("video") + self.of_kind("audio")

    def of_kind(self, kind: str) -> list[Track]:
        """The tracks of one kind (`video` or `audio`) that a player plays."""
        tracks = [track for track in self.tracks if track.kind == kind]
        return [track for track in tracks if track.enabled] or tracks

    def length(self, track: Track) -> Fraction:
        """Seconds for which the track is played, after its edit list."""
        media = Fraction(track.duration, track.timescale)
        if not track.edits:
            return media
        return sum((self._edited(edit, track, media) for edit in track.edits), Fraction(0))

    def _edited(self, edit: Edit, track: Track, media: Fraction) -> Fraction:
        """An edit shows no more than there is, one without a duration all that follows its media time."""
        duration = Fraction(edit.duration, self.timescale)
        if edit.media_time == EMPTY:
            return duration
        if duration:
            return min(duration, media)
        skipped = Fraction(max(edit.media_time - track.first_offset, 0), track.timescale)
        return max(media - skipped, Fraction(0))


def parse_movie(data: memoryview) -> Movie:
    """Reads the body of a `moov` box; UnreadableMedia where it holds no picture and no sound that can be read."""
    header = find(data, "mvhd")
    if header is None:
        packed = find(data, "cmov") is not None
        raise UnreadableMedia("a QuickTime file with a packed index" if packed else "broken: its index has no header")
    timescale, sideways = _movie_header(header)
    bodies = [body for kind, body in children(data, "moov") if kind == "trak"]
    if len(bodies) > MOST_TRACKS:
        raise UnreadableMedia(f"broken: it claims {len(bodies)} tracks")
    extension = find(data, "mvex")
    return Movie(
        timescale=timescale,
        sideways=sideways,
        tracks=tuple(track for body in bodies if (track := _track(body, fragmented=extension is not None)) is not None),
        sample_durations=None if extension is None else _sample_durations(extension),
        fragments_duration=0 if extension is None else _fragments_duration(extension),
    )


def _movie_header(data: memoryview) -> tuple[int, bool]:
    """The movie's ticks per second, and whether all of it is turned by a quarter."""
    version, _, fields = versioned(data, "mvhd")
    wide = 8 if version == 1 else 4
    fields.take(2 * wide)
    timescale = _timescale(fields)
    fields.take(wide + 16)
    return timescale, _sideways(fields)


def _timescale(fields: Fields) -> int:
    timescale = fields.unsigned(4)
    if timescale == 0:
        raise UnreadableMedia("broken: its clock has 0 ticks per second")
    return timescale


def _sideways(fields: Fields) -> bool:
    """Whether a matrix (a b u c d v x y w) turns by 90 or 270 degrees; anything else keeps width and height."""
    a, b, _, c, d, *_ = (fields.signed(4) for _ in range(9))
    return a == 0 and d == 0 and b != 0 and c != 0


def _sample_durations(extension: memoryview) -> dict[int, int]:
    """Each track's default duration of a sample, in its own ticks, from its `trex`."""
    durations = {}
    for kind, body in children(extension, "mvex"):
        if kind == "trex":
            _, _, fields = versioned(body, "trex")
            track_id, _ = fields.unsigned(4), fields.take(4)
            durations[track_id] = fields.unsigned(4)
    return durations


def _fragments_duration(extension: memoryview) -> int:
    """The whole presentation in the movie's ticks from `mehd`, 0 where that is missing."""
    body = find(extension, "mehd")
    if body is None:
        return 0
    version, _, fields = versioned(body, "mehd")
    return fields.unsigned(8 if version == 1 else 4)


def _track(data: memoryview, *, fragmented: bool) -> Track | None:
    """The track if it is picture or sound; time codes, chapters and subtitles are None."""
    head, media = find(data, "tkhd"), find(data, "mdia")
    handler = None if media is None else find(media, "hdlr")
    if head is None or media is None or handler is None:
        return None
    kind = KINDS.get(_handler(handler))
    if kind is None:
        return None
    track_id, enabled, sideways, shown = _track_header(head)
    timescale, duration = _media_length(media, fragmented=fragmented)
    codec, stored = _sample_entry(media, kind)
    width, height = stored if all(stored) else shown
    return Track(
        track_id=track_id,
        kind=kind,
        enabled=enabled,
        timescale=timescale,
        duration=duration,
        first_offset=_first_offset(media),
        edits=_edits(data),
        codec=codec,
        width=width,
        height=height,
        sideways=sideways,
    )


def _handler(data: memoryview) -> str:
    _, _, fields = versioned(data, "hdlr")
    fields.take(4)
    return fields.text(4)


def _track_header(data: memoryview) -> tuple[int, bool, bool, tuple[int, int]]:
    """The track's id, whether it is enabled, whether it is turned by a quarter, and the size at which it is shown."""
    version, flags, fields = versioned(data, "tkhd")
    wide = 8 if version == 1 else 4
    fields.take(2 * wide)
    track_id = fields.unsigned(4)
    fields.take(4 + wide + 16)
    sideways = _sideways(fields)
    return track_id, bool(flags & ENABLED), sideways, (fields.unsigned(4) >> 16, fields.unsigned(4) >> 16)


def _media_length(media: memoryview, *, fragmented: bool) -> tuple[int, int]:
    """Ticks per second, and how many of them the samples of the index last.

    The header's number may count fragments too, or the delay of frames that depend on later ones: the smaller one of it
    and of the sum of all samples is the length.
    """
    header = find(media, "mdhd")
    if header is None:
        raise UnreadableMedia("broken: a track has no header")
    version, _, fields = versioned(header, "mdhd")
    wide = 8 if version == 1 else 4
    fields.take(2 * wide)
    timescale, duration = _timescale(fields), fields.unsigned(wide)
    samples = _sum_of_samples(media)
    if fragmented or duration == 0:
        return timescale, samples
    return timescale, min(duration, samples or duration)


def _sum_of_samples(media: memoryview) -> int:
    """The durations in `stts` (pairs of a count and a duration) added up, 0 without that table."""
    table = find(media, "minf", "stbl", "stts")
    if table is None:
        return 0
    _, _, fields = versioned(table, "stts")
    count = fields.unsigned(4)
    return sum(samples * ticks for samples, ticks in struct.iter_unpack(">II", fields.take(8 * count)))


def _first_offset(media: memoryview) -> int:
    """From the first entry of `ctts`, a count and an offset; 0 without that table."""
    table = find(media, "minf", "stbl", "ctts")
    if table is None:
        return 0
    version, _, fields = versioned(table, "ctts")
    if fields.unsigned(4) == 0:
        return 0
    fields.take(4)
    return fields.signed(4) if version == 1 else fields.unsigned(4)


def _edits(track: memoryview) -> tuple[Edit, ...]:
    """The track's edit list, empty where there is none."""
    body = find(track, "edts", "elst")
    if body is None:
        return ()
    version, _, fields = versioned(body, "elst")
    wide = 8 if version == 1 else 4
    count = fields.unsigned(4)
    if count > MOST_EDITS:
        raise UnreadableMedia(f"broken: a track claims {count} edits")
    entries = Fields(fields.take((2 * wide + 4) * count), "elst")
    edits = []
    for _ in range(count):
        edits.append(Edit(entries.unsigned(wide), entries.signed(wide)))
        entries.take(4)
    return tuple(edits)


def _sample_entry(media: memoryview, kind: str) -> tuple[str | None, tuple[int, int]]:
    """The codec and, of a picture, width and height as stored, from the first entry of `stsd`."""
    table = find(media, "minf", "stbl", "stsd")
    if table is None:
        return None, (0, 0)
    name, entry = next(children(table[8:], "stsd"), ("", memoryview(b"")))
    if not name:
        return None, (0, 0)
    codec = _mp4a_codec(entry) if name == "mp4a" else FOUR_LETTERS.get(name, name)
    if kind == "audio":
        return codec, (0, 0)
    fields = Fields(entry, name)
    fields.take(24)
    return codec, (fields.unsigned(2), fields.unsigned(2))


def _mp4a_codec(entry: memoryview) -> str:
    """What an `mp4a` entry holds, from the object type in its `esds`: nearly always AAC, sometimes MP3.

    ISO 14496-1: a descriptor of tag 3 (an id, flags, and what the flags announce) around one of tag 4, which begins
    with the object type. QuickTime wraps the box once more, so it is searched for.
    """
    _, found, box = bytes(entry).partition(b"esds")
    if not found:
        return "aac"
    fields = Fields(memoryview(box), "esds")
    fields.take(4)
    _enter_descriptor(fields)
    fields.take(2)
    flags = fields.unsigned(1)
    depends, url, clock = flags & 0x80, flags & 0x40, flags & 0x20
    fields.take(2 if depends else 0)
    fields.take(fields.unsigned(1) if url else 0)
    fields.take(2 if clock else 0)
    _enter_descriptor(fields)
    return OBJECT_TYPES.get(fields.unsigned(1), "mp4a")


def _enter_descriptor(fields: Fields) -> None:
    """Passes a descriptor's tag and its length, which goes on while the highest bit is set."""
    fields.take(1)
    while fields.unsigned(1) & 0x80:
        pass
