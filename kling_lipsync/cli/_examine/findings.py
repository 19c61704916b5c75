"""What a check finds: a verdict, what was seen, and what to do about it."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from ..._protocol.failures import CODES
from ...errors import (
    AccountError,
    APIError,
    AuthenticationError,
    KlingError,
    ProtocolError,
    RateLimited,
    ServerError,
    TransportError,
)


class Health(Enum):
    """The verdict of a check; only ``FAILED`` keeps jobs from running."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_KNOWN = "not known"


@frozen
class Finding:
    """What one check found: ``seen`` with its figures, ``todo`` where there is something to do."""

    health: Health
    seen: str
    todo: str | None = None


def ok(seen: str) -> Finding:
    """All is well."""
    return Finding(Health.OK, seen)


def warning(seen: str, todo: str | None) -> Finding:
    """Jobs can run, but something is to be known."""
    return Finding(Health.WARNING, seen, todo)


def failed(seen: str, todo: str | None) -> Finding:
    """No job can run like this, or not as the profile promises."""
    return Finding(Health.FAILED, seen, todo)


def skipped(seen: str) -> Finding:
    """There was no point in looking; ``seen`` says why."""
    return Finding(Health.SKIPPED, seen)


def not_known(seen: str, todo: str | None = None) -> Finding:
    """It cannot be told."""
    return Finding(Health.NOT_KNOWN, seen, todo)


def failed_with(error: KlingError) -> Finding:
    """An error as a failed check."""
    return failed(told(error), advice(error))


def told(error: KlingError) -> str:
    """What an error says, without the advice that goes with its code."""
    with_code = _advice_of_code(error)
    return str(error).replace(f"; {with_code}", "", 1) if with_code else str(error)


def advice(error: KlingError) -> str | None:
    """What to do about an error: what its code tells, or else its kind."""
    by_kind = next((todo for kind, todo in _ADVICE if isinstance(error, kind)), None)
    return _advice_of_code(error) or by_kind


def _advice_of_code(error: KlingError) -> str:
    return CODES.get(error.code or 0, (APIError, ""))[1] if isinstance(error, APIError) else ""


_ADVICE: tuple[tuple[type[KlingError], str], ...] = (
    (AuthenticationError, "check the key, and that it belongs to this gateway"),
    (AccountError, "see the account's state and permissions in the gateway's console"),
    (RateLimited, "wait a minute, and run this again"),
    (ServerError, "the fault is at the gateway: wait some minutes, and run this again"),
    (ProtocolError, "check --base-url, or KLING_BASE_URL: some gateways want a prefix behind the host, such as /kling"),
    (TransportError, "check the network and the proxy, and run this again"),
)
"""What to do about errors whose code does not tell."""
