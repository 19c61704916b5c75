"""An answer's bytes to a model, or to one of the package's errors; nothing else comes out, whatever bytes come in.

The envelopes met: Kling's own ``{code, message, request_id, data}``; a relay's ``{code: "success", data: {…, data:
<Kling's>}}``; a bare object without either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ..abc import Response
from ..errors import ProtocolError
from ..models import Task
from . import shapes, wire
from .endpoints import Call
from .failures import failure, read_refusal, refuses, undocumented
from .values import Unreadable, decoded

T = TypeVar("T")
DEEPEST = 4


class _Refused(Exception):
    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__("refused")
        self.document = document


def read_answer(call: Call[T], response: Response, now: float, *, secret: str = "") -> T:
    """What the call asked for.

    ``now`` (Unix time) stands in where a wait is asked for by date and the answer has no date of its own. ``secret`` is
    the Authorization header as it was sent: it is cut from messages that echo it. Raises an ``APIError`` where Kling
    refuses, a ``ProtocolError`` for an answer in no documented shape.
    """
    document = _json_or_none(response.body)
    if not 200 <= response.status < 300 or not isinstance(document, Mapping):
        raise failure(document, response, name=call.name, now=now, secret=secret)
    try:
        return call.read(_unwrapped(document))
    except _Refused as refused:
        raise failure(refused.document, response, name=call.name, now=now, secret=secret) from None
    except Unreadable as error:
        said = read_refusal(document)
        request_id = said.request_id if said else None
        raise undocumented(response, name=call.name, why=str(error), request_id=request_id, secret=secret) from None


def read_callback(body: bytes) -> Task:
    """The task that a callback tells of: the flat body of Kling's callback protocol, old or new, or the same in an
    envelope.

    Raises ``ProtocolError`` for anything else.
    """
    try:
        return shapes.told_task(decoded(body))
    except Unreadable as error:
        raise ProtocolError(f"a callback that tells of no task: {error}") from None


def _json_or_none(body: bytes) -> object:
    try:
        return decoded(body)
    except Unreadable:
        return None


def _unwrapped(document: Mapping[str, Any]) -> object:
    found: object = document
    for _ in range(DEEPEST):
        if not isinstance(found, Mapping):
            break
        if refuses(found):
            raise _Refused(found)
        if wire.CODE not in found or wire.DATA not in found:
            break
        found = found[wire.DATA]
    return found
