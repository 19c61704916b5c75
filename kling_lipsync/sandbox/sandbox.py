"""The sandbox itself: its app, its faults and its figures."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import anyio
from starlette.types import ASGIApp

from kling_lipsync.sandbox.app import build_app
from kling_lipsync.sandbox.callbacks import Post, post_by_http
from kling_lipsync.sandbox.faults import Faults
from kling_lipsync.sandbox.figures import statistics, task_rows
from kling_lipsync.sandbox.settings import Settings
from kling_lipsync.sandbox.site import Site
from kling_lipsync.sandbox.studio import Fetch, fetch_by_http


class Sandbox:
    """A Kling of our own: an ASGI ``app`` and what can be seen and done behind it.

    ``clock`` gives Unix seconds and ``sleep`` waits for seconds, both for virtual time; ``fetch`` reads the URLs of
    others and ``post`` sends callbacks. All state is in memory, and the same settings and clock give the same world.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        fetch: Fetch = fetch_by_http,
        post: Post = post_by_http,
    ) -> None:
        self.settings = settings or Settings()
        self._site = Site(settings=self.settings, clock=clock, sleep=sleep, fetch=fetch, post=post)
        self.app: ASGIApp = build_app(self._site)

    @property
    def faults(self) -> Faults:
        """The faults in force, to be changed at any time."""
        return self._site.faults

    def stats(self) -> dict[str, Any]:
        """What happened so far; the keys are listed at `kling_lipsync.sandbox.figures.statistics`."""
        return statistics(self._site)

    def tasks(self) -> list[dict[str, Any]]:
        """Every task, as its owner sees it, with its ``account`` and ``family``."""
        return task_rows(self._site)

    async def run_callbacks(self) -> None:
        """Sends callbacks until it is cancelled; a served sandbox does so by itself."""
        await self._site.callbacks.run()

    def close(self) -> None:
        """Removes the temporary files; otherwise they go with the object."""
        self._site.studio.shelf.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
