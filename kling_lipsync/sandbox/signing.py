"""Who is calling, and which links open: Bearer keys, JWTs (HS256) and signed URLs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from attrs import frozen

from kling_lipsync.sandbox.refusals import Refused
from kling_lipsync.sandbox.settings import Settings


def account_name(credential: str) -> str:
    """The name under which statistics show the account of a key: they never show the key itself."""
    return "account-" + hashlib.sha256(credential.encode()).hexdigest()[:12]


def authenticate(authorization: str | None, settings: Settings, now: float) -> str:
    """The account's name for an ``Authorization`` header.

    Raises:
        Refused: 1000-1004 as Kling's documentation of authentication has them.
    """
    if not authorization or not authorization.strip():
        raise Refused(1001)
    scheme, _, key = authorization.partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer":
        raise Refused(1000, "Authentication failed: Authorization must begin with Bearer")
    if not key:
        raise Refused(1001)
    claims = _jwt_claims(key)
    return _key_account(key, settings) if claims is None else _jwt_account(key, claims, settings, now)


def _key_account(key: str, settings: Settings) -> str:
    if (settings.api_keys or settings.access_key) and key not in settings.api_keys:
        raise Refused(1002, "Authorization is invalid: unknown key")
    return account_name(key)


def _jwt_account(token: str, claims: dict[str, Any], settings: Settings, now: float) -> str:
    if not settings.dialect.takes_jwt:
        raise Refused(1002, "Authorization is invalid: an API key is wanted")
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        raise Refused(1002, "Authorization is invalid: iss is required")
    if issuer != settings.access_key and (settings.access_key is not None or settings.api_keys):
        raise Refused(1002, "access key not found")
    if settings.secret_key is not None and not _signed_by(token, settings.secret_key):
        raise Refused(1000, "Authentication failed: signature is invalid")
    _check_times(claims, now)
    return account_name(issuer)


def _check_times(claims: dict[str, Any], now: float) -> None:
    expires, not_before = claims.get("exp"), claims.get("nbf", 0)
    if not (isinstance(expires, int | float) and isinstance(not_before, int | float)):
        raise Refused(1002, "Authorization is invalid: exp and nbf must be Unix times")
    if now < not_before:
        raise Refused(1003)
    if now >= expires:
        raise Refused(1004)


def _jwt_claims(token: str) -> dict[str, Any] | None:
    """The claims of a token that is a JWT by its shape, whoever signed it; else None."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        header, claims = (json.loads(_unpad(part)) for part in parts[:2])
    except ValueError:
        return None
    is_jwt = isinstance(header, dict) and header.get("alg") == "HS256" and isinstance(claims, dict)
    return claims if is_jwt else None


def _signed_by(token: str, secret: str) -> bool:
    signed, _, signature = token.rpartition(".")
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"="), signature.encode())


def _unpad(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@frozen
class Links:
    """Signed links to the sandbox's own results: ``/results/NAME?expires=…&sign=…``."""

    secret: str

    def sign(self, origin: str, name: str, expires: float) -> str:
        """A URL below ``origin`` that opens ``name`` until ``expires`` (Unix seconds)."""
        until = str(int(expires))
        return f"{origin}/results/{quote(name)}?expires={until}&sign={self._signature(name, until)}"

    def opens(self, name: str, query: Mapping[str, Sequence[str]], now: float) -> bool:
        """Whether a link's parameters (lists of values by name) are those that `sign` wrote, and good at ``now``."""
        expires, signature = ((query.get(key) or [""])[0] for key in ("expires", "sign"))
        right = hmac.compare_digest(self._signature(name, expires).encode(), signature.encode())
        return right and now < int(expires)

    def _signature(self, name: str, expires: str) -> str:
        return hmac.new(self.secret.encode(), f"{name}\n{expires}".encode(), hashlib.sha256).hexdigest()[:32]


def webhook_headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks for ``body``; ``secret`` is base64 with or without ``whsec_``."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
