from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_lipsync._transport import retry_delays, wait_before_retry
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
