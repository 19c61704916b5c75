"""A batch as the report shows it: numbers, tasks over time, and what did not succeed."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from attrs import frozen

from ..abc import Totals
from ..models import Status
from .axis import Axis
from .load import Load
from .story import MOST_BARS, Bar, Story


@frozen(kw_only=True)
class Figures:
    """Tasks in numbers: those that ended, how many an hour (pauses not counted), and how many seconds one took.

    ``filled`` is the share of ``peak`` slots, the most that tasks ever filled at once, that was filled on average while
    the batch was at work; ``wall`` is seconds from its first event to its last, ``paused`` those that were pauses.
    """

    ended: int
    per_hour: float | None
    median: float | None
    longest: float | None
    filled: float | None
    peak: int
    wall: float
    paused: float


@frozen(kw_only=True)
class Trouble:
    """A job that did not succeed, or whose video was not fetched, in words; ``next`` is what to do about it."""

    key: str
    status: Status
    attempts: int
    error: str
    next: str


@frozen(kw_only=True)
class Batch:
    """A batch at one moment. ``bars`` is ``None`` where tasks are too many to be drawn one by one.

    ``troubles`` are the first of ``troubled`` jobs; ``at_work`` says whether somebody is running the batch.
    """

    totals: Totals
    figures: Figures
    axis: Axis
    load: Load
    bars: Sequence[Bar] | None
    troubles: Sequence[Trouble] = ()
    troubled: int = 0
    at_work: bool = False


def bars_of(story: Story, open_bars: Sequence[Bar]) -> Sequence[Bar] | None:
    """All tasks in the order they began, or ``None`` where they are too many."""
    if story.bars is None or len(story.bars) + len(open_bars) > MOST_BARS:
        return None
    return sorted((*story.bars, *open_bars), key=lambda bar: bar.began)


def figures_of(story: Story) -> Figures:
    """The numbers of a story."""
    axis, ended = story.axis, len(story.seconds)
    wall = axis.until - axis.began
    offered = story.peak * axis.length
    return Figures(
        ended=ended,
        per_hour=ended / axis.length * 3600 if ended and axis.length else None,
        median=median(story.seconds) if ended else None,
        longest=max(story.seconds) if ended else None,
        filled=story.slot_seconds / offered if offered else None,
        peak=story.peak,
        wall=wall,
        paused=max(0.0, wall - axis.length),
    )
