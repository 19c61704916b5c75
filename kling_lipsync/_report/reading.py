"""Reads a batch out of a journal, page by page, also while a run is writing it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..abc import JournalReader
from ..events import Event
from ..models import Status
from .batch import Batch, bars_of, figures_of
from .story import Story
from .troubles import Troubles, troubles_of


async def read_batch(journal: JournalReader, *, now: float) -> Batch:
    """The batch as it stands; ``now`` is Unix time, up to which running tasks are drawn.

    Raises ``JournalError`` where the journal cannot be read.
    """
    totals = await journal.totals()
    story = Story()
    async for event in _events(journal, totals.last_seq):
        story.observe(event)
    at_work = frozenset(story.open) - frozenset(await journal.unclaimed(list(story.open)))
    if at_work:
        story.pass_time(now)
    settled = story.settled(at_work)
    troubles = Troubles(frozenset(bar.key for bar in settled if bar.status is Status.RUNNING) & at_work)
    async for row in journal.rows():
        troubles.look_at(row)
    return Batch(
        totals=totals,
        figures=figures_of(story),
        axis=story.axis,
        load=story.load,
        bars=bars_of(story, settled),
        troubles=await troubles_of(journal, troubles.first),
        troubled=troubles.count,
        at_work=bool(at_work),
    )


async def _events(journal: JournalReader, last: int) -> AsyncIterator[Event]:
    """All events up to number ``last``; those that are written meanwhile are left out."""
    after = 0
    while after < last:
        page = await journal.events(after=after)
        for event in page:
            if event.seq <= last:
                yield event
        after = page[-1].seq if page else last
