"""Files as HTTP answers: whole or one range of them, with a length and an entity tag."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

CHUNK_BYTES = 256 * 1024
RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def file_answer(path: Path, request: Request) -> Response:
    """The answer to a GET or HEAD of a file; honours one ``Range``, unless ``If-Range`` names another file.

    Several ranges in one header, and units other than bytes, are answered with the whole file.
    """
    about = path.stat()
    tag = '"' + hashlib.sha256(f"{path.name}:{about.st_mtime_ns}:{about.st_size}".encode()).hexdigest()[:32] + '"'
    headers = {"accept-ranges": "bytes", "etag": tag}
    wanted = request.headers.get("range", "")
    if request.headers.get("if-range", tag) != tag:
        wanted = ""
    span = find_range(wanted, about.st_size)
    if span is None:
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{about.st_size}"})
    start, end = span
    if wanted and RANGE.fullmatch(wanted):
        headers["content-range"] = f"bytes {start}-{end - 1}/{about.st_size}"
    headers["content-length"] = str(end - start)
    return StreamingResponse(
        _nothing() if request.method == "HEAD" else _chunks(path, start, end),
        status_code=206 if "content-range" in headers else 200,
        headers=headers,
        media_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
    )


def find_range(header: str, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last of what a ``Range`` header wants; None where there is no such byte."""
    match = RANGE.fullmatch(header)
    if match is None or match.group(0) == "bytes=-":
        return 0, size
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    return (start, end) if start < end else None


async def _chunks(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    # Read inline: the files are small and warm, and virtual time forbids threads.
    with path.open("rb") as file:
        file.seek(start)
        while start < end:
            chunk = file.read(min(CHUNK_BYTES, end - start))
            start += len(chunk)
            yield chunk


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
