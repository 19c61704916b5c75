"""Random access to a file of which every byte has to be asked for."""

from __future__ import annotations

from .info import ByteRange, Steps, UnreadableMedia

READ_AHEAD = 16 * 1024
"""Least bytes of one request: the next few reads then cost none."""
MOST_AHEAD = 1024 * 1024
"""Reading on, without long leaps, doubles each request up to this many bytes."""
TAIL = 64 * 1024
"""An end of the file that is no longer than this is taken along."""
READ_LIMIT = 128 * 1024 * 1024
"""Bytes asked for in all, at most: more than the largest file that Kling takes."""


class Reader:
    """A window that moves over the file; reads inside it cost no request.

    `size` is the file's length in bytes, None until it is known: the first answer that falls short tells it.
    """

    def __init__(self, size: int | None) -> None:
        self.size = size
        self._limit = size
        self._seen = 0
        self._window = b""
        self._start = 0
        self._ahead = READ_AHEAD
        self._asked = 0

    def read(self, start: int, length: int) -> Steps[bytes]:
        """The `length` bytes from `start` on, fewer only where the file ends. UnreadableMedia past READ_LIMIT."""
        end = start + length if self._limit is None else min(start + length, self._limit)
        if end <= start:
            return b""
        beyond = start - self._start - len(self._window)
        if start < self._start or beyond > 0:
            self._start, self._window = start, b""
            self._ahead = self._ahead if 0 < beyond < READ_AHEAD else READ_AHEAD
        missing = end - self._start - len(self._window)
        if missing > 0:
            self._window = self._window[start - self._start :]
            self._start = start
            yield from self._extend(missing)
        offset = start - self._start
        return self._window[offset : offset + length]

    def exactly(self, start: int, length: int, what: str) -> Steps[bytes]:
        """The same, but UnreadableMedia, naming `what` was to be read, where the file ends before."""
        data = yield from self.read(start, length)
        if len(data) < length:
            raise UnreadableMedia(f"truncated: the file ends within {what}")
        return data

    def end(self) -> Steps[int]:
        """The size of the file, found by reading on to its end where nobody told it."""
        while self.size is None:
            yield from self.read(self._seen, MOST_AHEAD)
        return self.size

    def _extend(self, missing: int) -> Steps[None]:
        """Lengthens the window by `missing` bytes at least, where the file has them."""
        start = self._start + len(self._window)
        wanted = ByteRange(start, self._request(start, missing))
        self._asked += wanted.length
        if self._asked > READ_LIMIT:
            raise UnreadableMedia(f"more than {READ_LIMIT >> 20} MB would have to be read to know its length")
        data = (yield wanted)[: wanted.length]
        self._ahead = min(2 * self._ahead, MOST_AHEAD)
        self._window += data
        self._learn(wanted, len(data))

    def _request(self, start: int, missing: int) -> int:
        length = max(missing, self._ahead)
        if self._limit is None:
            return length
        rest = self._limit - start
        return rest if rest <= max(length, TAIL) else length

    def _learn(self, wanted: ByteRange, received: int) -> None:
        """A short answer bounds the size; it tells the size if the byte before that bound was seen."""
        end = wanted.start + received
        if received:
            self._seen = max(self._seen, end)
        if received < wanted.length:
            self._limit = end
            self._seen = min(self._seen, end)
        if self._limit == self._seen:
            self.size = self._limit
