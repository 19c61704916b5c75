"""The report of a batch as one HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from ..models import Status
from .batch import Batch, Figures, Trouble
from .page import whole_page
from .style import STYLE
from .timeline import timeline
from .words import in_words, key_html, key_text, lasting, message_html, moment, number

_HEADS = "<thead><tr><th>Job</th><th>Status</th><th>Attempts</th><th>Why</th><th>What to do</th></tr></thead>\n"


def batch_page(batch: Batch, name: str) -> str:
    """The page of a batch, whole, in ASCII; ``name`` is what to call it.

    What came from outside is escaped and bounded; no result's address and nothing that signs one is in it.
    """
    body = (
        f"<main>\n<h1>{key_html(name)}</h1>\n{_when(batch)}{_jobs(batch)}{_numbers(batch)}{_picture(batch)}"
        f"{_table(batch)}</main>"
    )
    return whole_page(f"Report of {key_text(name)}", STYLE, body)


def _when(batch: Batch) -> str:
    axis = batch.axis
    if not axis.stretches:
        return "<p>Nothing has happened yet.</p>\n"
    now = ", still at work" if batch.at_work else ""
    until = moment(axis.until)
    same_day = until.startswith(moment(axis.began, "%Y-%m-%d"))
    return f"<p>{moment(axis.began)} to {until[11:] if same_day else until} UTC{now}</p>\n"


def _jobs(batch: Batch) -> str:
    jobs = {status: batch.totals.jobs[status] for status in Status if batch.totals.jobs.get(status)}
    total = sum(jobs.values())
    shares = "".join(
        f'<span class="{status.value}" style="flex-grow:{count}"></span>' for status, count in jobs.items()
    )
    legend = "".join(
        f"<li>{_mark(status)}<b>{number(count)}</b> {in_words(status)}</li>" for status, count in jobs.items()
    )
    return (
        f'<h2>{_jobs_of(total)}</h2>\n<div class="shares" aria-hidden="true">{shares}</div>\n'
        f'<ul class="legend">{legend}</ul>\n'
    )


def _jobs_of(count: int) -> str:
    return f"{number(count)} job{'' if count == 1 else 's'}"


def _mark(status: Status) -> str:
    return f'<i class="{status.value}"></i>'


def _numbers(batch: Batch) -> str:
    tiles = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd><dd>{more}</dd></div>\n" for name, value, more in _tiles(batch)
    )
    return f'<dl class="tiles">\n{tiles}</dl>\n'


def _tiles(batch: Batch) -> Iterator[tuple[str, str, str]]:
    totals, figures = batch.totals, batch.figures
    yield (
        "Units spent",
        number(totals.spent),
        f"{number(totals.reserved)} reserved, {number(totals.in_doubt)} in doubt",
    )
    yield "Tasks ended", number(figures.ended), _rate(figures)
    longest = "" if figures.longest is None else f"longest {lasting(figures.longest)}"
    yield "Median task", "none" if figures.median is None else lasting(figures.median), longest
    filled = "none" if figures.filled is None else f"{figures.filled:.0%}"
    yield "Slots filled", filled, f"of {figures.peak}, the most at once" if figures.peak else ""
    paused = f"{lasting(figures.paused)} of it paused" if figures.paused >= 1 else "without a pause"
    yield "Wall time", lasting(figures.wall), paused


def _rate(figures: Figures) -> str:
    return "" if figures.per_hour is None else f"{number(round(figures.per_hour))} an hour"


def _picture(batch: Batch) -> str:
    drawn = timeline(batch)
    if not drawn:
        return ""
    if batch.bars is None:
        told, statuses = "How many tasks ran, and how many ended.", [Status.SUCCEEDED, Status.FAILED, Status.RUNNING]
    else:
        told = "Each bar is a task, from the intent to buy it to the end that was seen; point at one for its key."
        seen = {bar.status for bar in batch.bars}
        statuses = [status for status in Status if status in seen]
    legend = "".join(f"<li>{_mark(status)}{in_words(status)}</li>" for status in statuses)
    pauses = " A dashed line is a pause, left out." if len(batch.axis.stretches) > 1 else ""
    return (
        f'<h2>Tasks over time</h2>\n<p>{told} Times are UTC.{pauses}</p>\n<ul class="legend">{legend}</ul>\n'
        f"<figure>\n{drawn}</figure>\n"
    )


def _table(batch: Batch) -> str:
    if not batch.troubled:
        return ""
    more = batch.troubled - len(batch.troubles)
    note = f"<p>and {number(more)} more; the results of <code>run --results</code> list all.</p>\n" if more else ""
    return (
        f'<h2>{_jobs_of(batch.troubled)} did not come to the end</h2>\n<div class="wide"><table>\n{_HEADS}'
        f"<tbody>\n{_rows(batch.troubles)}</tbody>\n</table></div>\n{note}"
    )


def _rows(troubles: Sequence[Trouble]) -> str:
    return "".join(
        f'<tr><th scope="row">{key_html(trouble.key)}</th><td class="status">{_mark(trouble.status)}'
        f"{_told(trouble.status)}</td><td>{trouble.attempts}</td><td>{message_html(trouble.error)}</td>"
        f"<td>{escape(trouble.next)}</td></tr>\n"
        for trouble in troubles
    )


def _told(status: Status) -> str:
    return "not fetched" if status is Status.SUCCEEDED else in_words(status)
