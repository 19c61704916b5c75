"""The media that requests name: found, fetched, measured and searched for faces, each content once."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import anyio
import httpx
from attrs import define, field

from kling_lipsync.sandbox.faces import find_faces
from kling_lipsync.sandbox.model import Sound, SoundFacts, Stretch, VideoFacts
from kling_lipsync.sandbox.naming import content_key
from kling_lipsync.sandbox.probe import SOUND_BYTES, VIDEO_BYTES, read_sound, read_video
from kling_lipsync.sandbox.refusals import wrong
from kling_lipsync.sandbox.settings import Settings
from kling_lipsync.sandbox.shelf import Once, Recipe, Shelf
from kling_lipsync.sandbox.signing import Links

T = TypeVar("T")

SAMPLES = Path(__file__).parent / "samples"
SAMPLE_VIDEO = SAMPLES / "one-face.mp4"
SAMPLE_SOUND = SAMPLES / "speech.mp3"
FETCH_SECONDS = 30.0


class FetchFailed(Exception):
    """A URL could not be fetched."""


class Fetch(Protocol):
    """How a URL of somebody else's is read."""

    async def __call__(self, url: str, into: Path, most_bytes: int) -> None:
        """Writes what is at ``url`` into a file.

        Raises:
            FetchFailed: it cannot be had in time, or is longer than ``most_bytes``.
        """


async def fetch_by_http(url: str, into: Path, most_bytes: int) -> None:
    """`Fetch` by httpx, within 30 seconds."""
    size = 0
    try:
        with anyio.fail_after(FETCH_SECONDS):
            async with httpx.AsyncClient(follow_redirects=True) as client, client.stream("GET", url) as response:
                response.raise_for_status()
                with into.open("wb") as file:
                    async for chunk in response.aiter_bytes():
                        size += len(chunk)
                        if size > most_bytes:
                            raise FetchFailed(f"longer than {most_bytes} bytes")
                        file.write(chunk)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise FetchFailed(str(error) or type(error).__name__) from error


@define(kw_only=True)
class Studio:
    """Everything that touches media files."""

    settings: Settings
    clock: Callable[[], float]
    links: Links
    fetch: Fetch = fetch_by_http
    shelf: Shelf = field(init=False)
    recipes: dict[str, Recipe] = field(factory=dict, init=False)
    _facts: Once = field(factory=partial(Once, 10_000), init=False)

    @shelf.default
    def _shelf(self) -> Shelf:
        return Shelf(self.settings.cache_bytes, threads=self.settings.threads)

    # Files that the sandbox serves

    def media(self, name: str) -> Path | None:
        """The file of this name under ``/media/``: one of the user's, or a sample."""
        if name != Path(name).name:
            return None
        directories = [self.settings.media] if self.settings.media is not None else []
        return next((path for each in [*directories, SAMPLES] if (path := each / name).is_file()), None)

    def offer(self, name: str, recipe: Recipe) -> None:
        """Makes a file known under ``/results/``; it is made when somebody asks for it."""
        self.recipes[name] = recipe
        while len(self.recipes) > 3 * self.settings.keep_tasks:
            del self.recipes[next(iter(self.recipes))]

    async def result(self, name: str) -> Path | None:
        """The file of this name under ``/results/``, or None before its time, after it and for unknown names."""
        recipe = self.recipes.get(name)
        if recipe is None or not recipe.ready_at <= self.clock() < recipe.gone_at:
            return None
        try:
            return await self.shelf.get(recipe.file, recipe.make)
        except FileNotFoundError:  # what it would be made from has had to go
            return None

    # Media of requests

    async def video_file(self, url: str, origin: str) -> Path:
        """The video at a URL, as a file.

        Raises:
            Refused: 1201, where it cannot be had.
        """
        return await self._file(url, origin, "video_url", VIDEO_BYTES, SAMPLE_VIDEO)

    async def sound_file(self, url: str, origin: str) -> Path:
        """The sound at a URL, as a file.

        Raises:
            Refused: 1201, where it cannot be had.
        """
        return await self._file(url, origin, "sound_file", SOUND_BYTES, SAMPLE_SOUND)

    async def inline_sound(self, data: bytes) -> Path:
        """Bytes that came in a request, as a file."""
        return await self.shelf.get("sound-" + hashlib.sha256(data).hexdigest(), partial(_write, data))

    async def video_facts(self, path: Path) -> VideoFacts:
        """What was measured of a video.

        Raises:
            Refused: 1201, where it cannot be read.
        """
        return await self._once("facts", path, partial(read_video, path))

    async def stretches(self, path: Path, duration_ms: int) -> tuple[Stretch, ...]:
        """Who is seen in a video.

        Raises:
            Refused: 1201, where its picture cannot be decoded; 5000, where nothing here finds faces.
        """
        return await self._once("faces", path, partial(find_faces, path, duration_ms))

    async def sound(self, path: Path) -> Sound:
        """A sound file, measured.

        Raises:
            Refused: 1201, where it is not one.
        """
        facts: SoundFacts = await self._once("sound", path, partial(read_sound, path))
        return Sound(path=path, facts=facts)

    async def _once(self, kind: str, path: Path, work: Callable[[], T]) -> T:
        return await self._facts.get(f"{kind}:{content_key(path)}", partial(self.shelf.run, work))

    async def _file(self, url: str, origin: str, label: str, most_bytes: int, sample: Path) -> Path:
        try:
            if url.startswith(origin + "/"):
                return await self._own_file(url)
            return await self._fetched(url, most_bytes)
        except FetchFailed as error:
            if self.settings.stand_in:
                return sample
            raise wrong(f"{label}: the file cannot be downloaded ({error})") from error

    async def _own_file(self, url: str) -> Path:
        parts = urlsplit(url)
        kind, _, name = unquote(parts.path).lstrip("/").partition("/")
        path = None
        if kind == "media":
            path = self.media(name)
        elif kind == "results" and self.links.opens(name, parse_qs(parts.query), self.clock()):
            path = await self.result(name)
        if path is None:
            raise FetchFailed("no such file")
        return path

    async def _fetched(self, url: str, most_bytes: int) -> Path:
        draft = self.shelf.path(f"fetch-{uuid.uuid4().hex}")
        try:
            await self.fetch(url, draft, most_bytes)
            digest = await self.shelf.run(partial(_digest, draft))
            return self.shelf.keep(draft, f"fetched-{digest}")
        finally:
            draft.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(data: bytes, into: Path) -> None:
    into.write_bytes(data)
