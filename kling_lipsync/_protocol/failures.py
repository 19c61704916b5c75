"""Answers that refuse, and the errors they become.

Decided by Kling's business code first, since six codes of opposite meaning share HTTP 429; else by the HTTP status; an
answer in no documented shape is a ``ProtocolError``. Codes: Kling's documentation of error codes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from ..abc import Response
from ..errors import (
    AccountError,
    APIError,
    AuthenticationError,
    ContentRejected,
    InvalidRequest,
    KlingError,
    ProtocolError,
    RateLimited,
    ServerError,
    SlotsFull,
)
from . import wire
from .cleaning import excerpt, one_line, without_keys
from .headers import retry_after
from .values import first, mapping, number, sentence, text

DEEPEST = 4
LONGEST_MESSAGE = 500
STALE_TOKEN_CODES = frozenset({1003, 1004})
"""The token is not valid yet, or has expired: sign anew, once."""

_CHECK_KEY = "check the key, and that it belongs to this gateway"
_CHECK_CLOCK = "check this machine's clock"

CODES: Mapping[int, tuple[type[APIError], str]] = {
    1000: (AuthenticationError, _CHECK_KEY),
    1001: (AuthenticationError, _CHECK_KEY),
    1002: (AuthenticationError, _CHECK_KEY),
    1003: (AuthenticationError, _CHECK_CLOCK),
    1004: (AuthenticationError, _CHECK_CLOCK),
    1100: (AccountError, "see the account's state in the console"),
    1101: (AccountError, "top up the account"),
    1102: (AccountError, "buy a resource pack or top up the account"),
    1103: (AccountError, "the account may not use this model or endpoint: see its permissions in the console"),
    1200: (InvalidRequest, ""),
    1201: (InvalidRequest, ""),
    1202: (InvalidRequest, "check the gateway and its base URL"),
    1203: (InvalidRequest, "check the id, and that it was made with this key at this gateway"),
    1300: (ContentRejected, "change the video, the sound or the text"),
    1301: (ContentRejected, "change the video, the sound or the text"),
    1302: (RateLimited, "send fewer requests a second"),
    1303: (SlotsFull, "wait for a running task to end"),
    1304: (AccountError, "add this machine's address to the account's allow-list"),
    5000: (ServerError, ""),
    5001: (ServerError, ""),
    5002: (ServerError, ""),
}
"""Kling's codes: what they are, and what to do where the code tells."""

FAMILIES: Mapping[int, type[APIError]] = {
    10: AuthenticationError,
    11: AccountError,
    12: InvalidRequest,
    50: ServerError,
}
"""Codes yet unknown, by their hundreds; those from 1300 on have too little in common."""

ANY_SHAPE: Mapping[int, type[APIError]] = {
    401: AuthenticationError,
    408: ServerError,
    413: InvalidRequest,  # a proxy's limit on bodies: nothing went further
    429: RateLimited,
}
"""HTTP statuses that mean the same from whoever answers, a proxy's HTML page included; so do 500 to 599."""

KLING_SHAPE: Mapping[int, type[APIError]] = {402: AccountError, 403: AccountError}
"""HTTP statuses that are believed in a documented shape only; the others from 400 on are ``InvalidRequest``.

403 is a matter of permission for the whole account, as it is in Kling's own table (1103).
"""


@frozen(kw_only=True)
class Refusal:
    """What an answer that refuses says for itself."""

    message: str = ""
    code: int | None = None
    word: str | None = None
    request_id: str | None = None


def succeeded(code: object) -> bool:
    """Whether an envelope's ``code`` says success: 0, "0" or "success"."""
    return number(code) == 0 or (isinstance(code, str) and code.strip().lower() == wire.SUCCESS)


def refuses(document: Mapping[str, Any]) -> bool:
    """Whether an answer refuses, by its own words; a failed task that tells its error does not."""
    code = document.get(wire.CODE)
    if code is not None and code != "":
        return not succeeded(code)
    return bool(document.get(wire.ERROR)) and first((document,), wire.STATUS, _word) is None


def no_such_resource(error: APIError) -> bool:
    """Whether Kling or a gateway says that there is nothing under the id."""
    if error.code in (1203, 404):
        return True
    return error.code is None and error.status == 404


