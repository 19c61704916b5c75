"""The boxes of ISO 14496-12 (and QuickTime's atoms), in memory: everything that they say of themselves may be a lie."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from .info import UnreadableMedia

MOST_BOXES = 10_000
"""Children of one box, at most."""
TO_THE_END = 0
LONG_SIZE = 1


class Fields:
    """Big-endian numbers, taken one after the other; UnreadableMedia where the bytes run out."""

    def __init__(self, data: memoryview, what: str) -> None:
        self._data = data
        self._what = what
        self._position = 0

    @property
    def left(self) -> int:
        """How many bytes are still there."""
        return len(self._data) - self._position

    def take(self, count: int) -> memoryview:
        """The next `count` bytes."""
        if count > self.left:
            raise UnreadableMedia(f"broken: its {self._what} box is too short")
        self._position += count
        return self._data[self._position - count : self._position]

    def unsigned(self, width: int) -> int:
        """The next `width` bytes as a number."""
        return int.from_bytes(self.take(width), "big")

    def signed(self, width: int) -> int:
        """The next `width` bytes as a number in two's complement."""
        return int.from_bytes(self.take(width), "big", signed=True)

    def text(self, width: int) -> str:
        """The next `width` bytes as Latin-1, in which every byte is a character."""
        return bytes(self.take(width)).decode("latin-1")


@frozen
class Header:
    """How a box begins: its four letters, the header's length and the box's, header included (None: to the end)."""

    kind: str
    header_length: int
    length: int | None


def parse_header(data: memoryview) -> Header:
    """Reads a header out of the first 16 bytes of a box, 8 where there are no more; UnreadableMedia on nonsense."""
    fields = Fields(data, "last")
    length, kind = fields.unsigned(4), fields.text(4)
    if length == TO_THE_END:
        return Header(kind, 8, None)
    header_length = 8
    if length == LONG_SIZE:
        length, header_length = fields.unsigned(8), 16
    if length < header_length:
        raise UnreadableMedia(f"broken: its {kind!r} box claims {length} bytes")
    return Header(kind, header_length, length)


def children(data: memoryview, parent: str) -> Iterator[tuple[str, memoryview]]:
    """The boxes within a box's body, as their four letters and their bodies.

    Fewer than 8 bytes behind the last one are passed over: QuickTime ends some lists with four zeros. A child that
    claims to be longer than its parent ends with it, as players have it. UnreadableMedia where there are more than
    MOST_BOXES.
    """
    position = count = 0
    while len(data) - position >= 8:
        header = parse_header(data[position : position + 16])
        end = len(data) if header.length is None else min(position + header.length, len(data))
        count += 1
        if count > MOST_BOXES:
            raise UnreadableMedia(f"broken: its {parent} box holds more than {MOST_BOXES} others")
        yield header.kind, data[position + header.header_length : end]
        position = end


def find(data: memoryview, *path: str) -> memoryview | None:
    """The body of the first box at the end of a path of nested boxes, None where there is none."""
    for parent, kind in zip(("moov", *path), path, strict=False):
        body = next((body for child, body in children(data, parent) if child == kind), None)
        if body is None:
            return None
        data = body
    return data


def versioned(data: memoryview, what: str) -> tuple[int, int, Fields]:
    """The version, the flags and the fields of a "full box"."""
    fields = Fields(data, what)
    return fields.unsigned(1), fields.unsigned(3), fields
