"""Files as HTTP answers: whole or one range of them, with a length and an entity tag."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

CHUNK_BYTES = 256 * 1024
RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def file_answer(path: Path, request: Request) -> Response:
    """The answer to a GET or HEAD of a file; honours one ``Range``, unless ``If-Range`` names another file.

    Several ranges in one header, and units other than bytes, are answered with the whole file.
    """
    about = path.stat()
    tag = '"' + hashlib.sha256(f"{path.name}:{about.st_mtime_ns}:{about.st_size}".encode()).hexdigest()[:32] + '"'
    headers = {"accept-ranges": "bytes", "etag": tag}
    wanted = RANGE.fullmatch(request.headers.get("range", ""))
    if wanted is None or wanted[0] == "bytes=-" or request.headers.get("if-range", tag) != tag:
        return FileAnswer(path, 0, about.st_size, status=200, headers=headers)
    start, end = find_range(*wanted.groups(), size=about.st_size)
    if start >= end:
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{about.st_size}"})
    headers["content-range"] = f"bytes {start}-{end - 1}/{about.st_size}"
    return FileAnswer(path, start, end, status=206, headers=headers)


def find_range(first: str, last: str, *, size: int) -> tuple[int, int]:
    """The first byte, and the one after the last, of a range of a file: ``first-last``, ``first-`` or ``-length``."""
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(int(last) + 1, size) if last else size


class FileAnswer(Response):
    """The bytes of a file from ``start`` to before ``end``.

    They are read inline: the files are small and warm, and virtual time forbids threads.
    """

    def __init__(self, path: Path, start: int, end: int, *, status: int, headers: dict[str, str]) -> None:
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        super().__init__(None, status, {**headers, "content-length": str(end - start)}, media_type)
        self._path = path
        self._start = start
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the head and, unless only that is wanted, the bytes."""
        at = self._end if scope["method"] == "HEAD" else self._start
        with self._path.open("rb") as file:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            file.seek(at)
            while at < self._end:
                chunk = file.read(min(CHUNK_BYTES, self._end - at))
                at += len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
