"""``kling-lipsync faces``: the faces that Kling finds in videos, as a table and as a contact sheet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from attrs import frozen

from .._checks.addresses import flaw_of_url, shown
from .._report import SeenFace, SeenVideo, contact_sheet
from .._workflow.sessions import video_name
from ..client import KlingClient
from ..coordinator import Coordinator
from ..errors import AccountError, AuthenticationError, ConfigurationError, DownloadError, JournalError, KlingError
from ..models import Face, FaceSession, Video
from ._batch import Batch
from ._console import say_table, tell
from ._exits import Exit
from ._interrupts import interruptible
from ._options import Account, Output
from ._places import refuse_file
from ._selection import Choice, journal_beside
from ._single import state_folder
from ._windows import in_windows

_AT_ONCE = 4
_LARGEST_IMAGE = 1024 * 1024
_GIVING_UP = (AccountError, AuthenticationError, JournalError)
"""Errors that every other video would meet as well."""


@frozen
class _Found:
    """What identify said of a video."""

    session: FaceSession | None = None
    error: KlingError | None = None

    @property
    def faces(self) -> Sequence[Face]:
        """By start time, as ``index:N`` counts them."""
        faces = self.session.faces if self.session else ()
        return sorted(faces, key=lambda face: (face.interval.start_ms, len(face.face_id), face.face_id))


async def faces(
    jobs: Path | None = None,
    /,
    *,
    video: str | None = None,
    sheet: Path | None = None,
    journal: Path | None = None,
    choice: Choice = Choice(),
    account: Account = Account(),
    output: Output = Output(),
) -> int:
    """Finds the faces of videos (0.05 unit each, kept in the journal for 23 h), and writes them as a table to stdout.

    Exit status: 0 each video has a face, 1 some have none or could not be looked at, 2 nothing was sent, 3
    the account may not.

    Parameters
    ----------
    jobs
        The manifest whose videos to look at.
    video
        One video's URL, instead of a manifest.
    sheet
        Write a contact sheet with the faces' pictures to this HTML file.
    journal
        Default: the manifest's name + .journal; for one video a file in your state folder.
    """
    output.set_up()
    _refuse_wrong(jobs, video, sheet)
    client = account.client()
    if jobs is not None:
        videos = _videos(job.video for job in choice.of(jobs))
        journal = journal or journal_beside(jobs)
    else:
        videos = iter([Video.from_url(video or "")])
        journal = journal or _journal_of(client, video or "")
    status: int = Exit.UNSUCCESSFUL
    async with interruptible() as interruption:
        status = await _show(client, videos, journal, sheet)
    return interruption.exit or status


def _refuse_wrong(jobs: Path | None, video: str | None, sheet: Path | None) -> None:
    if (jobs is None) == (video is None):
        raise ConfigurationError("give either a manifest or --video")
    if video is not None and (flaw := flaw_of_url(video)) is not None:
        raise ConfigurationError(f"--video {shown(video)} {flaw}: Kling takes no uploads, give the URL of a video")
    if sheet is not None:
        refuse_file("--sheet", sheet)


def _videos(videos: Iterable[Video]) -> Iterator[Video]:
    """Each video once."""
    seen: set[str] = set()
    for video in videos:
        if video_name(video) not in seen:
            seen.add(video_name(video))
            yield video


def _journal_of(client: KlingClient, url: str) -> Path:
    inputs = f"{client.gateway.name}\n{client.gateway.base_url}\n{video_name(Video.from_url(url))}"
    return state_folder() / f"faces-{hashlib.sha256(inputs.encode()).hexdigest()[:16]}.journal"


async def _show(client: KlingClient, videos: Iterator[Video], journal: Path, sheet: Path | None) -> int:
    rows: list[tuple[str, str, str, str]] = []
    pages: list[SeenVideo] = []
    whole = True
    async with client, Batch().coordinator(client, journal=journal) as coordinator:
        async for window in in_windows(partial(_find, coordinator), videos, _AT_ONCE):
            for video, found in window:
                rows += _rows(video, found)
                whole = whole and bool(found.faces)
                if sheet is not None:
                    pages.append(await _page(client, video, found))
    say_table(("VIDEO", "FACE", "ID", "SEEN"), rows)
    if sheet is not None:
        whole = _written(sheet, contact_sheet(pages)) and whole
    return Exit.SUCCEEDED if whole else Exit.UNSUCCESSFUL


async def _find(coordinator: Coordinator, video: Video) -> _Found:
    try:
        return _Found(session=await coordinator.faces(video))
    except _GIVING_UP:
        raise
    except KlingError as error:
        tell(f"{_told(video)}: {error}")
        return _Found(error=error)


def _rows(video: Video, found: _Found) -> Iterator[tuple[str, str, str, str]]:
    for number, face in enumerate(found.faces):
        seen = f"{face.interval.start_ms}-{face.interval.end_ms} ms"
        yield _told(video), f"index:{number}", f"id:{face.face_id}", seen
    if not found.faces:
        yield _told(video), "none", "-", "-"


def _told(video: Video) -> str:
    """The video without what signs its URL."""
    return video_name(video)


async def _page(client: KlingClient, video: Video, found: _Found) -> SeenVideo:
    faces = [SeenFace(number, face, await _image(client, face)) for number, face in enumerate(found.faces)]
    return SeenVideo(_told(video), tuple(faces), None if found.error is None else str(found.error))


async def _image(client: KlingClient, face: Face) -> bytes | None:
    """The face's picture, or ``None`` where it cannot be had whole."""
    if face.image_url is None:
        return None
    try:
        image, size = await client.read_range(face.image_url, 0, _LARGEST_IMAGE)
    except DownloadError as error:
        tell(f"the picture of face {face.face_id} cannot be fetched: {error}")
        return None
    return image if size in (None, len(image)) else None


def _written(sheet: Path, page: str) -> bool:
    try:
        sheet.write_text(page, "utf-8")
    except OSError as error:
        tell(f"--sheet {sheet}: {error.strerror}; the faces are kept in the journal: run it again")
        return False
    return True
