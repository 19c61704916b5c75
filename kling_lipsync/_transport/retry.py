"""How long to wait before a request is sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import backoff

from ..policies import RetryPolicy


def retry_delays(policy: RetryPolicy, *, jitter: Callable[[float], float] = backoff.full_jitter) -> Iterator[float]:
    """The waits (seconds) between the tries of ``policy``, one fewer than its tries: exponential, with full jitter.

    ``jitter`` makes a wait of the longest that its place allows.
    """
    longest = backoff.expo(factor=policy.first_wait, max_value=policy.longest_wait)
    next(longest)  # backoff's generators yield once before their first value
    return (jitter(wait) for wait in islice(longest, policy.tries - 1))


def wait_before_retry(delay: float, retry_after: float | None) -> float:
    """``delay``, or what the answer asked to wait if that is longer: it is honoured in full (seconds)."""
    return max(delay, retry_after or 0.0)
