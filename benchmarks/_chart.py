"""The figures that are compared, as a picture: horizontal bars, light or dark as the reader's screen is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from attrs import frozen

from benchmarks._figures import Figure, number

WIDTH = 760
NAMES = 150
BARS = WIDTH - NAMES - 80
ROW = 22
HEAD = 34
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 } .aim { fill: #59636e }
  .ours { fill: #1a7f37 } .script { fill: #9a6700 } .floor { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .aim { fill: #9198a1 } .ours { fill: #3fb950 } .script { fill: #d29922 }
    .floor { fill: #656c76 }
  }
"""


@frozen(kw_only=True)
class _Bar:
    """One line of a group: whose it is, how long, and how it is coloured."""

    name: str
    value: float
    kind: str


def draw(measured: Mapping[str, Sequence[Figure]]) -> str:
    """An SVG picture of every figure that has something beside it."""
    parts: list[str] = []
    y = 10
    for figure in (each for figures in measured.values() for each in figures):
        bars = list(_bars(figure))
        if len(bars) > 1:
            parts += _group(figure, bars, y)
            y += HEAD + ROW * len(bars) + 14
    picture = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}">'
    return "\n".join([picture, f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def _bars(figure: Figure) -> Iterator[_Bar]:
    if figure.ours is not None:
        yield _Bar(name="kling_lipsync", value=figure.ours, kind="ours")
    if figure.script is not None:
        yield _Bar(name="script by hand", value=figure.script, kind="script")
    for name, value in figure.floor.items():
        yield _Bar(name=name, value=value, kind="floor")


def _group(figure: Figure, bars: Sequence[_Bar], y: int) -> Iterator[str]:
    longest = max(bar.value for bar in bars) or 1.0
    aim = f' <tspan class="aim">(aim: {escape(figure.aim.text)})</tspan>' if figure.aim else ""
    yield f'<text class="title" x="0" y="{y + 14}">{escape(figure.name)}{aim}</text>'
    for row, bar in enumerate(bars):
        top = y + HEAD - 10 + ROW * row
        length = max(1.0, bar.value / longest * BARS)
        yield f'<text x="{NAMES - 8}" y="{top + 13}" text-anchor="end">{escape(bar.name)}</text>'
        yield f'<rect class="{bar.kind}" x="{NAMES}" y="{top}" width="{length:.1f}" height="{ROW - 5}" rx="2"/>'
        yield f'<text x="{NAMES + length + 6:.1f}" y="{top + 13}">{number(bar.value)}</text>'
