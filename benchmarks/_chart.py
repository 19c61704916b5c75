"""The figures that are compared, as a picture: bars in two columns, light or dark as the reader's screen is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from attrs import frozen

from benchmarks._figures import Figure, number

COLUMN = 430
GAP = 30
NAMES = 108
BARS = COLUMN - NAMES - 62
ROW = 20
HEAD = 40
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 } .aim { fill: #59636e }
  .ours { fill: #1a7f37 } .script { fill: #bf8700 } .floor { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .aim { fill: #9198a1 }
    .ours { fill: #3fb950 } .script { fill: #d29922 } .floor { fill: #656c76 }
  }
"""


@frozen(kw_only=True)
class _Bar:
    """One line of a panel: whose it is, how long, and how it is coloured."""

    name: str
    value: float
    kind: str


def draw(measured: Mapping[str, Sequence[Figure]]) -> str:
    """An SVG picture of every figure that has something beside it, each in the column that has more room left."""
    parts: list[str] = []
    ends = [10, 10]
    for figure in (each for figures in measured.values() for each in figures):
        bars = list(_bars(figure))
        if len(bars) > 1:
            column = ends.index(min(ends))
            parts += _panel(figure, bars, column * (COLUMN + GAP), ends[column])
            ends[column] += HEAD + ROW * len(bars) + 16
    width, height = 2 * COLUMN + GAP, max(ends)
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    )
    return "\n".join([picture, f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def _bars(figure: Figure) -> Iterator[_Bar]:
    if figure.ours is not None:
        yield _Bar(name="kling_lipsync", value=figure.ours, kind="ours")
    if figure.script is not None:
        yield _Bar(name="script by hand", value=figure.script, kind="script")
    for name, value in figure.floor.items():
        yield _Bar(name=name, value=value, kind="floor")


def _panel(figure: Figure, bars: Sequence[_Bar], x: int, y: int) -> Iterator[str]:
    longest = max(bar.value for bar in bars) or 1.0
    what, _, where = figure.name.partition(": ")
    yield f'<text class="title" x="{x}" y="{y + 12}">{escape(what)}</text>'
    yield f'<text class="aim" x="{x}" y="{y + 28}">{escape(_under(where, figure))}</text>'
    for row, bar in enumerate(bars):
        top = y + HEAD + ROW * row - 5
        length = max(1.0, bar.value / longest * BARS)
        yield f'<text x="{x + NAMES - 8}" y="{top + 12}" text-anchor="end">{escape(bar.name)}</text>'
        yield f'<rect class="{bar.kind}" x="{x + NAMES}" y="{top}" width="{length:.1f}" height="{ROW - 5}" rx="2"/>'
        yield f'<text x="{x + NAMES + length + 6:.1f}" y="{top + 12}">{number(bar.value)}</text>'


def _under(where: str, figure: Figure) -> str:
    return " · ".join(part for part in (where, figure.aim and f"aim {figure.aim.text}") if part)
