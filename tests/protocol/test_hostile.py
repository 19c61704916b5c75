"""Answers that nobody documented: whatever bytes come, a model or one of our errors comes out."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_lipsync._protocol import TaskPage, read_answer, read_callback
from kling_lipsync.abc import Response
from kling_lipsync.errors import APIError, KlingError, ProtocolError
from kling_lipsync.gateways import load_gateway
from kling_lipsync.models import Task

from .playing import KEY, NOW, call_named, call_of, sample, sample_files

RECORDED = [found for path in sample_files() if "body" in (found := sample(path))]
CALLS = ("identify", "create", "query", "list", "speech", "costs")
ODD_NUMBERS = [0, -1, 1e308, -0.0, 10**400, 2**63, float("nan"), float("inf"), True, 1e-320, 1.7e18]
ODD_TEXTS = [
    "",
    " ",
    "NaN",
    "sNaN",
    "-Infinity",
    "1e999999",
    "0x10",
    "1_0",
    "٣",
    "\ud800",
    "\u202e",
    "{",
    '{"code":',
    "0",
]

leaves: st.SearchStrategy[Any] = (
    st.sampled_from([None, [], {}, *ODD_NUMBERS, *ODD_TEXTS]) | st.text() | st.integers() | st.floats()
)
junk = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document."""
    yield path
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in rows:
        yield from places(part, (*path, key))


def with_change(body: Any, path: tuple[Any, ...], change: Any) -> Any:
    """The document with another value in one place."""
    if not path:
        return change
    changed = copy.deepcopy(body)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = change
    return changed


def play(call: Any, response: Response) -> None:
    """Reads the answer: it is a model, or an error of ours in one line; either can be written down."""
    result = outcome(call, response)
    str(result).encode()
    if isinstance(result, KlingError):
        assert result.message.isprintable()
        assert 0 < len(result.message) < 800
        assert getattr(result, "retry_after", None) is None or getattr(result, "retry_after", 0) >= 0
    else:
        assert 200 <= response.status < 300


def outcome(call: Any, response: Response) -> object:
    """The model, or the error, that an answer is; a page that is read once reads to its last task."""
    try:
        found = read_answer(call, response, NOW, secret=KEY)
    except (APIError, ProtocolError) as error:
        return error
    return found.tasks() if isinstance(found, TaskPage) else found


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_changed_answers(data: st.DataObject) -> None:
    """A recorded answer with anything in any place reads, or is refused as it should be."""
    recorded = data.draw(st.sampled_from(RECORDED))
    body = recorded["body"]
    for _ in range(data.draw(st.integers(1, 2))):
        body = with_change(body, data.draw(st.sampled_from(list(places(body)))), data.draw(junk))
    status = data.draw(st.sampled_from([recorded["status"], 200, 302, 400, 404, 429, 500]))
    headers = data.draw(
        st.dictionaries(st.sampled_from(["retry-after", "date", "content-type", "location"]), st.text())
    )
    play(call_of(recorded), Response(status=status, headers=headers, body=json.dumps(body).encode()))


@settings(max_examples=200, deadline=None)
@given(body=st.binary() | junk.map(lambda value: json.dumps(value).encode()), status=st.integers(100, 999))
def test_any_bytes(body: bytes, status: int) -> None:
    """Any bytes under any status are a model or an error, for every call."""
    for name in CALLS:
        play(call_named(name, load_gateway("official")), Response(status=status, body=body))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"code":0,"data":' * 900 + b"1" + b"}" * 900,
        b'{"error":' * 500 + b"1" + b"}" * 500,
        b'{"code":0,"data":{"task_id":' + b"9" * 5000 + b"}}",
        b'{"code":' + b"9" * 4000 + b"}",
        b'{"code":1201,"message":"' + b"{" * 100_000 + b'"}',
        b'{"code":1201,"message":"' + b"[{" * 50_000 + b'"}',
        b'{"code":1201,"message":"' + b'{\\"a\\":' * 50_000 + b'"}',
        b'{"code":0,"data":{"task_id":"t","task_status":"succeed","final_unit_deduction":"' + b"9" * 100_000 + b'"}}',
        '{"code":1201,"message":"x"}'.encode("utf-16"),
        b"\xef\xbb\xbf" + b'{"code":1201,"message":"x"}',
        b"\xff\xfe\x00",
    ],
    ids=lambda body: repr(body[:24]),
)
@pytest.mark.parametrize("status", [200, 500])
def test_bodies_made_to_break_readers(body: bytes, status: int) -> None:
    """Depth, length and encodings are no way out of the error tree."""
    for name in CALLS:
        play(call_named(name, load_gateway("official")), Response(status=status, body=body))


def test_message_nested_without_end_is_opened_to_a_bounded_depth() -> None:
    """A relay behind relays is followed a few levels, and no further."""
    message = "the end"
    for _ in range(12):
        message = json.dumps({"code": "fail_to_fetch_task", "message": message})[:60_000]
    play(call_named("query", load_gateway("official")), Response(status=500, body=message.encode()))


def test_half_a_surrogate_does_not_reach_the_models() -> None:
    """JSON can carry what UTF-8 cannot; an id with it can still be written down."""
    body = json.dumps({"code": 0, "data": {"task_id": "a\ud800b", "task_status_msg": "\udfff"}}).encode()
    task = read_answer(call_named("query", load_gateway("official")), Response(status=200, body=body), NOW)
    assert task.task_id == "a?b"
    assert task.message == "?"


CALLBACK = {
    "task_id": "8489",
    "task_status": "succeed",
    "task_status_msg": "",
    "task_info": {"parent_video": {"id": "1"}, "external_task_id": "k1"},
    "task_result": {"videos": [{"id": "2", "url": "https://example.com/r.mp4", "duration": "5.0"}]},
    "final_unit_deduction": "0.5",
    "created_at": 1759123456789,
    "updated_at": 1759123756789,
}


@pytest.mark.parametrize("wrapped", [False, True])
def test_callback(wrapped: bool) -> None:
    """A callback is a task without an envelope: Kling's callback protocol; some gateways leave the envelope on."""
    body = {"code": 0, "message": "", "data": CALLBACK} if wrapped else CALLBACK
    task = read_callback(json.dumps(body).encode())
    assert isinstance(task, Task)
    assert (task.task_id, task.external_task_id, task.status.value) == ("8489", "k1", "succeed")
    assert (task.video_url, task.video_duration_ms) == ("https://example.com/r.mp4", 5000)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"<xml/>", b"[" * 100_000, b"\xff"])
def test_what_is_no_callback(body: bytes) -> None:
    """Anyone may post anything to a callback URL."""
    with pytest.raises(ProtocolError, match="tells of no task"):
        read_callback(body)
