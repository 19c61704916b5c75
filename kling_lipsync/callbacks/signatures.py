"""Who sent a callback: signatures by the Standard Webhooks specification, as Kling's documentation of callbacks has
them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from attrs import field, frozen

from ..errors import ConfigurationError, KlingError

TOLERANCE = 300.0
"""Seconds that a callback's time may differ from ours, before or after: Kling's documentation of callbacks."""

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_PREFIX = "whsec_"
_VERSION = "v1,"
_LONGEST_TIMESTAMP = 12

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
Secrets: TypeAlias = str | Sequence[str]


class SignatureInvalid(KlingError):
    """A callback is not shown to be Kling's; the message says which check failed, and never the right signature."""


@frozen
class Genuine:
    """A callback whose signature is right: its id, and the key that signed it."""

    message_id: str
    key: bytes = field(repr=False)


def verify(
    body: bytes, headers: Headers, secret: Secrets, *, now: float | None = None, tolerance: float = TOLERANCE
) -> str:
    """The id (``webhook-id``) of a callback that ``secret`` signed; the same id again is the same callback.

    ``body`` is the request's body as it came. The names of ``headers`` count in any case. ``secret`` is the console's
    (base64, with or without ``whsec_``), or several while one replaces another. ``now`` is the Unix time, this
    machine's if left out; ``tolerance`` is in seconds. Raises ``SignatureInvalid`` where a header is missing, the time
    is too far off or no signature is right, ``ConfigurationError`` for a secret that is none.
    """
    moment = time.time() if now is None else now
    return authenticate(body, by_name(headers), keys_of(secret), now=moment, tolerance=tolerance).message_id


def keys_of(secrets: Secrets) -> tuple[bytes, ...]:
    """The keys that secrets stand for. Raises ``ConfigurationError``, which does not show them."""
    return tuple(map(_key, [secrets] if isinstance(secrets, str) else secrets))


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.strip().removeprefix(_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not key:
        raise ConfigurationError("a callback secret is empty or no base64: give it as Kling's console has it (whsec_…)")
    return key


def by_name(headers: Headers) -> dict[str, str]:
    """The headers with their names in lower case; of one that comes twice, the last."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return {name.lower(): value for name, value in pairs}


def authenticate(
    body: bytes, headers: Mapping[str, str], keys: Sequence[bytes], *, now: float, tolerance: float
) -> Genuine:
    """Which key signed the callback. ``headers`` have names in lower case. Raises ``SignatureInvalid``."""
    message_id, sent_at, given = (_header(headers, name) for name in (ID, TIMESTAMP, SIGNATURE))
    _check_time(sent_at, now, tolerance)
    signatures = [one.removeprefix(_VERSION) for one in given.split() if one.startswith(_VERSION)]
    message = f"{message_id}.{sent_at}.".encode() + body
    for key in keys:
        right = base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode()
        if any(hmac.compare_digest(right, signature) for signature in signatures):
            return Genuine(message_id, key)
    raise SignatureInvalid(
        f"none of the callback's {len(signatures)} signatures is right: is the secret that of the console?"
    )


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "").strip()
    if not value:
        raise SignatureInvalid(f"the callback has no header {name}: without a secret in Kling's console none is signed")
    if not value.isascii():
        raise SignatureInvalid(f"the callback's header {name} has other characters than ASCII")
    return value


def _check_time(sent_at: str, now: float, tolerance: float) -> None:
    if not sent_at.isdecimal() or len(sent_at) > _LONGEST_TIMESTAMP:
        raise SignatureInvalid(f"the callback's header {TIMESTAMP} is no Unix time in seconds")
    off = now - int(sent_at)
    if abs(off) > tolerance:
        where = "behind" if off > 0 else "ahead of"
        raise SignatureInvalid(
            f"the callback's time is {abs(off):.0f} s {where} this machine's, and {tolerance:.0f} s are allowed"
        )
