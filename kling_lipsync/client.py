"""One typed method per endpoint of a gateway; the only place that joins protocol and transport."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
import httpx
from attrs import evolve

from . import _protocol as protocol
from ._protocol import Call, Credentials, OneStepOrder, Order, TaskPage
from ._transport import GcraPacer, HttpTransport, SystemClock, retry_delays, wait_before_retry
from .abc import Clock, Pacer, Response, Transport
from .errors import (
    AnswerLost,
    APIError,
    AuthenticationError,
    ConfigurationError,
    DownloadError,
    InvalidRequest,
    KlingError,
    NotSent,
)
from .gateways import Gateway, credentials_from_env, load_gateway
from .models import Audio, FaceSession, Plan, ResourcePack, Speech, SpokenAudio, Task, TaskStatus, Video
from .policies import RetryPolicy, Timeouts

logger = logging.getLogger("kling_lipsync")
T = TypeVar("T")

LARGEST_PAGE = 500
_ONCE = RetryPolicy(tries=1)


def repeats(error: KlingError, call: Call[Any]) -> bool:
    """The one rule of repeats: what may pass by itself, and either costs nothing or surely was not carried out."""
    return error.transient and (call.repeatable or not error.may_have_acted)


class _Caller:
    """Carries calls: signs, paces, sends, reads, and repeats what may be repeated."""

    def __init__(
        self, gateway: Gateway, credentials: Credentials, transport: Transport, clock: Clock, timeouts: Timeouts
    ) -> None:
        self.gateway = gateway
        self.credentials = credentials
        self.transport = transport
        self.clock = clock
        self.skew: float | None = None
        self._timeouts = timeouts
        self._not_before = 0.0

    async def call(self, call: Call[T], retry: RetryPolicy, pacer: Pacer) -> T:
        delays: Iterator[float] | None = None
        for tried in range(1, retry.tries + 1):
            try:
                return await self._signed(call, pacer)
            except KlingError as error:
                if tried == retry.tries or not repeats(error, call):
                    raise
                delays = delays or retry_delays(retry)
                wait = wait_before_retry(next(delays), getattr(error, "retry_after", None))
                logger.info("%s failed, again in %.1f s: %s", call.name, wait, error)
                await anyio.sleep(wait)
        raise AssertionError("unreachable: the last try returns or raises")

    async def _signed(self, call: Call[T], pacer: Pacer) -> T:
        """One try; a token that has died is signed anew, once: it was refused, so nothing was carried out."""
        try:
            return await self._once(call, pacer, self.credentials.authorization(self._server_now()))
        except AuthenticationError as error:
            if error.code not in protocol.STALE_TOKEN_CODES:
                raise
            return await self._once(call, pacer, self.credentials.fresh(self._server_now()))

    async def _once(self, call: Call[T], pacer: Pacer, authorization: str) -> T:
        await self._hold()
        await pacer.wait()
        request = protocol.write_request(
            call,
            base_url=self.gateway.base_url,
            authorization=authorization,
            read_timeout=getattr(self._timeouts, _TIMEOUTS.get(call.name, "query")),
        )
        try:
            response = await self.transport.send(request)
        except KlingError:
            raise
        except Exception as error:
            raise AnswerLost(f"{call.name}: the transport failed with {type(error).__name__}") from error
        self._note_time(response)
        try:
            return protocol.read_answer(call, response, self._server_now(), secret=authorization)
        except APIError as error:
            if error.retry_after:
                self._not_before = self.clock.monotonic() + error.retry_after
            raise

    async def _hold(self) -> None:
        """Waits as long as the gateway has asked for: a Retry-After holds every request, not only the one refused."""
        while (wait := self._not_before - self.clock.monotonic()) > 0:  # noqa: ASYNC110 - time is all it waits for
            await anyio.sleep(wait)

    def _note_time(self, response: Response) -> None:
        """Learns the server's clock, by which tokens are dated and lists are read."""
        told = protocol.server_time(response)
        if told is not None:
            self.skew = told - self.clock.wall()

    def _server_now(self) -> float:
        return self.clock.wall() + (self.skew or 0.0)


_TIMEOUTS: Mapping[str, str] = {"identify": "identify", "create": "create", "speech": "speech"}
"""The time-out of each call that has one of its own in ``Timeouts``."""


