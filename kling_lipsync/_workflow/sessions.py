"""Identify once: one face session per video for as long as it lives, shared by all jobs on that video."""

from __future__ import annotations

from collections import OrderedDict
from urllib.parse import urlsplit, urlunsplit

import anyio.abc

from ..abc import Clock, Journal
from ..client import KlingClient
from ..models import FaceSession, Video
from .flights import Flights

LIFE = 23 * 3600.0
"""Seconds: older Kling documents promise 24 h, less a margin of one."""

_REMEMBERED = 256
"""So many videos are remembered whose sessions were told or looked up lately."""

Kept = tuple[FaceSession, float]
"""A session, and the Unix time it was made."""


def video_name(video: Video) -> str:
    """What makes two videos the same: the id, or the URL without what signs it."""
    return f"id:{video.id}" if video.url is None else lasting_url(video.url)


def lasting_url(url: str) -> str:
    """The URL without the parameters that sign it, which change while the file stays the same."""
    if "?" not in url and "#" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, _lasting(parts.query), ""))


SIGNING = frozenset(
    {
        *("signature", "sign", "expires", "policy", "key-pair-id", "security-token", "auth_key", "hdnts"),
        *("awsaccesskeyid", "ossaccesskeyid", "googleaccessid"),
    }
)
SIGNING_BEGINS = ("x-amz-", "x-goog-", "x-oss-", "x-cos-", "q-sign-", "q-key-", "q-header-", "q-url-param-", "q-ak")
SHARED_ACCESS = frozenset(
    {"sv", "sr", "se", "sp", "st", "sig", "spr", "sip", "skoid", "sktid", "skt", "ske", "sks", "skv"}
)
"""Query parameters by which the common object stores sign a URL. Any other may name the file, and so makes another."""


def _lasting(query: str) -> str:
    parts = list(filter(None, query.split("&")))
    signing = SIGNING | SHARED_ACCESS if {"sig", "sv"} <= {_name(part) for part in parts} else SIGNING
    return "&".join(part for part in parts if not _signs(_name(part), signing))


def _signs(name: str, signing: frozenset[str]) -> bool:
    return name in signing or name.startswith(SIGNING_BEGINS)


def _name(part: str) -> str:
    return part.partition("=")[0].lower()


class Sessions:
    """The face sessions of an account: kept in its journal, and asked for once however many jobs want one at a time."""

    def __init__(self, client: KlingClient, journal: Journal, clock: Clock, group: anyio.abc.TaskGroup) -> None:
        self._client = client
        self._journal = journal
        self._clock = clock
        self._group = group
        self._flights: Flights[tuple[FaceSession, float, bool]] = Flights(group)
        self._recent: OrderedDict[str, Kept] = OrderedDict()
        self._absent: set[str] = set()

    def fresh(self, made_at: float) -> bool:
        """Whether a session made at that Unix time is surely alive still."""
        return self._clock.wall() - made_at < LIFE

    def note(self, name: str, kept: Kept | None) -> None:
        """What the journal kept for the video of that name a moment ago, as a job was admitted: one look is spared."""
        if kept is not None:
            self._remember(name, kept)
        elif name not in self._recent and len(self._absent) < _REMEMBERED:
            self._absent.add(name)

    async def kept(self, video: Video, not_before: float = 0.0) -> Kept | None:
        """The video's session from the journal and the Unix time it was made, where it is alive.

        One made at ``not_before`` or earlier does not count: Kling no longer knows it.
        """
        name = video_name(video)
        told = self._alive(self._recent.get(name), not_before)
        if told is None and name not in self._absent:
            told = self._alive(await self._journal.session(name), not_before)
        self._absent.discard(name)  # it was noted for one look
        return told

    def would_send(self, video: Video) -> bool:
        """Whether ``ask``, called now, would set off a call of its own rather than share another's."""
        return not self._flights.aloft(video_name(video))

    async def get(self, video: Video) -> FaceSession:
        """The video's session, kept or asked for. Raises what identify raises; a call that fails is not repeated."""
        kept = self._alive(await self._journal.session(video_name(video)), 0.0)
        return kept[0] if kept is not None else (await self.ask(video))[0]

    async def ask(self, video: Video, not_before: float = 0.0) -> tuple[FaceSession, float, bool]:
        """The session of a video for which a moment ago none was ``kept``, the Unix time it was made, and whether this
        caller's call to Kling made it.

        Raises what identify raises; a call that fails is not repeated here.
        """
        (session, made_at, asked), leads = await self._flights.share(
            video_name(video), lambda: self._find(video, not_before)
        )
        return session, made_at, asked and leads

    async def _find(self, video: Video, not_before: float) -> tuple[FaceSession, float, bool]:
        name = video_name(video)
        told = self._alive(self._recent.get(name), not_before)
        if told is not None:
            return *told, False
        made_at = self._clock.wall()
        session = await self._client.without_repeats().identify_faces(video)
        self._remember(name, (session, made_at))
        # Beside the facts of the jobs that wait for it, so that all are written together.
        self._group.start_soon(self._journal.keep_session, name, session, made_at)
        return session, made_at, True

    def _alive(self, kept: Kept | None, not_before: float) -> Kept | None:
        return kept if kept is not None and kept[1] > not_before and self.fresh(kept[1]) else None

    def _remember(self, name: str, kept: Kept) -> None:
        self._recent[name] = max(kept, self._recent.get(name, kept), key=lambda each: each[1])
        self._recent.move_to_end(name)
        self._absent.discard(name)
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
