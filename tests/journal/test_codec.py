from __future__ import annotations

import json
import string
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

import pytest
from attrs import fields, has, resolve_types
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_lipsync._journal import codec
from kling_lipsync.errors import JournalError
from kling_lipsync.events import EVENTS, Event, Outcome, SpeechMade, TaskEnded
from kling_lipsync.models import FaceSession, SpokenAudio, Status, Task, TaskStatus

PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    Path: st.text(string.ascii_letters + "/. é", min_size=1).map(Path),
    NoneType: st.none(),
}


def anything(kind: object) -> st.SearchStrategy[Any]:
    """Values of an annotated type, every field of a class drawn; ``raw`` is left out, as it is not kept."""
    if kind in PLAIN:
        return PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if isinstance(kind, type) and has(kind):
        resolved = fields(resolve_types(kind))
        return st.builds(kind, **{each.name: anything(each.type) for each in resolved if each.name != "raw"})
    arguments = get_args(kind)
    if get_origin(kind) is tuple:
        return st.lists(anything(arguments[0]), max_size=3).map(tuple)
    if get_origin(kind) is Mapping:
        return st.dictionaries(anything(arguments[0]), anything(arguments[1]), max_size=3)
    return st.one_of([anything(each) for each in arguments])


def columns(event: Event) -> dict[str, object]:
    """What the journal keeps of an event outside of its facts."""
    return {name: getattr(event, name) for name in codec.COLUMNS}


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_every_kind_of_event_comes_back_equal(kind: type[Event]) -> None:
    """Whatever an event holds, it is read as it was written, and of the same kind."""

    @settings(max_examples=40)
    @given(anything(kind))
    def comes_back(event: Event) -> None:
        again = codec.decode_event(type(event).__name__, codec.encode_event(event), **columns(event))
        assert again == event
        assert type(again) is type(event)

    comes_back()


@given(anything(Outcome))
def test_an_outcome_comes_back_equal(outcome: Outcome) -> None:
    """Whatever an outcome holds, it is read as it was written."""
    assert codec.decode_outcome(codec.encode_outcome(outcome)) == outcome


@given(anything(FaceSession))
def test_a_session_comes_back_equal(session: FaceSession) -> None:
    """Whatever a session holds, it is read as it was written."""
    assert codec.decode_session(codec.encode_session(session)) == session


def test_the_text_is_the_format() -> None:
    """What a file holds today is what later versions must read: names, nesting, words, and what is left out."""
    event = TaskEnded(
        seq=7,
        key="a",
        task=Task(task_id="t", status=TaskStatus.SUCCEED, video_url="https://x/v.mp4?sign=1", units=Decimal("0.50")),
        units=Decimal("0.50"),
    )
    assert json.loads(codec.encode_event(event)) == {
        "task": {"task_id": "t", "status": "succeed", "video_url": "https://x/v.mp4?sign=1", "units": "0.50"},
        "units": "0.50",
    }
    outcome = Outcome(key="a", status=Status.SUCCEEDED, file=Path("out") / "a.mp4", meta={"row": "1"})
    assert json.loads(codec.encode_outcome(outcome)) == {
        "key": "a",
        "status": "succeeded",
        "file": str(Path("out") / "a.mp4"),
        "meta": {"row": "1"},
    }


def test_bodies_of_answers_are_not_written() -> None:
    """``raw`` holds what Kling answered, signed secrets among it: it stays out, wherever it is nested."""
    raw = {"token": "s3cret"}
    task = Task(task_id="t", status=TaskStatus.SUCCEED, raw=raw)
    texts = [
        codec.encode_event(TaskEnded(task=task)),
        codec.encode_event(SpeechMade(audio=SpokenAudio(audio_id="x", raw=raw))),
        codec.encode_session(FaceSession(session_id="s", faces=(), raw=raw)),
        codec.encode_outcome(Outcome(key="a", status=Status.SUCCEEDED, task=task)),
    ]
    assert not [text for text in texts if "s3cret" in text or "raw" in text]


def test_a_name_in_no_encoding_comes_back() -> None:
    """A path whose bytes are no text, as file systems allow, is kept."""
    outcome = Outcome(key="a", status=Status.SUCCEEDED, file=Path("\udcff.mp4"))
    assert codec.decode_outcome(codec.encode_outcome(outcome)) == outcome


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ("FromTheFuture", "{}"),
        ("Event", "{}"),
        ("TaskCreated", '{"task_id": "t", "colour": 1}'),
        ("TaskCreated", "{}"),
        ("TaskCreated", "not JSON"),
        ("TaskCreated", "[]"),
        ("TaskEnded", '{"task": {"task_id": "t", "status": "dreaming"}}'),
        ("TaskEnded", '{"task": {"task_id": "t", "status": "succeed", "raw": {}}}'),
        ("TaskEnded", '{"task": {"task_id": "t", "status": "succeed"}, "units": "much"}'),
        ("FaceChosen", '{"face": null, "reason": "x"}'),
    ],
)
def test_what_is_not_known_is_an_error(kind: str, facts: str) -> None:
    """A kind, a field or a word of another version is never skipped in silence."""
    with pytest.raises(JournalError, match="use the version that wrote it"):
        codec.decode_event(kind, facts, seq=1, key="a", version=1, attempt=1, at=0.0)


@pytest.mark.parametrize(
    ("units", "millionths"),
    [("0", 0), ("0.5", 500_000), ("0.0000001", 1), ("0.5000001", 500_001), ("1E+3", 10**9), ("-0.5", -500_000)],
)
def test_units_are_rounded_up_to_millionths(units: str, millionths: int) -> None:
    """No spending is understated."""
    assert codec.to_millionths(Decimal(units)) == millionths


@pytest.mark.parametrize("units", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+10", "1E+999999"])
def test_units_beyond_counting_are_refused(units: str) -> None:
    """What cannot be counted is an error, not a wrong sum."""
    with pytest.raises(JournalError, match="cannot count"):
        codec.to_millionths(Decimal(units))


@given(st.integers(-(10**15), 10**15))
def test_millionths_come_back_exactly(millionths: int) -> None:
    """Units and millionths say the same."""
    assert codec.to_millionths(codec.from_millionths(millionths)) == millionths