class _Connection:
    """One account at one gateway: its profile, its key, its pace, and the connections."""

    def __init__(
        self,
        gateway: Gateway | str = "official",
        *,
        api_key: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        base_url: str | None = None,
        allow_http: bool = False,
        http: httpx.AsyncClient | httpx.AsyncBaseTransport | None = None,
        retry: RetryPolicy = RetryPolicy(),
        timeouts: Timeouts = Timeouts(),
        requests_per_second: float | None = 10.0,
        clock: Clock | None = None,
        threads: bool = True,
    ) -> None:
        profile = (
            gateway if isinstance(gateway, Gateway) else load_gateway(gateway, base_url=base_url, allow_http=allow_http)
        )
        if profile is gateway and base_url is not None:
            raise ConfigurationError("give base_url with a gateway's name, or in the Gateway, not both")
        credentials = protocol.make_credentials(api_key=api_key, access_key=access_key, secret_key=secret_key)
        self.clock: Clock = clock or SystemClock()
        self.retry = retry
        self.threads = threads
        self._http = HttpTransport(http, timeouts=timeouts)
        self._caller = _Caller(profile, credentials, self._http, self.clock, timeouts)
        self._pacer: Pacer = GcraPacer(requests_per_second, self.clock)

    @classmethod
    def from_env(
        cls,
        gateway: Gateway | str | None = None,
        *,
        base_url: str | None = None,
        environ: Mapping[str, str] | None = None,
        allow_http: bool = False,
        **options: Any,  # noqa: ANN401 - the rest of the constructor's keywords
    ) -> Self:
        """A client with the keys of the environment; arguments win over ``KLING_GATEWAY`` and ``KLING_BASE_URL``.

        Raises ``ConfigurationError`` naming every variable tried.
        """
        environ = os.environ if environ is None else environ
        profile = _profile_from(environ, gateway, base_url, allow_http)
        return cls(profile, **_as_arguments(credentials_from_env(profile, environ)), **options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections that the client opened itself."""
        await self._http.aclose()

    @property
    def gateway(self) -> Gateway:
        """The gateway's profile."""
        return self._caller.gateway

    @property
    def account(self) -> str:
        """What names the account without its key: gateway, base URL, and a digest of the credential's id."""
        return f"{self.gateway.name} {self.gateway.base_url} {self._caller.credentials.identity}"

    @property
    def clock_skew(self) -> float:
        """Seconds by which the server's clock is ahead of this machine's, as the last answer told; 0 before the
        first.
        """
        return self._caller.skew or 0.0

    @property
    def server_time(self) -> float | None:
        """Unix time on the server's clock, or ``None`` before its first answer."""
        skew = self._caller.skew
        return None if skew is None else self.clock.wall() + skew

    def paced_by(self, pacer: Pacer) -> Self:
        """The same client, its requests paced by ``pacer``."""
        twin = copy.copy(self)
        twin._pacer = pacer
        return twin

    def without_repeats(self) -> Self:
        """The same client, sending each request once."""
        twin = copy.copy(self)
        twin.retry = _ONCE
        return twin

    async def _call(self, call: Call[T]) -> T:
        return await self._caller.call(call, self.retry, self._pacer)

    async def _fetch(self, url: str, path: Path) -> int:
        return await self._http.download(url, path, threads=self.threads)


class KlingClient(_Connection):
    """One account at one gateway: every endpoint as a method that returns a model or raises a ``KlingError``.

    ``gateway`` is a name ("official", "official-cn", "cometapi", "chainhub", "yuto", "ezmodel", "custom"), a TOML file,
    or a ``Gateway``; ``base_url`` replaces its whole base. Give ``api_key``, or ``access_key`` and ``secret_key``; only
    ``from_env`` reads the environment. ``http`` is your own ``httpx.AsyncClient`` or transport; it is borrowed, not
    closed. Requests that may be repeated are, as ``retry`` says; a create is sent again only where Kling surely has not
    acted. Raises ``ConfigurationError`` for what cannot work.
    """

    async def identify_faces(self, video: Video) -> FaceSession:
        """The faces of a video, with the session that tasks on it need (24 h). May cost 0.05 unit; some 15 s."""
        return await self._call(protocol.identify_face(self.gateway.dialect, video))

    async def create_task(
        self,
        session: FaceSession,
        face_id: str,
        audio: Audio,
        plan: Plan,
        *,
        sound_volume: float = 1.0,
        original_audio_volume: float = 1.0,
        watermark: bool = False,
        external_task_id: str | None = None,
        callback_url: str | None = None,
    ) -> Task:
        """Buys a lip-sync task; returns as soon as Kling has taken it.

        Nothing is checked here, and nothing is remembered: ``Coordinator`` does both. Raises ``AnswerLost``,
        ``ServerError`` or ``ProtocolError`` where the task may have been created and paid: look for it before creating
        it again.
        """
        order = Order(
            session_id=session.session_id,
            face_id=face_id,
            sound=sound_from(audio),
            plan=plan,
            sound_volume=sound_volume,
            original_audio_volume=original_audio_volume,
            watermark=watermark,
            external_task_id=external_task_id,
            callback_url=callback_url,
        )
        return await self.create_ordered_task(order)

    async def create_ordered_task(self, order: Order | OneStepOrder) -> Task:
        """Buys what ``order`` says. Raises like ``create_task``."""
        dialect = self.gateway.dialect
        if isinstance(order, OneStepOrder):
            return await self._call(protocol.create_one_step(dialect, order))
        return await self._call(protocol.create_task(dialect, order))

    async def get_task(self, task_id: str) -> Task:
        """A task as it stands, by Kling's id, or by the external id where the gateway finds those."""
        dialect = self.gateway.dialect
        try:
            return _told(await self._call(protocol.get_task(dialect, task_id)))
        except InvalidRequest as error:
            if not protocol.no_such_resource(error):
                raise
            for elsewhere in protocol.get_task_elsewhere(dialect, task_id):
                return _told(await self._call(elsewhere))
            raise

    async def list_page(self, page: int = 1, size: int = LARGEST_PAGE) -> Sequence[Task]:
        """One page of the account's tasks: ``page`` 1 to 1000, ``size`` 1 to 500; newest first, as it seems."""
        return (await self.task_page(page, size)).tasks()

    async def task_page(self, page: int = 1, size: int = LARGEST_PAGE) -> TaskPage:
        """The page that ``list_page`` gives, each of its tasks read once it is asked for."""
        found = await self._call(protocol.list_tasks(self.gateway.dialect, page, size))
        return evolve(found, task=lambda place: _told(found.task(place)))

    async def list_tasks(self) -> AsyncIterator[Task]:
        """All of the account's tasks, page by page. A task that starts meanwhile may shift another into view twice."""
        for page in range(1, 1001):
            tasks = await self.list_page(page)
            for task in tasks:
                yield task
            if len(tasks) < LARGEST_PAGE:
                return

    async def speak(self, speech: Speech) -> SpokenAudio:
        """The text as Kling speaks it, kept there for 30 days. May cost 0.05 unit."""
        return await self._call(protocol.speak(self.gateway.dialect, speech))

    async def account_costs(self, start_ms: int, end_ms: int) -> Sequence[ResourcePack]:
        """The resource packs between two Unix times in ms; ask at most once a second. What remains lags by 12 h."""
        return await self._call(protocol.account_costs(self.gateway.dialect, start_ms, end_ms))

    async def download(self, task: Task, path: str | Path) -> int:
        """Fetches the video of a task that succeeded to ``path``, whole or not at all; returns its size in bytes.

        A link that has died is asked for again, once. Raises ``DownloadError``.
        """
        if task.video_url is not None:
            try:
                return await self._fetch(task.video_url, Path(path))
            except DownloadError as error:
                if not error.expired:
                    raise
        fresh = await self.get_task(task.task_id)
        if fresh.video_url is None:
            raise DownloadError(f"task {task.task_id} has no video at Kling any more: results are kept for 30 days")
        return await self._fetch(fresh.video_url, Path(path))

    async def read_range(self, url: str, start: int, length: int) -> tuple[bytes, int | None]:
        """``length`` bytes of a remote file from ``start`` on, and its size; no key goes with it.

        Raises ``DownloadError``.
        """
        return await self._http.read_range(url, start, length)


def _profile(gateway: Gateway | str, base_url: str | None, allow_http: bool) -> Gateway:
    if not isinstance(gateway, Gateway):
        return load_gateway(gateway, base_url=base_url, allow_http=allow_http)
    if base_url is not None:
        raise ConfigurationError("give base_url with a gateway's name, or in the Gateway, not both")
    return gateway


def _profile_from(
    environ: Mapping[str, str], gateway: Gateway | str | None, base_url: str | None, allow_http: bool
) -> Gateway:
    name = gateway or environ.get("KLING_GATEWAY") or "official"
    if isinstance(name, Gateway):
        return _profile(name, base_url, allow_http)
    return _profile(name, base_url or environ.get("KLING_BASE_URL") or None, allow_http)


def _told(task: Task) -> Task:
    """Warns of a state that no document has; the task counts as running."""
    word = protocol.unknown_status(task.raw) if task.status is TaskStatus.PROCESSING else None
    if word is not None:
        logger.warning("task %s has the unknown status %r, taken as still running", task.task_id, word)
    return task


def _as_arguments(credentials: Credentials) -> dict[str, Any]:
    if isinstance(credentials, protocol.ApiKey):
        return {"api_key": credentials.key}
    return {"access_key": credentials.access_key, "secret_key": credentials.secret_key}


def sound_from(audio: Audio) -> protocol.Sound:
    """A sound as a create sends it; a file is read as it is sent. Raises ``NotSent`` for a file that cannot be read."""
    if audio.id is not None:
        return protocol.AudioId(audio.id)
    if audio.url is not None:
        return protocol.SoundUrl(audio.url)
    if audio.path is not None:
        return _sound_file(audio.path)
    return protocol.SoundData.from_bytes(audio.data or b"")


def _sound_file(path: Path) -> protocol.SoundData:
    try:
        return protocol.SoundData(path.stat().st_size, lambda: path.open("rb"))
    except OSError as error:
        raise NotSent(f"the sound {path} cannot be read: {error.strerror or error}") from error
