from __future__ import annotations

import json
from typing import Any

import pytest

from kling_lipsync import errors
from kling_lipsync._protocol import STALE_TOKEN_CODES, Dialect, get_task, no_such_resource, read_answer
from kling_lipsync.abc import Response
from kling_lipsync.errors import APIError, KlingError

from .playing import NOW

JSON = {"content-type": "application/json"}

# Kling's documentation of error codes: HTTP status, code, our class, may it pass, may it have acted.
TABLE = [
    (401, 1000, "AuthenticationError", False, False),
    (401, 1001, "AuthenticationError", False, False),
    (401, 1002, "AuthenticationError", False, False),
    (401, 1003, "AuthenticationError", False, False),
    (401, 1004, "AuthenticationError", False, False),
    (429, 1100, "AccountError", False, False),
    (429, 1101, "AccountError", False, False),
    (429, 1102, "AccountError", False, False),
    (403, 1103, "AccountError", False, False),
    (400, 1200, "InvalidRequest", False, False),
    (400, 1201, "InvalidRequest", False, False),
    (404, 1202, "InvalidRequest", False, False),
    (404, 1203, "InvalidRequest", False, False),
    (400, 1300, "ContentRejected", False, False),
    (400, 1301, "ContentRejected", False, False),
    (429, 1302, "RateLimited", True, False),
    (429, 1303, "SlotsFull", True, False),
    (429, 1304, "AccountError", False, False),
    (500, 5000, "ServerError", True, True),
    (503, 5001, "ServerError", True, False),
    (504, 5002, "ServerError", True, True),
]


def error_of(status: int, body: Any, headers: dict[str, str] = JSON) -> KlingError:
    """The error that a query's answer is."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(KlingError) as caught:
        read_answer(get_task(Dialect(), "t"), Response(status=status, headers=headers, body=data), NOW)
    return caught.value


@pytest.mark.parametrize("http", [None, 200, 400, 500])
@pytest.mark.parametrize(("status", "code", "kind", "transient", "acted"), TABLE)
def test_code_decides(http: int | None, status: int, code: int, kind: str, transient: bool, acted: bool) -> None:
    """Each of Kling's codes is its own error, whatever HTTP status it comes under."""
    error = error_of(http or status, {"code": code, "message": "Why", "request_id": "r"})
    assert type(error) is getattr(errors, kind)
    assert isinstance(error, APIError)
    assert (error.code, error.status, error.request_id) == (code, http or status, "r")
    assert (error.transient, error.may_have_acted) == (transient, acted)
    assert error.message.startswith("Why")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "InvalidRequest"),
        (401, "AuthenticationError"),
        (402, "AccountError"),
        (403, "AccountError"),
        (404, "InvalidRequest"),
        (408, "ServerError"),
        (409, "InvalidRequest"),
        (413, "InvalidRequest"),
        (422, "InvalidRequest"),
        (429, "RateLimited"),
        (500, "ServerError"),
        (502, "ServerError"),
        (503, "ServerError"),
        (599, "ServerError"),
    ],
)
def test_status_decides_where_there_is_no_code(status: int, kind: str) -> None:
    """Without a code, the HTTP status of a documented shape says what it is."""
    error = error_of(status, {"error": {"message": "Why", "type": "some_error", "param": "", "code": None}})
    assert type(error).__name__ == kind
    assert error.message == "Why"


@pytest.mark.parametrize("status", [200, 204, 302, 400, 402, 403, 404, 418, 600])
def test_foreign_answer_is_a_protocol_error(status: int) -> None:
    """What is not of Kling's making says nothing of the request, so it may have acted."""
    error = error_of(status, b"<html>Hello</html>", {"content-type": "text/html; charset=utf-8"})
    assert type(error) is errors.ProtocolError
    assert error.message == (
        f"query answered HTTP {status} with text/html: 'Hello'; this is no answer of Kling's API: check the base URL"
    )
    assert error.may_have_acted
    assert not error.transient


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "AuthenticationError"), (408, "ServerError"), (429, "RateLimited"), (502, "ServerError")]
)
def test_some_statuses_mean_the_same_from_a_proxy(status: int, kind: str) -> None:
    """A proxy that wants credentials, calls for patience or has lost its upstream is believed."""
    assert type(error_of(status, b"<html>Hello</html>", {})).__name__ == kind


