"""Credentials, and the Authorization header they become.

Two kinds, as Kling's documentation of authentication has them: an API key that is sent as it is, and a pair of keys
that signs a JSON Web Token (HS256) for half an hour.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping

from attrs import define, field, frozen

from ..errors import ConfigurationError
from . import wire

LIFETIME = 1800
"""Seconds that a token lives."""

LEEWAY = 5
"""Seconds by which it is dated back, for clocks that disagree."""

RENEWED_AFTER = 900.0
"""Seconds after which a new one is signed, long before the old one ends."""

_HEADER = {"alg": "HS256", "typ": "JWT"}


def _key(value: str) -> str:
    key = value.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            "a key is one word of plain ASCII characters, and this one is empty or has a space, a line break or some "
            "other character in it: copy it again, without 'Bearer'"
        )
    return key


@frozen
class ApiKey:
    """An API key. Raises ``ConfigurationError`` for one that could not stand in a header."""

    key: str = field(converter=_key, repr=False)

    def authorization(self, now: float) -> str:
        """The header's value, at any time."""
        return wire.BEARER + self.key

    def fresh(self, now: float) -> str:
        """The same value: there is nothing to renew."""
        return self.authorization(now)

    @property
    def identity(self) -> str:
        """A short name for the key that does not give it away."""
        return _fingerprint(self.key)


@define(eq=False)
class AccessKey:
    """An access key and its secret. Raises ``ConfigurationError`` for one that could not stand in a header."""

    access_key: str = field(converter=_key)
    secret_key: str = field(converter=_key, repr=False)
    _token: str = field(default="", init=False, repr=False)
    _signed_at: float = field(default=0.0, init=False, repr=False)

    def authorization(self, now: float) -> str:
        """The header's value at ``now`` (Unix time on the server's clock); signed anew after a quarter of an hour, and
        when the clock was set back.
        """
        if self._token and 0 <= now - self._signed_at < RENEWED_AFTER:
            return wire.BEARER + self._token
        return self.fresh(now)

    def fresh(self, now: float) -> str:
        """The header's value with a token signed just now."""
        claims = {"iss": self.access_key, "exp": int(now) + LIFETIME, "nbf": int(now) - LEEWAY}
        self._token, self._signed_at = _signed(claims, self.secret_key), now
        return wire.BEARER + self._token

    @property
    def identity(self) -> str:
        """A short name for the pair that does not give it away."""
        return _fingerprint(self.access_key)


Credentials = ApiKey | AccessKey


def make_credentials(
    *, api_key: str | None = None, access_key: str | None = None, secret_key: str | None = None
) -> Credentials:
    """The credentials that the arguments make: an API key, or a pair.

    Raises ``ConfigurationError`` for none, both, or half a pair.
    """
    if api_key is not None and access_key is None and secret_key is None:
        return ApiKey(api_key)
    if api_key is None and access_key is not None and secret_key is not None:
        return AccessKey(access_key, secret_key)
    raise ConfigurationError("give either an API key, or an access key together with its secret key")


def _signed(claims: Mapping[str, object], secret: str) -> str:
    signed = f"{_segment(_HEADER)}.{_segment(claims)}"
    mark = hmac.digest(secret.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{_base64(mark)}"


def _segment(values: Mapping[str, object]) -> str:
    return _base64(json.dumps(values, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]
