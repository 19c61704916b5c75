from __future__ import annotations

from itertools import pairwise

import pytest

from kling_lipsync._report.axis import PAUSE, Axis
from kling_lipsync._report.batch import figures_of
from kling_lipsync._report.load import MOST_CELLS, Load
from kling_lipsync._report.story import MOST_BARS, Bar
from kling_lipsync._report.timeline import lanes
from kling_lipsync.errors import ErrorRecord
from kling_lipsync.events import (
    AttemptStarted,
    Checked,
    CreateNotTaken,
    CreateRefused,
    CreateUnanswered,
    DoubtRemains,
    SlotPresumedFree,
    TaskAbsent,
    TaskFound,
)
from kling_lipsync.models import Status, TaskStatus

from .telling import NOON, batch_of, created, ended, intent, made_up, task, told

LOST = ErrorRecord(type="AnswerLost", message="no answer")


def drawn(bars: object) -> list[tuple[str, Status, float, float]]:
    """Bars as key, status, and seconds after noon."""
    assert isinstance(bars, list)
    return [(bar.key, bar.status, bar.began - NOON, bar.ended - NOON) for bar in bars]


def test_a_task_is_a_bar_from_its_intent_to_its_end() -> None:
    """Each attempt has one, coloured by how it ended."""
    second = [intent("a", NOON + 41, attempt=2), created("a", NOON + 42), ended("a", NOON + 70)]
    story = told([*task("a", NOON, NOON + 40, TaskStatus.FAILED), AttemptStarted(key="a", at=NOON + 40.5), *second])
    assert drawn(story.bars) == [("a", Status.FAILED, 0, 40), ("a", Status.SUCCEEDED, 41, 70)]
    assert story.bars is not None
    assert [bar.attempt for bar in story.bars] == [1, 2]
    assert list(story.seconds) == [40, 29]


def test_an_intent_that_came_to_nothing_is_no_task() -> None:
    """Refused, not taken, or proved absent: nothing ran, so nothing is drawn and no slot was filled."""
    story = told(
        [
            *(intent(key, NOON) for key in "abc"),
            CreateRefused(key="a", at=NOON + 1, error=LOST),
            CreateNotTaken(key="b", at=NOON + 2, error=LOST),
            CreateUnanswered(key="c", at=NOON + 3, error=LOST),
            TaskAbsent(key="c", at=NOON + 60),
        ]
    )
    assert (story.bars, story.open, story.peak, story.slot_seconds) == ([], {}, 0, 0)


def test_open_tasks_run_to_the_end_of_the_picture() -> None:
    """Running is what Kling accepted, or what its process still works on; the rest is in doubt."""
    story = told(
        [
            *(intent(key, NOON) for key in ("accepted", "alive", "dead", "left", "found")),
            created("accepted", NOON + 1),
            CreateUnanswered(key="left", at=NOON + 1, error=LOST),
            DoubtRemains(key="left", at=NOON + 35, error=LOST),
            CreateUnanswered(key="found", at=NOON + 1, error=LOST),
            TaskFound(key="found", at=NOON + 40, task_id="t"),
        ]
    )
    story.pass_time(NOON + 100)
    assert drawn(story.settled({"alive"})) == [
        ("accepted", Status.RUNNING, 0, 100),
        ("alive", Status.RUNNING, 0, 100),
        ("dead", Status.IN_DOUBT, 0, 100),
        ("left", Status.IN_DOUBT, 0, 100),
        ("found", Status.RUNNING, 0, 100),
    ]


def test_a_doubt_ends_where_its_slot_was_given_up() -> None:
    """A doubt of yesterday does not cross today's picture; a late task does, without filling a slot."""
    story = told(
        [
            *(intent(key, NOON) for key in ("lost", "late")),
            created("late", NOON),
            DoubtRemains(key="lost", at=NOON + 35, error=LOST),
            SlotPresumedFree(key="lost", at=NOON + 50),
            SlotPresumedFree(key="late", at=NOON + 60),
            Checked(key="other", at=NOON + 90),
        ]
    )
    assert drawn(story.settled(set())) == [("lost", Status.IN_DOUBT, 0, 50), ("late", Status.RUNNING, 0, 90)]
    assert story.slot_seconds == 60


