"""What a job may cost, in units, by a gateway's price table."""

from __future__ import annotations

from decimal import Decimal

from ..models import Prices
from .contract import TWO_STEP

PRICED_STRETCH_MS = 5_000
"""Lip-sync is charged for each started stretch of the video: Kling's price list."""


def task_units(prices: Prices, video_duration_ms: int | None) -> Decimal:
    """What one task costs. A video of unknown length (``None``) counts as the longest that Kling takes, 60 s."""
    duration_ms = int(TWO_STEP.video_ms.high) if video_duration_ms is None else video_duration_ms
    started = -(-duration_ms // PRICED_STRETCH_MS)
    return prices.lip_sync * max(1, started)


def worst_case_units(prices: Prices, video_duration_ms: int | None, *, identify: bool, speech: bool) -> Decimal:
    """The most that a job may cost: its task, and ``identify`` and ``speech`` where they are still to be paid."""
    extras = (prices.identify if identify else Decimal(0)) + (prices.speech if speech else Decimal(0))
    return task_units(prices, video_duration_ms) + extras
