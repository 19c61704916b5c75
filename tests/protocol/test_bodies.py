from __future__ import annotations

import json
from base64 import b64decode
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_lipsync._protocol import Dialect, JsonBody, Order, SoundBody, SoundData, create_task
from kling_lipsync.models import Plan

SLICE = 96 * 1024


class Sound(BytesIO):
    """A sound that tells how much of it has been read."""

    read_so_far = 0

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        self.read_so_far += len(piece)
        return piece


class Wavering(BytesIO):
    """A file that ends early for a moment, while it is written anew."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if self.tell() else 10)


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(0, 300_000) | st.integers(98_300, 98_310),
    tricky=st.text() | st.just('""'),
)
def test_sound_body_is_the_json_it_stands_for(size: int, tricky: str) -> None:
    """The slices join up to one JSON document of exactly the length that was said, with the sound in raw base64."""
    data = bytes(at * 31 % 251 for at in range(size))
    sound = SoundData.from_bytes(data)
    order = Order(session_id=tricky, face_id=tricky, sound=sound, plan=Plan(0, 2000, 0), external_task_id=tricky)
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
    sound = Sound(bytes(100 * SLICE))
    slices = SoundBody.of({"sound_file": ""}, SoundData(100 * SLICE, lambda: sound)).slices()
    assert sound.read_so_far == 0
    next(slices)
    assert sound.read_so_far == 2 * SLICE


def test_a_sound_is_closed_once_it_is_sent() -> None:
    """Files do not stay open."""
    sound = Sound(bytes(SLICE))
    list(SoundBody.of({"sound_file": ""}, SoundData(SLICE, lambda: sound)).slices())
    assert sound.closed


def test_second_send_starts_over() -> None:
    """A body can be sent again from its beginning."""
    body = SoundBody.of({"sound_file": ""}, SoundData.from_bytes(bytes(200_000)))
    first = body.slices()
    next(first)
    assert b"".join(body.slices()) == b"".join(body.slices())


@pytest.mark.parametrize(
    ("said", "there"), [(9, 10), (11, 10), (400_000, 399_999), (399_999, 400_000), (SLICE, SLICE + 1)]
)
def test_sound_of_another_length_is_never_sent_whole(said: int, there: int) -> None:
    """A file that changed while it was sent ends the request before its last slice."""
    body = SoundBody.of({"sound_file": ""}, SoundData(said, lambda: BytesIO(bytes(there))))
    assert_broken(body)


def test_sound_that_has_a_gap_in_its_middle_is_never_sent_whole() -> None:
    """As many bytes as were said, some of them read too early, would be another sound."""
    assert_broken(SoundBody.of({"sound_file": ""}, SoundData(200, lambda: Wavering(bytes(200)))))


def assert_broken(body: SoundBody) -> None:
    """The slices end in an error, before the body is whole."""
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
