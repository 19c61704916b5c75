"""The result comes to disk: under a name made of the job's own, whole or not at all."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from ..errors import DownloadError, ErrorRecord, KlingError
from ..events import Event, FetchFailed, ResultFetched
from ..models import Job
from .context import Context
from .state import JobState

_UNSAFE = re.compile(r"[^\w.@+-]+")
_LONGEST_NAME = 120
_RESERVED = frozenset({"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)})


def result_name(job: Job) -> PurePosixPath:
    """Where the job's file goes below the download folder: its ``output``, else its key made safe for a file's name.

    Two keys never share a name: one that had to be changed carries a digest of the key.
    """
    return PurePosixPath(name_of_result(job.key, job.output))


def name_of_result(key: str, output: str | None) -> str:
    """The same as text; an ``output`` is written as a path is: ``a.mp4`` for ``./a.mp4``."""
    if output is not None:
        return str(PurePosixPath(output))
    safe = _UNSAFE.sub("_", key).strip("._")[:_LONGEST_NAME]
    if safe != key or safe.lower().partition(".")[0] in _RESERVED:
        safe = f"{safe}-{hashlib.sha256(key.encode()).hexdigest()[:8]}".lstrip("-")
    return f"{safe}.mp4"


def result_path(folder: Path, job: Job) -> Path:
    """The file of the job's result. Raises ``DownloadError`` where it would lie outside ``folder``."""
    path = folder / result_name(job)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DownloadError(f"the output {job.output!r} of job {job.key!r} lies outside the download folder {folder}")
    return path


async def fetch(context: Context, job: Job, state: JobState) -> Event:
    """Downloads the video of a task that succeeded; a failure leaves the task as it is, to be fetched by a later
    run.
    """
    folder = context.settings.download_to
    if folder is None or state.task is None:
        raise LookupError(f"job {job.key!r} has nothing to fetch, or nowhere to put it")
    try:
        path = result_path(folder, job)
        size = await context.client.download(state.task, path)
    except KlingError as error:
        return FetchFailed(error=ErrorRecord.of(error))
    return ResultFetched(file=path, size=size)
