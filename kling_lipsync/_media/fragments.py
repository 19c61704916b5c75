"""The fragments of an ISO file (`moof`): how far they make the tracks reach."""

from __future__ import annotations

from fractions import Fraction

from attrs import define, field, frozen

from .boxes import children, find, versioned
from .tracks import EMPTY, Movie, Track

HAS_BASE_OFFSET, HAS_DESCRIPTION, HAS_DURATION = 0x01, 0x02, 0x08
"""Flags of `tfhd`: which fields it has, in this order."""
HAS_DATA_OFFSET, HAS_FIRST_FLAGS, EACH_DURATION, EACH_OFFSET = 0x001, 0x004, 0x100, 0x800
"""Flags of `trun`; one bit from 0x100 to 0x800 for each number that a sample has of its own."""


@define
class Span:
    """From where to where a track's samples are decoded, in its ticks, and how much later they are shown."""

    start: int
    end: int
    offset: int = 0


@frozen
class Run:
    """What a `trun` box says: how many ticks its samples last, and how much later than decoded the first is shown."""

    duration: int
    first_offset: int


@define
class Fragments:
    """How far the tracks of a movie reach, fragment by fragment."""

    movie: Movie
    _spans: dict[int, Span] = field(factory=dict, init=False)

    def add(self, fragment: memoryview) -> None:
        """Counts the body of one `moof`. UnreadableMedia where it is broken."""
        for kind, body in children(fragment, "moof"):
            if kind == "traf":
                self._add_track(body)

    def length(self) -> Fraction:
        """Seconds from the first sample of any track to the end of the last one; edit lists shift their tracks."""
        spans = [span for track in self.movie.played if (span := self._seconds(track)) is not None]
        if not spans:
            return Fraction(0)
        return max(end for _, end in spans) - min(start for start, _ in spans)

    def _add_track(self, body: memoryview) -> None:
        """Counts one `traf`; those of other tracks than picture and sound are passed over."""
        header = find(body, "tfhd")
        track, default = (None, 0) if header is None else self._track_header(header)
        if track is None:
            return
        runs = [_run(run, default) for kind, run in children(body, "traf") if kind == "trun"]
        span = self._spans.get(track.track_id)
        start = _decode_time(body)
        if start is None:
            start = track.duration if span is None else span.end
        end = start + sum(run.duration for run in runs)
        if span is None:
            self._spans[track.track_id] = _first_span(track, start, end, runs)
        else:
            span.end = max(span.end, end)

    def _track_header(self, header: memoryview) -> tuple[Track | None, int]:
        """The track that a `tfhd` names, and how long a sample lasts that says nothing itself."""
        _, flags, fields = versioned(header, "tfhd")
        track_id = fields.unsigned(4)
        fields.take(8 if flags & HAS_BASE_OFFSET else 0)
        fields.take(4 if flags & HAS_DESCRIPTION else 0)
        default = (self.movie.sample_durations or {}).get(track_id, 0)
        if flags & HAS_DURATION:
            default = fields.unsigned(4)
        return next((track for track in self.movie.tracks if track.track_id == track_id), None), default

    def _seconds(self, track: Track) -> tuple[Fraction, Fraction] | None:
        """From when to when the track is shown; None where it has no samples."""
        span = self._spans.get(track.track_id)
        if span is None:
            return None if track.duration == 0 else (Fraction(0), self.movie.length(track))
        shift = self._shift(track)
        start, end = (Fraction(ticks + span.offset, track.timescale) + shift for ticks in (span.start, span.end))
        return max(start, Fraction(0)), max(end, Fraction(0))

    def _shift(self, track: Track) -> Fraction:
        """By how much the edit list moves the track: later by an empty edit, earlier by what is skipped."""
        shift = Fraction(0)
        for edit in track.edits:
            if edit.media_time == EMPTY:
                shift += Fraction(edit.duration, self.movie.timescale)
            else:
                return shift - Fraction(edit.media_time, track.timescale)
        return shift


def _first_span(track: Track, start: int, end: int, runs: list[Run]) -> Span:
    """How far a track reaches with its first fragment; samples in the index itself come before it."""
    if track.duration:
        return Span(0, end, track.first_offset)
    return Span(start, end, runs[0].first_offset if runs else 0)


def _decode_time(body: memoryview) -> int | None:
    """Where the fragment of a track begins, None where it does not say so."""
    data = find(body, "tfdt")
    if data is None:
        return None
    version, _, fields = versioned(data, "tfdt")
    return fields.unsigned(8 if version == 1 else 4)


def _run(data: memoryview, default: int) -> Run:
    """Reads the body of one `trun`."""
    version, flags, fields = versioned(data, "trun")
    count = fields.unsigned(4)
    fields.take(4 if flags & HAS_DATA_OFFSET else 0)
    fields.take(4 if flags & HAS_FIRST_FLAGS else 0)
    entry = 4 * (flags >> 8 & 0xF).bit_count()
    samples = fields.take(entry * count)
    offset = 0
    if flags & EACH_OFFSET and count:
        offset = int.from_bytes(samples[entry - 4 : entry], "big", signed=version == 1)
    if not flags & EACH_DURATION:
        return Run(count * default, offset)
    return Run(sum(int.from_bytes(samples[at : at + 4], "big") for at in range(0, len(samples), entry)), offset)
