"""The transport: one client and its connections for requests, downloads and looks into remote files."""

from __future__ import annotations

from pathlib import Path

import httpx

from ..abc import Request, Response
from ..policies import Timeouts
from .failures import UnreadableAnswer, failure, place_of
from .incoming import read_answer
from .links import LARGEST, LinkOpener
from .outgoing import Outgoing
from .patience import Patience
from .postponed import postponed
from .ways import ClientWay, Way

_WHOLE_ANSWER = 2
"""An answer may take this many times its read time-out as a whole."""


class HttpTransport:
    """Carries requests over httpx (a ``kling_lipsync.abc.Transport``), and fetches files without the key.

    ``http`` is the caller's own client or transport; it is borrowed, never closed, and its ``auth`` and
    ``Authorization`` are not used. By default there is a pool of our own, opened with the first request, with the
    proxies of the environment and at most ``connections`` connections (``None``: as many as requests).
    """

    def __init__(
        self,
        http: httpx.AsyncClient | httpx.AsyncBaseTransport | None = None,
        *,
        timeouts: Timeouts,
        connections: int | None = None,
    ) -> None:
        self._owned = http is None
        client = httpx.AsyncClient(transport=http) if isinstance(http, httpx.AsyncBaseTransport) else http
        self._way: Way | None = ClientWay(client) if client else None
        self._timeouts = timeouts
        self._connections = connections

    async def send(self, request: Request) -> Response:
        """The answer, whatever its status, decoded; redirects are not followed.

        ``request.read_timeout`` bounds the wait for each piece of the answer, twice as much the whole answer. Raises
        ``NotSent`` where the request surely did not leave whole, and ``AnswerLost`` for anything else.
        """
        with Patience(request.read_timeout * _WHOLE_ANSWER) as patience:
            outgoing = Outgoing(request.body, patience.start)
            try:
                return await self._exchange(request, outgoing, patience)
            except Exception as error:
                told = outgoing.unsendable or error
                raise failure(told, place_of(request.url), left=outgoing.left) from error
        late = UnreadableAnswer(f"it was not complete after {request.read_timeout * _WHOLE_ANSWER:g} s")
        raise failure(late, place_of(request.url), left=outgoing.left)

    async def download(
        self, url: str, path: Path, *, largest: int = LARGEST, expected: int | None = None, threads: bool = True
    ) -> int:
        """Writes the file at ``url`` to ``path``, whole or not at all, and gives its size in bytes.

        Folders are made as needed; a file that is there is replaced. At most ``largest`` bytes are taken, and exactly
        ``expected`` where that is known. A connection that breaks is taken up again from where it broke, where the
        host can do that. ``threads`` moves the disk's work off the event loop.

        Raises ``DownloadError``, whose ``expired`` says that the link is dead (403, 404, 410).
        """
        from .download import Downloader  # many a batch leaves its results where they are

        opener = self._opener(self._timeouts.download)
        downloader = Downloader(opener=opener, patience=self._timeouts.download)
        return await downloader.fetch(url, path, largest=largest, expected=expected, threads=threads)

    async def read_range(self, url: str, start: int, length: int) -> tuple[bytes, int | None]:
        """Up to ``length`` bytes of a remote file from ``start`` on, and the file's size where its host tells it.

        Fewer come at the end of the file, none beyond it. Raises ``DownloadError``.
        """
        from .ranged import read_range  # nor does every batch look into remote files

        within = self._timeouts.query * _WHOLE_ANSWER
        return await read_range(self._opener(self._timeouts.query), url, start, length, within=within)

    async def aclose(self) -> None:
        """Closes the connections that are this transport's own; it opens new ones if it is used again."""
        if self._owned and self._way is not None:
            way, self._way = self._way, None
            await way.client.aclose()

    async def _exchange(self, request: Request, outgoing: Outgoing, patience: Patience) -> Response:
        timeout = self._timeout(request.read_timeout)
        async with self._opened().answered(request, outgoing, timeout) as answer:
            patience.start()
            body = await read_answer(answer, request.largest_answer)
        return Response(status=answer.status, headers=answer.headers, body=body)

    def _opener(self, read: float) -> LinkOpener:
        return LinkOpener(client=self._opened().client, timeout=self._timeout(read))

    def _opened(self) -> Way:
        if self._way is None:
            with postponed("trio"):  # httpcore2 imports it wherever it is installed: 100 ms for nothing on asyncio
                from .straight import own_way  # 30 ms that a caller with a client of its own is spared

            self._way = own_way(self._connections)
        return self._way

    def _timeout(self, read: float) -> httpx.Timeout:
        """Waits for a free connection are no failure: whoever admits requests has counted them."""
        return httpx.Timeout(connect=self._timeouts.connect, read=read, write=self._timeouts.write, pool=None)
