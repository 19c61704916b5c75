from __future__ import annotations

from decimal import Decimal

import pytest

from kling_lipsync._checks import task_units, worst_case_units
from kling_lipsync.models import Prices


@pytest.mark.parametrize(
    ("duration_ms", "units"),
    [
        (1, "0.5"),
        (5_000, "0.5"),
        (5_001, "1.0"),
        (10_000, "1.0"),
        (59_999, "6.0"),
        (60_000, "6.0"),
        (None, "6.0"),
        (0, "0.5"),
    ],
)
def test_a_task_costs_each_started_stretch(duration_ms: int | None, units: str) -> None:
    """Every started 5 s is paid whole, one at least; a video of unknown length counts as 60 s."""
    assert task_units(Prices(), duration_ms) == Decimal(units)


@pytest.mark.parametrize(
    ("identify", "speech", "units"),
    [(False, False, "1.0"), (True, False, "1.05"), (False, True, "1.07"), (True, True, "1.12")],
)
def test_the_worst_case_adds_what_is_still_to_be_paid(identify: bool, speech: bool, units: str) -> None:
    """Identify and speech count where they are still to be paid, exactly."""
    prices = Prices(identify=Decimal("0.05"), speech=Decimal("0.07"), lip_sync=Decimal("0.5"))
    assert worst_case_units(prices, 8_000, identify=identify, speech=speech) == Decimal(units)
