from __future__ import annotations

from pathlib import Path

import pytest

from kling_lipsync._protocol import read_answer, unknown_status
from kling_lipsync.errors import KlingError
from kling_lipsync.models import Task

from .playing import KEY, NOW, call_of, plain, response_of, sample, sample_files

FACTS = ("code", "status", "request_id", "retry_after", "transient", "may_have_acted")


@pytest.mark.parametrize("path", sample_files(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_recorded_answer(path: Path) -> None:
    """A recorded answer becomes the model, or the error, that it stands for, in every field."""
    recorded = sample(path)
    call, response = call_of(recorded), response_of(recorded)
    if "error" in recorded:
        with pytest.raises(KlingError) as caught:
            read_answer(call, response, NOW, secret=KEY)
        assert_error(caught.value, recorded["error"])
        return
    result = read_answer(call, response, NOW, secret=KEY)
    assert plain(result) == recorded["expected"]
    if isinstance(result, Task):
        assert unknown_status(result.raw) == recorded.get("unknown_status")


def assert_error(error: KlingError, expected: dict[str, object]) -> None:
    """The error has the expected class and facts, and says the expected words in one line."""
    assert type(error).__name__ == expected["type"]
    assert {name: getattr(error, name, None) for name in FACTS} == {name: expected.get(name) for name in FACTS}
    assert str(expected["message"]) in error.message
    assert error.message.isprintable()


def test_unknown_fields_are_kept() -> None:
    """What no document has stays in ``raw``."""
    recorded = sample(next(path for path in sample_files() if path.stem == "query-new-words"))
    task = read_answer(call_of(recorded), response_of(recorded), NOW)
    assert task.raw["priority"] == {"lane": 3}


def test_every_sample_says_where_it_is_from() -> None:
    """There are samples of each kind, and none without a source."""
    rooms = {path.parent.name for path in sample_files()}
    assert rooms == {"official", "gateways", "errors"}
    assert all(sample(path)["source"] for path in sample_files())