def failure(document: object, response: Response, *, name: str, now: float, secret: str = "") -> KlingError:
    """The error for an answer that is no success; ``document`` is its JSON, ``None`` where it has none.

    ``name`` says what was asked, ``now`` is Unix time, ``secret`` the Authorization header that must not show.
    """
    refusal = read_refusal(document)
    said = refusal or Refusal()
    kind = _kind(said.code, response.status, documented=refusal is not None)
    request_id = said.request_id or text(response.headers.get(wire.X_REQUEST_ID))
    if kind is None:
        return undocumented(response, name=name, request_id=request_id, secret=secret)
    told = one_line(without_keys(said.message, secret), LONGEST_MESSAGE)
    return kind(
        _with_advice(told or f"{name} answered {_in_words(response, secret)}", said),
        code=said.code,
        status=response.status,
        request_id=request_id,
        retry_after=retry_after(response, now),
    )


def undocumented(
    response: Response, *, name: str, why: str = "", request_id: str | None = None, secret: str = ""
) -> ProtocolError:
    """The error for an answer in no documented shape; ``why`` says what is missing in it."""
    advice = without_keys(why, secret) or "this is no answer of Kling's API: check the base URL"
    return ProtocolError(
        f"{name} answered {_in_words(response, secret)}; {advice}", status=response.status, request_id=request_id
    )


def read_refusal(document: object, depth: int = DEEPEST) -> Refusal | None:
    """What the answer says, or ``None`` if it has no documented error shape.

    A relay's message may be the JSON text of the error it got itself: that one counts, to a bounded depth.
    """
    outer = _own_words(mapping(document))
    if outer is None or depth == 0:
        return outer
    inner = read_refusal(_json_in(outer.message), depth - 1)
    if inner is None:
        return outer
    return Refusal(
        message=inner.message or outer.message,
        code=inner.code if inner.code is not None else outer.code,
        word=inner.word or outer.word,
        request_id=inner.request_id or outer.request_id,
    )


def _own_words(document: Mapping[str, Any]) -> Refusal | None:
    error = document.get(wire.ERROR)
    inside = error if isinstance(error, Mapping) else document
    message = first((inside, document), wire.MESSAGES, text) or text(error) or ""
    code, word = _code(inside.get(wire.CODE)), first((inside,), (wire.CODE, wire.ERROR_TYPE), _word)
    if not message and code is None and word is None:
        return None
    return Refusal(
        message=message,
        code=wire.GATEWAY_WORDS.get(word or "", code),
        word=word,
        request_id=first((document, inside), (wire.REQUEST_ID,), _short),
    )


def _json_in(message: str) -> object:
    start = message.find("{")
    if start < 0:
        return None
    try:
        found: object = json.JSONDecoder().raw_decode(message, start)[0]
    except (ValueError, RecursionError):
        return None
    return found


def _code(value: object) -> int | None:
    found = number(value)
    return None if found is None or found == 0 else int(found)


def _word(value: object) -> str | None:
    found = text(value) if isinstance(value, str) else None
    return None if found is None or succeeded(found) or number(found) is not None else one_line(found.lower(), 60)


def _short(value: object) -> str | None:
    found = sentence(value)
    return one_line(found, 100) if found else None


def _kind(code: int | None, status: int, *, documented: bool) -> type[APIError] | None:
    if code is None:
        return _by_status(status, documented=documented)
    if code in CODES:
        return CODES[code][0]
    # {"code": 404, ...}: an HTTP status said in the body.
    said = code if 400 <= code < 600 else status
    return FAMILIES.get(code // 100) or _by_status(said, documented=documented)


def _by_status(status: int, *, documented: bool) -> type[APIError] | None:
    if 500 <= status < 600:
        return ServerError
    if status in ANY_SHAPE:
        return ANY_SHAPE[status]
    if documented and 400 <= status < 500:
        return KLING_SHAPE.get(status, InvalidRequest)
    return None


def _with_advice(told: str, said: Refusal) -> str:
    word = f"{said.word}: " if said.word in wire.GATEWAY_WORDS else ""
    advice = CODES.get(said.code or 0, (APIError, ""))[1]
    return f"{word}{told.rstrip('. ')}; {advice}" if advice else f"{word}{told}"


def _in_words(response: Response, secret: str) -> str:
    kind = one_line(response.headers.get(wire.CONTENT_TYPE, "").split(";")[0], 60) or "no content type"
    said = excerpt(response.body, secret)
    target = response.headers.get(wire.LOCATION, "").split("?")[0]
    redirect = f", a redirect to {one_line(target, 100)}" if target else ""
    return (
        f"HTTP {response.status} with {kind}{redirect}: {said!r}"
        if said
        else (f"HTTP {response.status} with {kind}{redirect} and nothing to read")
    )
