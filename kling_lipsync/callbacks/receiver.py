"""The receiver: an ASGI app that lets in what is genuine, and wakes those who watch the task it tells of."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from .._protocol import read_callback
from .._transport import SystemClock
from ..abc import Clock
from ..errors import ConfigurationError, ProtocolError
from .asgi import HungUp, Receive, Refused, Scope, Send, answer, header_pairs, last_segment, live, read_body
from .keyring import CallbackRequest, Keyring, SecretsOf
from .replays import Replays
from .signatures import TOLERANCE, Secrets, SignatureInvalid, authenticate, by_name
from .subscribers import Subscriber, Wake

logger = logging.getLogger("kling_lipsync")

LARGEST_BODY = 256 * 1024
"""Bytes; a callback of Kling's has some two thousand."""

_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,}")


def make_token() -> str:
    """A new path token, which nobody can guess."""
    return secrets.token_urlsafe(32)


class CallbackReceiver:
    """An ASGI app for Kling's callbacks; mount it in any server under any path, and give it to ``Coordinator``.

    ``secret`` is the one that Kling's console shows (``whsec_…``); several, while one replaces another; or a function,
    synchronous or not, that finds the secrets of a ``CallbackRequest`` (``None`` where there are none), for many
    tenants; what it raises goes to the server. Signatures, ids and times are checked by the Standard Webhooks
    specification: ``tolerance`` is in seconds on ``clock``. Where callbacks are not signed, a ``token`` (see
    ``make_token``) has to be the last segment of the path; with both, both are checked.

    Answers 200 to what is genuine, whether anybody watches that task or not: a callback is a hint, running tasks are
    looked at in any case, and a sender that was refused would send it again for hours, or stop. An id that was taken
    before gets 200 and wakes nobody. Else: 404 wrong token, 405 no POST, 413 more than ``largest_body`` bytes, 401 not
    shown to be Kling's, 400 tells of no task; the log has the reason at level INFO. Let one event loop serve it;
    those who subscribe may be in others, and several may. It needs no lifespan events.

    Raises ``ConfigurationError`` for a secret or token that protects nothing, and where there is neither.
    """

    def __init__(
        self,
        secret: Secrets | SecretsOf | None = None,
        *,
        token: str | None = None,
        clock: Clock | None = None,
        tolerance: float = TOLERANCE,
        largest_body: int = LARGEST_BODY,
    ) -> None:
        if secret is None and token is None:
            raise ConfigurationError("a CallbackReceiver needs a secret, or a token of callbacks.make_token()")
        self._keyring = Keyring(secret) if secret is not None else None
        self._token = token
        if token is not None and not _TOKEN.fullmatch(token):
            raise ConfigurationError("a callback token needs 16 or more characters: letters, digits and . _ ~ -")
        self._clock = clock or SystemClock()
        self._tolerance = tolerance
        self._largest_body = largest_body
        self._replays = Replays()
        self._subscribers: dict[Subscriber, None] = {}

    @property
    def path_token(self) -> str | None:
        """What has to be the last segment of the path, if anything."""
        return self._token

    def url_below(self, url: str) -> str:
        """The ``callback_url`` for jobs, where this app is reached under ``url``: with the token, if there is one."""
        if self._token is None:
            return url
        parts = urlsplit(url)
        return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{self._token}"))

    def subscribe(self, wake: Wake) -> Callable[[], None]:
        """Has ``wake`` called with the task's id for each genuine callback, until what is given back is called.

        It is called in the event loop in which this was called: at once where that loop serves the request, soon where
        another does. What it raises is logged, never answered to the sender.
        """
        subscriber = Subscriber(wake)
        self._subscribers[subscriber] = None

        def end() -> None:
            subscriber.end()
            self._subscribers.pop(subscriber, None)

        return end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection, as ASGI has it."""
        if scope["type"] == "http":
            await self._respond(scope, receive, send)
        elif scope["type"] == "lifespan":
            await live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
        else:
            raise ValueError(f"a callback does not come over {scope['type']!r}")

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._take(scope, receive)
        except HungUp:
            return
        except Refused as refusal:
            logger.info("a callback was refused with HTTP %d: %s", refusal.status, refusal)
            await answer(send, refusal.status, refusal.reason)
        else:
            await answer(send, 200)

    async def _take(self, scope: Scope, receive: Receive) -> None:
        self._check_token(scope)
        if scope["method"] != "POST":
            raise Refused(405, "callbacks are posted")
        body = await read_body(receive, self._largest_body)
        is_new = await self._check_signature(scope, body)
        try:
            task_id = read_callback(body).task_id
        except ProtocolError as error:
            raise Refused(400, str(error)) from None
        if is_new:
            for subscriber in list(self._subscribers):
                subscriber.tell(task_id)

    def _check_token(self, scope: Scope) -> None:
        if self._token is None:
            return
        given = last_segment(scope).encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._token.encode()):
            raise Refused(404, "there is nothing here")

    async def _check_signature(self, scope: Scope, body: bytes) -> bool:
        """Whether the callback is new, as far as signatures can tell."""
        if self._keyring is None:
            return True
        headers = by_name(header_pairs(scope))
        keys = await self._keyring.keys_for(CallbackRequest(path=scope["path"], headers=headers))
        now = self._clock.wall()
        try:
            callback = authenticate(body, headers, keys, now=now, tolerance=self._tolerance)
        except SignatureInvalid as error:
            raise Refused(401, str(error)) from None
        return self._replays.is_new(callback, now=now, lifetime=2 * self._tolerance)
