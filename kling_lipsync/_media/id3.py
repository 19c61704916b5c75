"""ID3v2 tags, which may stand before MP3 and ADTS."""

from __future__ import annotations

from .info import Steps
from .reader import Reader

HEADER = 10
HAS_FOOTER = 0x10
MOST_TAGS = 16


def skip_tags(reader: Reader) -> Steps[int]:
    """Where the file goes on after its ID3v2 tags; 0 where it has none (id3.org, "ID3v2.4.0 - Main Structure")."""
    position = 0
    for _ in range(MOST_TAGS):
        header = yield from reader.read(position, HEADER)
        if len(header) < HEADER or not header.startswith(b"ID3"):
            break
        position += HEADER + _body_length(header) + (HEADER if header[5] & HAS_FOOTER else 0)
    return position


def _body_length(header: bytes) -> int:
    """Four bytes of seven bits each."""
    length = 0
    for byte in header[6:HEADER]:
        length = length << 7 | byte & 0x7F
    return length
