"""An outcome that is read when it is looked into: alike in every way to one that was there at once."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from kling_lipsync import KlingError, Outcome, Status
from kling_lipsync.errors import ErrorRecord, JournalError

WHOLE = Outcome(key="a", status=Status.FAILED, attempts=3, task_id="t", record=ErrorRecord.of(KlingError("no")))


def unread(count: list[int]) -> Outcome:
    """``WHOLE``, each reading of which is counted."""

    def read() -> Outcome:
        count.append(1)
        return WHOLE

    return Outcome.unread("a", Status.FAILED, {}, read)


def test_key_status_and_meta_are_known_without_reading() -> None:
    """What a batch counts costs nothing; the first look at anything else reads all, once."""
    count: list[int] = []
    outcome = unread(count)
    assert (outcome.key, outcome.status, outcome.meta, count) == ("a", Status.FAILED, {}, [])
    assert (outcome.attempts, outcome.task_id, str(outcome.error), count) == (3, "t", "no", [1])


def test_that_there_is_no_error_may_be_known() -> None:
    """Counting what succeeded reads nothing."""
    count: list[int] = []

    def read() -> Outcome:
        count.append(1)
        return Outcome(key="a", status=Status.SUCCEEDED, attempts=3)

    outcome = Outcome.unread("a", Status.SUCCEEDED, {}, read, error_free=True)
    assert (outcome.record, outcome.error, count) == (None, None, [])
    assert (outcome.attempts, outcome.record, count) == (3, None, [1])


def pickled(outcome: Outcome) -> object:
    return pickle.loads(pickle.dumps(outcome))  # noqa: S301 - our own


@pytest.mark.parametrize("use", [repr, copy.copy, copy.deepcopy, pickled])
def test_an_unread_outcome_is_like_any_other(use: Callable[[Outcome], object]) -> None:
    """Comparing, showing, copying and pickling read it."""
    assert use(unread([])) == use(WHOLE)
    assert unread([]) == WHOLE


def test_a_misspelt_name_is_an_attribute_error_and_reads_nothing() -> None:
    """``hasattr`` tells the truth."""
    count: list[int] = []
    assert not hasattr(unread(count), "fiel")
    assert count == []


def test_a_reading_that_fails_is_told_each_time() -> None:
    """A damaged journal is no missing attribute."""

    def read() -> Outcome:
        raise JournalError("damaged")

    outcome = Outcome.unread("a", Status.SUCCEEDED, {}, read)
    for _ in range(2):
        with pytest.raises(JournalError, match="damaged"):
            outcome.result()
