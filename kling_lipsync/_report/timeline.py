"""The picture of tasks over time, as SVG: a bar for each, or how many ran.

Places are per cent of the width, so that the picture fills any page while its words keep their size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush

from .axis import Axis, Tick
from .batch import Batch
from .load import Load
from .story import Bar
from .words import in_words, key_html, lasting, moment, number

_ROOM_FOR_LANES = 600
_TALLEST_LANE, _LOWEST_LANE = 20, 5
_CURVE, _ENDS, _GAP = 200, 60, 28
_AXIS = 40


def timeline(batch: Batch) -> str:
    """The picture, or nothing where no task was begun."""
    if batch.bars is not None and not batch.bars:
        return ""
    height, drawn = _curve(batch) if batch.bars is None else _bars(batch.bars, batch.axis)
    label = f"{number(batch.figures.ended)} ended tasks over time"
    return (
        f'<svg class="time" role="img" aria-label="{label}" width="100%" height="{height + _AXIS}">\n'
        f"{_axis(batch.axis, height)}{drawn}</svg>\n"
    )


def lanes(bars: Sequence[Bar]) -> list[int]:
    """The lane of each bar, so that none covers another, in as few lanes as can be; ``bars`` in order of beginning."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    chosen = []
    for bar in bars:
        while busy and busy[0][0] <= bar.began:
            heappush(free, heappop(busy)[1])
        lane = heappop(free) if free else len(busy)
        heappush(busy, (bar.ended, lane))
        chosen.append(lane)
    return chosen


def _bars(bars: Sequence[Bar], axis: Axis) -> tuple[int, str]:
    chosen = lanes(bars)
    count = max(chosen) + 1
    lane = max(_LOWEST_LANE, min(_TALLEST_LANE, _ROOM_FOR_LANES // count))
    drawn = (_bar(bar, axis, top=number * lane, height=lane) for bar, number in zip(bars, chosen, strict=True))
    return count * lane, "".join(drawn)


def _bar(bar: Bar, axis: Axis, *, top: int, height: int) -> str:
    left, right = axis.share(bar.began), axis.share(bar.ended)
    status = bar.status.value if bar.status else ""
    attempt = f", attempt {bar.attempt}" if bar.attempt > 1 else ""
    told = in_words(bar.status) if bar.status else ""
    return (
        f'<rect class="{status}" x="{left:.2%}" y="{top}" width="{max(0.002, right - left):.2%}" '
        f'height="{height - max(1, height // 6)}" rx="2"><title>{key_html(bar.key)}{attempt}: {told}, '
        f"{moment(bar.began, '%H:%M:%S')} to {moment(bar.ended, '%H:%M:%S')}, "
        f"{lasting(bar.ended - bar.began)}</title></rect>\n"
    )


def _curve(batch: Batch) -> tuple[int, str]:
    load, peak = batch.load, max(1, batch.figures.peak)
    cells = batch.axis.length / load.width
    most = max((cell.succeeded + cell.failed for cell in load.cells), default=0)
    drawn = (
        _panel(0, _CURVE, f"0 0 {cells:.3f} {peak}", f'<path class="running" d="{_area(load, cells, peak)}"/>')
        + _caption(0, f"{number(peak)} at once")
        + _panel(_CURVE + _GAP, _ENDS, f"0 0 {cells:.3f} {max(1, most)}", _ends(load, most))
        + _caption(_CURVE + _GAP, f"{number(most)} ended in {lasting(load.width)}")
    )
    return _CURVE + _GAP + _ENDS, drawn


def _panel(top: int, height: int, box: str, drawn: str) -> str:
    return (
        f'<line class="grid" x1="0" x2="100%" y1="{top}" y2="{top}"/>'
        f'<svg y="{top}" width="100%" height="{height}" viewBox="{box}" preserveAspectRatio="none">{drawn}</svg>\n'
    )


def _caption(top: int, words: str) -> str:
    return f'<text class="caption" x="0" y="{top - 5}">{words}</text>\n'


def _area(load: Load, cells: float, peak: int) -> str:
    steps = "".join(
        f"V{peak - cell.filled / load.width / min(1.0, cells - at):.2f}H{min(at + 1, cells):.2f}"
        for at, cell in enumerate(load.cells)
        if at < cells
    )
    return f"M0 {peak}{steps}V{peak}Z"


def _ends(load: Load, most: int) -> str:
    succeeded = "".join(
        _column(at, most - cell.failed, cell.succeeded) for at, cell in enumerate(load.cells) if cell.succeeded
    )
    failed = "".join(_column(at, most, cell.failed) for at, cell in enumerate(load.cells) if cell.failed)
    return f'<path class="succeeded" d="{succeeded}"/><path class="failed" d="{failed}"/>'


def _column(at: int, bottom: int, height: int) -> str:
    return f"M{at}.1 {bottom}v-{height}h.8v{height}z"


def _axis(axis: Axis, height: int) -> str:
    return "".join((*_pauses(axis, height), *_ticks(axis, height)))


def _pauses(axis: Axis, height: int) -> Iterator[str]:
    last = -1.0
    for stretch in axis.stretches[1:]:
        share = axis.share(stretch.began)
        if share - last > 0.01:
            last = share
            yield f'<line class="pause" x1="{share:.2%}" x2="{share:.2%}" y1="0" y2="{height + 6}"/>\n'


def _ticks(axis: Axis, height: int) -> Iterator[str]:
    day = ""
    for tick in axis.ticks():
        today = moment(tick.at, "%d %b")
        yield _tick(tick, height, "" if today == day else today)
        day = today


def _tick(tick: Tick, height: int, day: str) -> str:
    x = f"{tick.share:.2%}"
    time = moment(tick.at, "%H:%M" if tick.step >= 60 else "%H:%M:%S")
    anchor = "start" if tick.share < 0.03 else "end" if tick.share > 0.97 else "middle"
    return (
        f'<line class="grid" x1="{x}" x2="{x}" y1="0" y2="{height + 4}"/>'
        f'<text x="{x}" y="{height + 18}" text-anchor="{anchor}">{time}</text>'
        f'<text x="{x}" y="{height + 33}" text-anchor="{anchor}">{day}</text>\n'
    )