def test_numbers() -> None:
    """Rate, durations and slots come from the time at work; a pause is told apart."""
    later = NOON + 36_000
    figures = figures_of(
        told([*task("a", NOON, NOON + 99), *task("b", NOON, NOON + 50), *task("c", later, later + 101)])
    )
    assert (figures.ended, figures.median, figures.longest, figures.peak) == (3, 99, 101, 2)
    assert figures.per_hour == pytest.approx(3 / 200 * 3600)
    assert figures.filled == pytest.approx((98 + 49 + 100) / (2 * 200))
    assert (figures.wall, figures.paused) == (36_101, 36_101 - 200)


def test_numbers_of_nothing() -> None:
    """An empty journal divides by nothing."""
    figures = figures_of(told([]))
    assert (figures.ended, figures.per_hour, figures.median, figures.filled, figures.wall) == (0, None, None, None, 0)
    alone = figures_of(told([intent("a", NOON)]))
    assert (alone.per_hour, alone.filled, alone.wall) == (None, None, 0)


def test_lanes_are_as_many_as_ran_at_once() -> None:
    """No bar covers another; a lane is taken again as soon as its bar ends."""
    spans = [(0, 10), (1, 4), (2, 9), (4, 6), (6, 8), (10, 12)]
    bars = [Bar(key="k", attempt=1, began=began, ended=end, status=None) for began, end in spans]
    assert lanes(bars) == [0, 1, 2, 1, 1, 0]
    (*_, bars_of_many) = [batch_of(told(list(made_up(MOST_BARS, 7)))).bars]
    assert bars_of_many is not None
    assert max(lanes(bars_of_many)) == 6


def test_a_pause_is_cut_out_of_the_axis() -> None:
    """Nothing running and nothing happening for long makes a pause; a long task does not."""
    axis = Axis()
    for seconds, busy in ((0, False), (100, False), (100 + PAUSE + 1, True), (5000, False), (5100, False)):
        axis.advance(NOON + seconds, busy=busy)
    assert [(stretch.began - NOON, stretch.offset) for stretch in axis.stretches] == [(0, 0), (5000, 701)]
    assert axis.length == 801
    assert (axis.share(NOON), axis.share(NOON + 5000), axis.share(NOON + 5100)) == (0, 701 / 801, 1)


def test_a_clock_that_is_set_back_stands_still() -> None:
    """No time is negative, and what follows goes on from the latest time seen."""
    axis = Axis()
    assert [axis.advance(NOON + s, busy=True) for s in (0, 50, -3000, 60)] == [0, 50, 0, 10]
    assert (axis.length, len(axis.stretches)) == (60, 1)


@pytest.mark.parametrize("length", [0.5, 7, 59, 600, 3601, 86_400, 40 * 86_400, 3000 * 86_400])
def test_labels_stand_at_round_times_and_never_run_into_each_other(length: float) -> None:
    """However long the batch, there are a few labels, apart and in order."""
    axis = Axis()
    axis.advance(NOON, busy=True)
    axis.advance(NOON + length, busy=True)
    shares = [tick.share for tick in axis.ticks()]
    assert 1 <= len(shares) <= 9
    assert all(right - left >= 0.09 for left, right in pairwise(shares))


def test_the_load_keeps_its_sums_in_a_fixed_number_of_cells() -> None:
    """Widening loses nothing: slot-seconds and ends add up after a second as after a month."""
    load = Load()
    start = 0.0
    for seconds in (0.25, 3.0, 500.0, 80_000.0, 2_000_000.0):
        load.fill(start, seconds, 3)
        start += seconds
        load.at(start).succeeded += 1
    load.at(start).failed += 2
    assert len(load.cells) <= MOST_CELLS
    assert sum(cell.filled for cell in load.cells) == pytest.approx(start * 3)
    assert (sum(cell.succeeded for cell in load.cells), sum(cell.failed for cell in load.cells)) == (5, 2)
    assert load.cells[1].filled == pytest.approx(3 * load.width)
