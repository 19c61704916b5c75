"""How long to wait before a request is sent again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
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


def parse_retry_after(value: str, now: float) -> float | None:
    """The seconds that a ``Retry-After`` header asks to wait, ``None`` where it cannot be read (RFC 9110, 10.2.3).

    ``value`` is a number of seconds, or a date, which is counted from ``now`` (Unix time) and may have passed (0.0).
    """
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_until(value, now)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _seconds_until(date: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)
