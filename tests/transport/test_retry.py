from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_lipsync._transport import parse_retry_after, retry_delays, wait_before_retry
from kling_lipsync.policies import RetryPolicy


def test_waits_double_up_to_the_longest() -> None:
    """Without jitter the waits are what the policy allows at most, one fewer than its tries."""
    policy = RetryPolicy(tries=6, first_wait=1.5, longest_wait=10)
    assert list(retry_delays(policy, jitter=lambda wait: wait)) == [1.5, 3, 6, 10, 10]
    assert list(retry_delays(RetryPolicy(tries=1))) == []


@given(tries=st.integers(1, 50))
def test_jitter_only_shortens(tries: int) -> None:
    """Every wait lies between nothing and the longest that its place allows."""
    policy = RetryPolicy(tries=tries, first_wait=2, longest_wait=60)
    longest = retry_delays(policy, jitter=lambda wait: wait)
    assert all(0 <= wait <= most for wait, most in zip(retry_delays(policy), longest, strict=True))


def test_jitter_spreads() -> None:
    """Two callers do not come back at the same moment."""
    policy = RetryPolicy(tries=10)
    assert list(retry_delays(policy)) != list(retry_delays(policy))


@pytest.mark.parametrize(
    ("delay", "asked", "wait"), [(1.0, None, 1.0), (1.0, 30.0, 30.0), (40.0, 30.0, 40.0), (1.0, 7200.0, 7200.0)]
)
def test_what_the_answer_asks_to_wait_is_waited_in_full(delay: float, asked: float | None, wait: float) -> None:
    """Never less than asked, however long that is."""
    assert wait_before_retry(delay, asked) == wait


NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("Fri, 15 Jan 2027 08:01:30", 90.0),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("soon", None),
        ("Fri, 99 Jan 2027 08:01:30 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    """What cannot be read is no wish; a date that has passed is no wait."""
    assert parse_retry_after(value, NOW) == seconds


@given(st.text())
def test_no_retry_after_breaks_the_reader(value: str) -> None:
    """Whatever a server writes there."""
    wait = parse_retry_after(value, NOW)
    assert wait is None or wait >= 0
