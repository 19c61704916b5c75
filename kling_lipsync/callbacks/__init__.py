"""Kling's callbacks: a receiver to mount in a server of one's own, and the check of a signature by itself."""

from __future__ import annotations

from .keyring import CallbackRequest
from .receiver import CallbackReceiver, make_token
from .signatures import SignatureInvalid, verify

__all__ = ["CallbackReceiver", "CallbackRequest", "SignatureInvalid", "make_token", "verify"]
