"""What a refusal looks like on the wire, in each shape that gateways have. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from kling_lipsync.sandbox.dialect import Errors
from kling_lipsync.sandbox.refusals import Refused

Body = dict[str, Any]
Shaped = tuple[int, Body | str]
"""HTTP status, and a JSON object or a page."""

NO_MONEY = frozenset({1101, 1102})
"""Kling's codes for which a gateway of its own account has HTTP 402."""

OWN_WORDS = {
    1000: "invalid_api_key",
    1001: "invalid_api_key",
    1002: "invalid_api_key",
    1101: "insufficient_user_quota",
    1102: "insufficient_user_quota",
}
"""Refusals that a gateway utters itself, in its own word; it hands on all others with Kling's code."""

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}
"""OpenAI's types of errors by HTTP status; the rest are the server's."""

PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr></body></html>"


def refuse(shape: Errors, refused: Refused, request_id: str) -> Shaped:
    """A refusal in this shape."""
    return SHAPES[shape](refused, request_id)


def _kling(refused: Refused, request_id: str) -> Shaped:
    return refused.status, _envelope(refused, request_id)


def _kling_200(refused: Refused, request_id: str) -> Shaped:
    return 200, _envelope(refused, request_id)


def _openai(refused: Refused, request_id: str) -> Shaped:
    status, error = _openai_bare(refused, request_id)
    return status, {"error": error}


def _openai_bare(refused: Refused, request_id: str) -> Shaped:
    status = _status(refused)
    return status, {
        "message": f"{refused.message} (request id: {request_id})",
        "type": TYPES.get(status, "server_error"),
        "param": "",
        "code": OWN_WORDS.get(refused.code, str(refused.code)),
    }


def _nested(refused: Refused, request_id: str) -> Shaped:
    if refused.code in OWN_WORDS:
        return _status(refused), {"code": OWN_WORDS[refused.code], "message": refused.message, "data": None}
    text = json.dumps(_envelope(refused, request_id))
    return refused.status, {"code": "fail_to_fetch_task", "message": text, "data": None}


def _wrapped(refused: Refused, request_id: str) -> Shaped:
    inner = {"data": _envelope(refused, request_id), "message": refused.message}
    return refused.status, {"message": refused.message, "data": inner}


def _numeric(refused: Refused, request_id: str) -> Shaped:
    status = _status(refused)
    return status, {"code": status, "message": refused.message, "error": HTTPStatus(status).phrase}


def _html(refused: Refused, request_id: str) -> Shaped:
    return refused.status, PAGE.format(f"{refused.status} {HTTPStatus(refused.status).phrase}")


def _envelope(refused: Refused, request_id: str) -> Body:
    return {"code": refused.code, "message": refused.message, "request_id": request_id}


def _status(refused: Refused) -> int:
    return 402 if refused.code in NO_MONEY else refused.status


SHAPES: dict[Errors, Callable[[Refused, str], Shaped]] = {
    Errors.KLING: _kling,
    Errors.KLING_200: _kling_200,
    Errors.OPENAI: _openai,
    Errors.OPENAI_BARE: _openai_bare,
    Errors.NESTED: _nested,
    Errors.WRAPPED: _wrapped,
    Errors.NUMERIC: _numeric,
    Errors.HTML: _html,
}
