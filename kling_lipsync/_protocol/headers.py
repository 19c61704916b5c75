"""What an answer's headers say about time."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from ..abc import Response
from . import wire
from .values import number

LONGEST_WAIT = 24 * 3600.0


def server_time(response: Response) -> float | None:
    """Unix time on the server's clock (its ``Date`` header), or ``None``."""
    return _http_date(response.headers.get(wire.DATE, ""))


def retry_after(response: Response, now: float) -> float | None:
    """The seconds that the answer asks to wait (at most a day), or ``None``; RFC 9110 section 10.2.3.

    A date is compared with the answer's own ``Date``, since the two come from one clock; ``now`` (Unix time) stands in.
    """
    value = response.headers.get(wire.RETRY_AFTER, "").strip()
    seconds = number(value)
    if seconds is not None:
        return min(max(float(seconds), 0.0), LONGEST_WAIT)
    until = _http_date(value)
    if until is None:
        return None
    since = server_time(response)
    return min(max(until - (now if since is None else since), 0.0), LONGEST_WAIT)


@lru_cache(maxsize=16)  # every answer has one, and those of a second have the same
def _http_date(value: str) -> float | None:
    try:
        found = parsedate_to_datetime(value)
        return _in_utc(found).timestamp()
    except (ValueError, OverflowError):
        return None


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
