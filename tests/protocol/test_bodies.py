from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_lipsync._protocol import Dialect, JsonBody, Order, SoundBody, SoundData, create_task
from kling_lipsync.models import Plan


def in_pieces(data: bytes, size: int) -> SoundData:
    """A sound that is read ``size`` bytes at a time."""
    return SoundData(len(data), lambda: (data[at : at + size] for at in range(0, len(data), size)))


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(0, 300_000) | st.integers(98_300, 98_310),
    piece=st.integers(1000, 400_000) | st.integers(98_303, 98_305),
    tricky=st.text() | st.just('""'),
)
def test_sound_body_is_the_json_it_stands_for(size: int, piece: int, tricky: str) -> None:
    """The slices join up to one JSON document of exactly the length that was said, with the sound in raw base64."""
    data = bytes(at * 31 % 251 for at in range(size))
    order = Order(
        session_id=tricky, face_id=tricky, sound=in_pieces(data, piece), plan=Plan(0, 2000, 0), external_task_id=tricky
    )
    body = create_task(Dialect(), order).body
    assert body is not None
    slices = list(body.slices())
    whole = b"".join(slices)
    assert len(whole) == body.length
    assert max(len(part) for part in slices) < 150_000
    document = json.loads(whole)
    assert b64decode(document["face_choose"][0]["sound_file"], validate=True) == data
    assert (document["session_id"], document["external_task_id"]) == (tricky, tricky)


def test_sound_is_read_as_it_is_sent() -> None:
    """No more of the sound is read than the slices handed over need, and one slice ahead."""
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 96 * 1024
            yield bytes(96 * 1024)

    body = SoundBody.of({"sound_file": ""}, SoundData(100 * 96 * 1024, pieces))
    slices = body.slices()
    assert read == 0
    next(slices)
    assert read == 2 * 96 * 1024


def test_second_send_starts_over() -> None:
    """A body can be sent again from its beginning."""
    body = SoundBody.of({"sound_file": ""}, SoundData.from_bytes(bytes(200_000)))
    first = body.slices()
    next(first)
    assert b"".join(body.slices()) == b"".join(body.slices())


@pytest.mark.parametrize(("said", "there"), [(9, 10), (11, 10), (400_000, 399_999), (399_999, 400_000)])
def test_sound_of_another_length_is_never_sent_whole(said: int, there: int) -> None:
    """A file that changed while it was sent ends the request before its last slice."""
    body = SoundBody.of({"sound_file": ""}, SoundData(said, lambda: iter([bytes(there)])))
    handed_over: list[bytes] = []
    with pytest.raises(OSError, match="changed while it was sent"):
        handed_over.extend(body.slices())
    assert sum(map(len, handed_over)) < body.length - len(body.tail)


def test_small_body_is_one_slice() -> None:
    """A body without a sound is not worth cutting; it is ASCII, whatever its texts are."""
    body = JsonBody.of({"text": "你好 \ud800"})
    assert list(body.slices()) == [b'{"text":"\\u4f60\\u597d \\ud800"}']
    assert body.length == len(next(body.slices()))
    assert body.content_type == "application/json"


def test_bodies_do_not_show_their_content() -> None:
    """Neither the sound nor the document is in a log by accident."""
    assert "secret" not in repr(JsonBody.of({"text": "secret"}))
    assert "secret" not in repr(SoundBody.of({"text": "secret", "sound_file": ""}, SoundData.from_bytes(b"secret")))