def test_unknown_code_of_no_family_leaves_all_open() -> None:
    """A code that no document has, under a status that says nothing, is not taken for a refusal."""
    assert isinstance(error_of(200, {"code": 1350, "message": "new"}), errors.ProtocolError)
    assert isinstance(error_of(200, {"code": 7, "message": "new"}), errors.ProtocolError)
    assert isinstance(error_of(400, {"code": 1350, "message": "new"}), errors.InvalidRequest)
    assert isinstance(error_of(200, {"code": 5003, "message": "new"}), errors.ServerError)


def test_no_success_without_success() -> None:
    """A code that is not success never becomes a model, however good its data looks."""
    data = {"task_id": "1", "task_status": "succeed"}
    for code in (1, -1, "1201", "fail", True, False, [0], {"0": 0}, 0.5, "null"):
        error_of(200, {"code": code, "message": "", "data": data})
    error_of(500, {"code": 0, "message": "SUCCEED", "data": data})


@pytest.mark.parametrize("code", [0, "0", "success", "SUCCESS", 0.0])
def test_every_spelling_of_success(code: object) -> None:
    """Success is 0, "0" or "success"."""
    body = json.dumps({"code": code, "message": "whatever", "data": {"task_id": "1"}}).encode()
    assert read_answer(get_task(Dialect(), "1"), Response(status=200, body=body), NOW).task_id == "1"


def test_what_is_not_found() -> None:
    """Every way of saying that there is nothing under an id is known as such."""
    found_nothing = [
        error_of(404, {"code": 1203, "message": "m"}),
        error_of(404, {"message": "m"}),
        error_of(200, {"code": 404, "message": "m"}),
        error_of(400, {"code": "task_not_exist", "message": "m"}),
    ]
    others = [error_of(404, {"code": 1202, "message": "m"}), error_of(400, {"code": 1201, "message": "m"})]
    assert all(isinstance(error, APIError) and no_such_resource(error) for error in found_nothing)
    assert not any(isinstance(error, APIError) and no_such_resource(error) for error in others)


def test_stale_tokens_are_known_by_their_code() -> None:
    """A token that is too young or too old may be signed anew."""
    assert {1003, 1004} == STALE_TOKEN_CODES


def test_message_is_one_bounded_line() -> None:
    """Whatever a server says, the message is one line of a reasonable length."""
    error = error_of(400, {"code": 1201, "message": "a\nb\x1b[31m\u202e\x00" + "c" * 5000})
    assert error.message.isprintable()
    assert error.message.startswith("a b [31m c")
    assert len(error.message) < 700


def test_key_does_not_come_back() -> None:
    """A server that echoes the key does not bring it into the log, in any place that becomes a message."""
    key = "sk-very-secret-1"
    bodies: list[Any] = [
        {"code": 1002, "message": f"bad key {key}"},
        {"code": "x", "message": json.dumps({"code": 1201, "message": f"saw {key}"})},
        f"<html>Authorization: Bearer {key}</html>".encode(),
        {"code": 0, "data": {key: 1}},
        {"code": 1201, "message": "x" * 495 + key},
        b"x" * 195 + key.encode(),
        b"<p>" * 1330 + key.encode(),
    ]
    for status in (200, 400, 500):
        for body in bodies:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            with pytest.raises(KlingError) as caught:
                read_answer(
                    get_task(Dialect(), "t"),
                    Response(status=status, headers=JSON, body=data),
                    NOW,
                    secret=f"Bearer {key}",
                )
            assert key[:6] not in str(caught.value)


def test_request_id_of_the_headers_stands_in() -> None:
    """A proxy's own request id is better than none."""
    error = error_of(502, b"", {"x-request-id": "abc"})
    assert isinstance(error, APIError)
    assert error.request_id == "abc"
