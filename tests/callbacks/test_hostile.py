"""Whatever anybody posts: an answer below 500, and nobody is let in without a right."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import anyio
from hypothesis import given
from hypothesis import strategies as st

from kling_lipsync.callbacks import CallbackReceiver

from .driving import SECRET, TOKEN, HandClock, post, signed

names = st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "content-type", "content-length"])
values = st.text(st.characters(max_codepoint=255), max_size=40) | st.sampled_from(sorted(signed().values()))
keys = st.sampled_from(["task_id", "id", "status", "data", "task_status", "metadata", "task_result", "videos"])
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)


def answered(app: CallbackReceiver, **request: Any) -> int:
    return anyio.run(partial(post, app, **request)).status


@given(
    headers=st.lists(st.tuples(names, values), max_size=6),
    parts=st.lists(st.binary(max_size=30), min_size=1, max_size=4),
    path=st.text(max_size=20),
    method=st.sampled_from(["POST", "GET", "", "post"]),
)
def test_anything_at_all(headers: list[tuple[str, str]], parts: list[bytes], path: str, method: str) -> None:
    """Without the secret, or without the token, it is refused."""
    request: dict[str, Any] = {"headers": headers, "parts": parts, "method": method, "path": path}
    assert answered(CallbackReceiver(SECRET, clock=HandClock()), **request) in (401, 405)
    assert answered(CallbackReceiver(token=TOKEN), **request) == 404


@given(document=documents, tail=st.binary(max_size=2))
def test_any_document_behind_the_door(document: Any, tail: bytes) -> None:
    """Whoever may post posts what he likes: it tells of a task, or it does not."""
    body = json.dumps(document).encode() + tail
    assert answered(CallbackReceiver(token=TOKEN), body=body, path=f"/{TOKEN}") in (200, 400)
    assert answered(CallbackReceiver(SECRET, clock=HandClock()), body=body, headers=signed(body)) in (200, 400)
