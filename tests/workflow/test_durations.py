"""What is known of how long tasks take: before the first result, after some, and long after a change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_lipsync._workflow.durations import REMEMBERED, Durations
from kling_lipsync._workflow.looks import WORTH

from .looking import spread

AGES = st.floats(min_value=0, max_value=1e6)
LEARNED = st.lists(st.floats(min_value=0, max_value=1e6), max_size=30)


def learned(durations: list[float]) -> Durations:
    it = Durations()
    for duration in durations:
        it.learn(duration)
    return it


@given(LEARNED, st.tuples(AGES, AGES, AGES))
def test_chances_are_chances(durations: list[float], ages: tuple[float, float, float]) -> None:
    """Between 0 and 1, never less for a longer time, and the same in one step as in two."""
    it = learned(durations)
    first, second, third = sorted(ages)
    near, far, rest = it.chance(first, second), it.chance(first, third), it.chance(second, third)
    assert 0 <= near <= far <= 1
    assert it.chance(second, first) == 0
    assert (1 - near) * (1 - rest) == pytest.approx(1 - far, abs=1e-6)


def test_before_the_first_result_tasks_take_kling_s_documented_minutes() -> None:
    """Hardly any in the first minute, most between 3 and 8, nearly all within 15."""
    it = Durations()
    assert it.ended_by(60) < 0.06
    assert it.ended_by(480) - it.ended_by(180) > 0.7
    assert it.ended_by(900) > 0.95


@pytest.mark.parametrize("age", [0.1, 1, 5, 20, 2000, 20_000])
def test_nothing_is_ruled_out_before_the_first_result(age: float) -> None:
    """Whatever its age, a task is worth a look once it is half as old again: this may be a faster world, or a
    slower.
    """
    assert Durations().chance(age, 1.5 * age) > WORTH


def test_results_soon_outweigh_what_is_documented() -> None:
    """After thirty tasks of two seconds, that is how long tasks take."""
    it = learned(list(spread(30, median=2.0)))
    assert it.ended_by(1.0) < 0.15
    assert 0.3 < it.ended_by(2.0) < 0.7
    assert it.ended_by(5.0) > 0.9


def test_old_durations_fade() -> None:
    """When Kling becomes slower, the fast tasks of former days count no more."""
    it = learned([100.0] * 1000 + [400.0] * 3 * REMEMBERED)
    assert it.ended_by(200.0) < 0.06
