"""A contact sheet: the faces of many videos on one HTML page, with the rule that chooses each."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from html import escape

from attrs import frozen

from ..models import Face
from .page import whole_page

_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #1d2430; background: #f6f7f9; }
h2 { font-size: 1rem; overflow-wrap: anywhere; margin: 2rem 0 .5rem; }
ul { display: flex; flex-wrap: wrap; gap: 1rem; list-style: none; margin: 0; padding: 0; }
li { background: #fff; border: 1px solid #d9dde4; border-radius: 8px; padding: .75rem; width: 11rem; }
img, .none { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 4px; background: #e6e9ee; }
code { background: #eef1f5; border-radius: 3px; padding: 0 .25em; }
.error { color: #a3201d; }
@media (prefers-color-scheme: dark) {
  body { color: #e4e8ee; background: #14181f; } li { background: #1d232d; border-color: #333c4a; }
  code, img, .none { background: #2a323f; } .error { color: #ff8f8a; }
}
"""

_MEDIA_TYPES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"RIFF", "image/webp"))


@frozen
class SeenFace:
    """A face and its picture's bytes, if there are any; ``number`` counts a video's faces by start time, from 0."""

    number: int
    face: Face
    image: bytes | None = None


@frozen
class SeenVideo:
    """A video by its URL or id, and its faces, or what kept them from being found."""

    name: str
    faces: tuple[SeenFace, ...] = ()
    error: str | None = None


def contact_sheet(videos: Iterable[SeenVideo]) -> str:
    """The page, whole: styles and pictures are in it, no script, nothing to be fetched."""
    body = "\n".join(_video(video) for video in videos)
    return whole_page("Faces", _STYLE, f"<h1>Faces</h1>\n{body}")


def _video(video: SeenVideo) -> str:
    head = f"<h2>{escape(video.name)}</h2>"
    if video.error is not None:
        return f'{head}\n<p class="error">{escape(video.error)}</p>'
    if not video.faces:
        return f'{head}\n<p class="error">no face was found</p>'
    return f"{head}\n<ul>\n{''.join(_face(seen) for seen in video.faces)}</ul>"


def _face(seen: SeenFace) -> str:
    face, interval = seen.face, seen.face.interval
    return (
        f"<li>{_picture(seen)}<code>index:{seen.number}</code> or <code>id:{escape(face.face_id)}</code><br>"
        f"{interval.start_ms}&ndash;{interval.end_ms} ms</li>\n"
    )


def _picture(seen: SeenFace) -> str:
    image = seen.image or b""
    kind = next((kind for magic, kind in _MEDIA_TYPES if image.startswith(magic)), None)
    if kind is None:
        return '<span class="none"></span>'
    return f'<img alt="face {seen.number}" src="data:{kind};base64,{b64encode(image).decode("ascii")}">'
