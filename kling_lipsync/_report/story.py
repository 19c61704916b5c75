"""Events, one after the other, as the tasks that they tell of; memory grows by one number for each task."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from attrs import define, evolve, field, frozen

from ..events import (
    CreateIntended,
    CreateUnanswered,
    DoubtRemains,
    Event,
    SlotPresumedFree,
    TaskCreated,
    TaskEnded,
    TaskFound,
)
from ..models import Status, TaskStatus
from .axis import Axis
from .load import Load

MOST_BARS = 300
"""Tasks that are drawn one by one; of more, only their number over time is."""

_STANDS: Mapping[type[Event], Status | None] = {
    CreateIntended: None,
    CreateUnanswered: None,
    DoubtRemains: Status.IN_DOUBT,
    TaskCreated: Status.RUNNING,
    TaskFound: Status.RUNNING,
}
"""How a task stands after each; ``None``: nobody has heard of it yet."""


@frozen(kw_only=True)
class Bar:
    """A task from its intent to the end that was seen, in Unix time."""

    key: str
    attempt: int
    began: float
    ended: float
    status: Status | None


@define(kw_only=True)
class Story:
    """What the events so far add up to.

    ``open`` are the tasks whose end is not known, by the key of their job; ``bars`` the ended ones, ``None`` where they
    are too many; ``seconds`` how long each took; ``slot_seconds`` and ``peak`` how many slots were filled, in
    all and at most: from Kling's word on that there is a task, as many an intent finds all slots taken.
    """

    axis: Axis = field(factory=Axis)
    load: Load = field(factory=Load)
    open: dict[str, Bar] = field(factory=dict)
    bars: list[Bar] | None = field(factory=list)
    seconds: array[float] = field(factory=lambda: array("d"))
    slot_seconds: float = 0.0
    peak: int = 0
    _running: set[str] = field(factory=set)

    def observe(self, event: Event) -> None:
        """Takes one fact into account; they come in their order."""
        self.pass_time(event.at)
        if isinstance(event, (TaskCreated, TaskFound)):
            self._running.add(event.key)
            self.peak = max(self.peak, len(self._running))
        elif event.slot is False:
            self._running.discard(event.key)
        self._follow(event)

    def pass_time(self, until: float) -> None:
        """Lets time go on to Unix time ``until``."""
        filled = len(self._running)
        start = self.axis.length
        passed = self.axis.advance(until, busy=filled > 0)
        self.load.fill(start, passed, filled)
        self.slot_seconds += passed * filled

    def settled(self, at_work: AbstractSet[str]) -> list[Bar]:
        """The open tasks as they stand now; ``at_work`` are the keys of jobs that somebody is at work on."""
        return [self._settled(bar, bar.key in at_work) for bar in self.open.values()]

    def _settled(self, bar: Bar, at_work: bool) -> Bar:
        status = bar.status or (Status.RUNNING if at_work else Status.IN_DOUBT)
        given_up = status is Status.IN_DOUBT and bar.ended > bar.began
        return evolve(bar, status=status, ended=bar.ended if given_up else self.axis.until)

    def _follow(self, event: Event) -> None:
        now = self.axis.until
        if type(event) in _STANDS:
            fresh = Bar(key=event.key, attempt=event.attempt, began=now, ended=now, status=None)
            self.open[event.key] = evolve(self.open.get(event.key, fresh), status=_STANDS[type(event)])
        elif isinstance(event, SlotPresumedFree) and event.key in self.open:
            self.open[event.key] = evolve(self.open[event.key], ended=now)
        elif isinstance(event, TaskEnded):
            self._end(event, self.open.pop(event.key, None))
        elif event.slot is False:  # the intent came to nothing
            self.open.pop(event.key, None)

    def _end(self, event: TaskEnded, bar: Bar | None) -> None:
        succeeded = event.task.status is TaskStatus.SUCCEED
        cell = self.load.at(self.axis.length)
        cell.succeeded += succeeded
        cell.failed += not succeeded
        if bar is None:
            return
        now = self.axis.until
        self.seconds.append(now - bar.began)
        if self.bars is not None:
            self.bars.append(evolve(bar, ended=now, status=Status.SUCCEEDED if succeeded else Status.FAILED))
            if len(self.bars) > MOST_BARS:
                self.bars = None
