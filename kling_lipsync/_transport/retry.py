"""How long to wait before a request is sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from ..policies import RetryPolicy


def retry_delays(policy: RetryPolicy, *, jitter: Callable[[float], float] | None = None) -> Iterator[float]:
    """The waits (seconds) between the tries of ``policy``, one fewer than its tries: exponential, with full jitter.

    ``jitter`` makes a wait of the longest that its place allows: by default any up to it.
    """
    import backoff  # it brings asyncio and its subprocesses along, 12 ms that only a failure is worth

    longest = backoff.expo(factor=policy.first_wait, max_value=policy.longest_wait)
    next(longest)  # backoff's generators yield once before their first value
    spread = jitter or backoff.full_jitter
    return (spread(wait) for wait in islice(longest, policy.tries - 1))


def wait_before_retry(delay: float, retry_after: float | None) -> float:
    """``delay``, or what the answer asked to wait if that is longer: it is honoured in full (seconds)."""
    return max(delay, retry_after or 0.0)
