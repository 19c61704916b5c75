"""The index of segments (`sidx`) that may stand before the fragments of an ISO file, and spare reading each of them."""

from __future__ import annotations

from fractions import Fraction

from attrs import define, field, frozen

from .boxes import Fields, versioned
from .info import UnreadableMedia


@frozen(kw_only=True)
class Segments:
    """What one `sidx` says: from when to when its track is shown, in seconds, and where in the file that ends."""

    track_id: int
    start: Fraction
    end: Fraction
    file_end: int


@define
class SegmentIndex:
    """The segments of all tracks that have told them."""

    _tracks: dict[int, Segments] = field(factory=dict, init=False)

    def add(self, segments: Segments) -> None:
        """Takes in what one box says; the first of a track counts."""
        self._tracks.setdefault(segments.track_id, segments)

    def end_of(self, track_ids: set[int]) -> int | None:
        """Where in the file the segments of all these tracks end; None where one of them is missing or ends elsewhere,
        as when each box stands for one fragment.
        """
        ends = {segments.file_end for segments in self._tracks.values()}
        return ends.pop() if track_ids and track_ids <= self._tracks.keys() and len(ends) == 1 else None

    def length(self) -> Fraction:
        """Seconds from the first moment that is shown to the last."""
        tracks = self._tracks.values()
        return max(track.end for track in tracks) - min(track.start for track in tracks)


def parse_segments(data: memoryview, end: int) -> Segments:
    """Reads the body of a `sidx` box that ends at that offset of the file (ISO 14496-12, 8.16.3).

    UnreadableMedia where it is broken.
    """
    version, _, fields = versioned(data, "sidx")
    wide = 4 if version == 0 else 8
    track_id, timescale = fields.unsigned(4), fields.unsigned(4)
    if timescale == 0:
        raise UnreadableMedia("broken: its sidx box has a clock of 0 ticks per second")
    start, file_end = fields.unsigned(wide), end + fields.unsigned(wide)
    fields.take(2)
    references = Fields(fields.take(12 * fields.unsigned(2)), "sidx")
    ticks = start
    while references.left:
        file_end += references.unsigned(4) & 0x7FFF_FFFF
        ticks += references.unsigned(4)
        references.take(4)
    return Segments(
        track_id=track_id, start=Fraction(start, timescale), end=Fraction(ticks, timescale), file_end=file_end
    )
