"""The knobs: limits, pace, patience and money, as frozen values with defaults that suit an account of one small
pack.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import field, frozen, validators

_positive: Any = validators.gt(0)
_optional_positive: Any = validators.optional(_positive)


@frozen(kw_only=True)
class Limits:
    """How much runs at once.

    ``running_tasks`` is a ceiling on the tasks that run at Kling at once (the account's slots); ``None`` finds the
    account's allowance by itself. ``requests_per_second`` paces every API request; ``None`` does not pace.
    ``prepared_ahead`` is how many jobs, or half the slots if that is more, are at most checked, identified and planned
    ahead of the slots that are free; how many are follows from the time that this takes and the tasks about to end.
    """

    running_tasks: int | None = field(default=None, validator=_optional_positive)
    requests_per_second: float | None = field(default=10.0, validator=_optional_positive)
    prepared_ahead: int = field(default=16, validator=_positive)


@frozen(kw_only=True)
class RetryPolicy:
    """How often a request is sent again when an error may pass by itself, and how long to wait before (seconds, full
    jitter).
    """

    tries: int = field(default=5, validator=_positive)
    first_wait: float = field(default=1.0, validator=_positive)
    longest_wait: float = field(default=60.0, validator=_positive)


@frozen(kw_only=True)
class PollPolicy:
    """How often running tasks are looked at, and for how long (seconds).

    ``interval``: never looks more often. ``task_timeout``: a wait for one task ends after it as ``running``; the task
    stays in the journal and is looked at again by the next run.
    """

    interval: float = field(default=5.0, validator=_positive)
    task_timeout: float = field(default=3600.0, validator=_positive)


@frozen(kw_only=True)
class Budget:
    """The most that a journal may spend in its whole life, in units; the worst case is reserved before each send."""

    units: Decimal = field(validator=_positive)


@frozen(kw_only=True)
class Timeouts:
    """Seconds that one request may take: to connect, to write a piece, to wait for a piece of the answer, by operation.

    Identify answers after some 15 s, and creates have been seen to take 30 s; both are given 120 s.
    """

    connect: float = field(default=20.0, validator=_positive)
    write: float = field(default=60.0, validator=_positive)
    query: float = field(default=60.0, validator=_positive)
    identify: float = field(default=120.0, validator=_positive)
    create: float = field(default=120.0, validator=_positive)
    speech: float = field(default=120.0, validator=_positive)
    download: float = field(default=60.0, validator=_positive)
