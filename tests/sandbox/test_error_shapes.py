from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from kling_lipsync.sandbox import Errors, Fault

from .making import CREATE, HandClock, connect, identify, make_order, make_sandbox

pytestmark = pytest.mark.anyio


async def refused(clock: HandClock, media: Path, errors: str, code: str) -> httpx.Response:
    """The answer to a create that is refused with one of Kling's codes."""
    with make_sandbox(clock, media, errors=errors) as sandbox:
        async with connect(sandbox) as client:
            session_id = (await identify(client))["session_id"]
            sandbox.faults.add(Fault(code, "create", retry_after=7))
            answer = await client.post(CREATE, json=make_order(session_id))
        assert sandbox.stats()["refusals"] == {code: 1}
    assert answer.headers["retry-after"] == "7"
    return answer


SLOTS = "parallel task over resource pack limit"


@pytest.mark.parametrize(("errors", "status"), [("kling", 429), ("kling-200", 200)])
async def test_klings_envelope(clock: HandClock, media: Path, errors: str, status: int) -> None:
    """With its HTTP status, or under 200."""
    answer = await refused(clock, media, errors, "1303")
    body = answer.json()
    assert (answer.status_code, body["code"], body["message"]) == (status, 1303, SLOTS)
    assert body["request_id"]


@pytest.mark.parametrize("errors", ["openai", "openai-bare"])
@pytest.mark.parametrize(
    ("code", "status", "kind", "word"),
    [
        ("1303", 429, "rate_limit_error", "1303"),
        ("1102", 402, "insufficient_quota", "insufficient_user_quota"),
        ("1101", 402, "insufficient_quota", "insufficient_user_quota"),
        ("1002", 401, "authentication_error", "invalid_api_key"),
        ("1103", 403, "permission_error", "1103"),
        ("1201", 400, "invalid_request_error", "1201"),
        ("5002", 504, "server_error", "5002"),
    ],
)
async def test_errors_like_openais(
    clock: HandClock, media: Path, errors: str, code: str, status: int, kind: str, word: str
) -> None:
    """An error object, alone or under ``error``; the gateway's own refusals have words, 402 means no money."""
    answer = await refused(clock, media, errors, code)
    error: dict[str, Any] = answer.json()
    if errors == "openai":
        assert list(error) == ["error"]
        error = error["error"]
    assert answer.status_code == status
    assert (error["type"], error["param"], error["code"]) == (kind, "", word)
    assert "request id" in error["message"]


async def test_nested_errors(clock: HandClock, media: Path) -> None:
    """Kling's envelope is a text within the message; what the gateway itself refuses is plain."""
    answer = await refused(clock, media, "nested", "1303")
    own = await refused(clock, media, "nested", "1102")
    assert answer.status_code == 429
    assert answer.json()["code"] == "fail_to_fetch_task"
    upstream = json.loads(answer.json()["message"])
    assert (upstream["code"], upstream["message"]) == (1303, SLOTS)
    assert (own.status_code, own.json()["code"]) == (402, "insufficient_user_quota")
    assert own.json()["message"] == "Account balance not enough"


async def test_wrapped_errors(clock: HandClock, media: Path) -> None:
    """Kling's envelope lies two objects deep."""
    answer = await refused(clock, media, "wrapped", "1201")
    body = answer.json()
    assert (answer.status_code, body["message"]) == (400, "Invalid parameters")
    assert "code" not in body
    assert body["data"]["data"]["code"] == 1201


@pytest.mark.parametrize(
    ("code", "status", "phrase"), [("1303", 429, "Too Many Requests"), ("1102", 402, "Payment Required")]
)
async def test_numeric_errors(clock: HandClock, media: Path, code: str, status: int, phrase: str) -> None:
    """The code is the HTTP status, and Kling's own is lost."""
    answer = await refused(clock, media, "numeric", code)
    assert answer.status_code == status
    assert (answer.json()["code"], answer.json()["error"]) == (status, phrase)


async def test_errors_as_pages(clock: HandClock, media: Path) -> None:
    """HTML where JSON was expected."""
    answer = await refused(clock, media, "html", "5001")
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "503 Service Unavailable" in answer.text


@pytest.mark.parametrize("errors", list(Errors))
async def test_every_refusal_has_the_shape(clock: HandClock, media: Path, errors: Errors) -> None:
    """Also those of a missing key and of a path that does not exist; successes stay as they are."""
    with make_sandbox(clock, media, errors=errors, api_keys={"right"}) as sandbox:
        async with connect(sandbox, "wrong") as stranger, connect(sandbox, "right") as client:
            answers = [await stranger.get(CREATE), await client.get("/v1/nothing"), await client.get(f"{CREATE}/1")]
            success = await client.get(CREATE)
    assert success.json()["code"] == 0
    statuses = [answer.status_code for answer in answers]
    assert statuses == ([200] * 3 if errors is Errors.KLING_200 else [401, 404, 404])
    pages = {answer.headers["content-type"].startswith("text/html") for answer in answers}
    assert pages == {errors is Errors.HTML}


async def test_cometapi_refuses_in_its_own_envelope(clock: HandClock, media: Path) -> None:
    """Its guide shows an error object."""
    with make_sandbox(clock, media, gateway="cometapi") as sandbox:
        async with connect(sandbox, key=None, prefix="/kling") as client:
            answer = await client.get(f"{CREATE}/1")
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"
