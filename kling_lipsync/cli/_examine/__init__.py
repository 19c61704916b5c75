"""Examines the way to a gateway and the account there, check by check; nothing of it costs money."""

from __future__ import annotations

from .checks import CHECKS, Check, examine
from .findings import Finding, Health
from .patient import Patient, patient

__all__ = ["CHECKS", "Check", "Finding", "Health", "Patient", "examine", "patient"]
