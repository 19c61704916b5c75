"""MP3 and ADTS: which of the two it is shows behind the tags."""

from __future__ import annotations

from .adts import parse_adts, read_adts
from .frames import first_frame
from .id3 import skip_tags
from .info import MediaInfo, Steps, UnreadableMedia
from .mp3 import MP3, parse_mp3, read_mp3
from .reader import Reader
from .signatures import BEGINNING, foreign


def read_stream(reader: Reader) -> Steps[MediaInfo]:
    """MP3 or ADTS, whichever begins first after the tags."""
    start = yield from skip_tags(reader)
    name = foreign((yield from reader.read(start, BEGINNING))) if start else None
    if name is not None:
        raise UnreadableMedia(f"{name} behind an ID3 tag")
    first = yield from first_frame(reader, start, lambda data: parse_mp3(data) or parse_adts(data))
    if first is None:
        raise UnreadableMedia("no media file of a known kind")
    read = read_mp3 if first.frame.stream[0] == MP3 else read_adts
    return (yield from read(reader, first))
