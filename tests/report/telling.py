"""What the report's tests tell: events of made-up batches, and a reader of pages that refuses what is not plain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from heapq import heapreplace
from html.parser import HTMLParser
from random import Random

from attrs import evolve, frozen

from kling_lipsync._report.batch import Batch, Trouble, bars_of, figures_of
from kling_lipsync._report.story import Story
from kling_lipsync.abc import Totals
from kling_lipsync.events import Checked, CreateIntended, Event, TaskCreated, TaskEnded
from kling_lipsync.models import Status, Task, TaskStatus

NOON = 1_700_049_600.0
"""2023-11-15 12:00:00 UTC."""

VOID = frozenset({"meta", "rect", "line", "path", "br", "img"})


def intent(key: str, at: float, attempt: int = 1) -> CreateIntended:
    return CreateIntended(key=key, at=at, attempt=attempt, external_task_id=f"x-{key}-{attempt}")


def created(key: str, at: float) -> TaskCreated:
    return TaskCreated(key=key, at=at, task_id=f"t-{key}")


def ended(key: str, at: float, status: TaskStatus = TaskStatus.SUCCEED) -> TaskEnded:
    return TaskEnded(key=key, at=at, task=Task(task_id=f"t-{key}", status=status))


def task(key: str, began: float, end: float, status: TaskStatus = TaskStatus.SUCCEED) -> list[Event]:
    """A task from its intent to its end."""
    return [intent(key, began), created(key, began + 1), ended(key, end, status)]


def told(events: Sequence[Event]) -> Story:
    """The story of ``events``, which need not be in order."""
    story = Story()
    for event in sorted(events, key=lambda event: event.at):
        story.observe(event)
    return story


def made_up(jobs: int, slots: int, seed: int = 1) -> Iterator[Event]:
    """A batch of ``jobs`` that fills ``slots``: each task takes about two minutes, one of twenty fails."""
    random, free = Random(seed), [NOON + 5.0] * slots  # noqa: S311 - made up
    for number in range(jobs):
        key, began = f"job-{number:05}", free[0] + random.uniform(0.1, 2)
        end = began + random.lognormvariate(4.8, 0.35)
        heapreplace(free, end)
        yield Checked(key=key, at=NOON)
        yield from task(key, began, end, TaskStatus.FAILED if random.random() < 0.05 else TaskStatus.SUCCEED)


def batch_of(story: Story, *, at_work: bool = False, troubles: Sequence[Trouble] = (), troubled: int = 0) -> Batch:
    """A batch with that story, its jobs counted by their tasks."""
    open_bars = story.settled(frozenset(story.open) if at_work else frozenset())
    bars = bars_of(story, open_bars)
    cells = story.load.cells
    jobs = Counter({Status.SUCCEEDED: sum(c.succeeded for c in cells), Status.FAILED: sum(c.failed for c in cells)})
    jobs.update(bar.status for bar in open_bars if bar.status)
    totals = Totals(jobs=jobs, slots=0, spent=Decimal(sum(jobs.values())), reserved=Decimal(0), in_doubt=Decimal("0.5"))
    return Batch(
        totals=totals,
        figures=figures_of(story),
        axis=story.axis,
        load=story.load,
        bars=bars,
        troubles=troubles,
        troubled=troubled or len(troubles),
        at_work=at_work,
    )


@frozen
class Element:
    """A tag as it was met, with its attributes and the words directly in it."""

    tag: str
    attributes: dict[str, str]
    words: str = ""


class Page(HTMLParser):
    """Reads a page whole: each tag is closed, nothing runs, nothing is fetched."""

    def __init__(self, page: str) -> None:
        super().__init__()
        assert page.isascii()
        self.elements: list[Element] = []
        self._open: list[int] = []
        self.feed(page)
        self.close()
        assert not self._open, "tags stay open"

    @property
    def text(self) -> str:
        """All words of the page."""
        return " ".join(element.words for element in self.elements)

    def all(self, tag: str) -> list[Element]:
        """The elements of a tag."""
        return [element for element in self.elements if element.tag == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe", "img", "a", "base", "form")
        attributes = {name: value or "" for name, value in attrs}
        assert not [name for name in attributes if name.startswith("on") or name in ("href", "src")]
        self.elements.append(Element(tag, attributes))
        if tag not in VOID or tag == "rect":
            self._open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()].tag == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            at = self._open[-1]
            self.elements[at] = evolve(self.elements[at], words=self.elements[at].words + data)
