"""What is measured: figures beside those of the script and the floor, and the aim that they are held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from attrs import asdict, frozen


class Size(Enum):
    """How much is measured: enough to see that it runs, the usual, or all, for as long as that takes."""

    QUICK = "quick"
    USUAL = "usual"
    FULL = "full"


class Skipped(Exception):
    """Why something cannot be measured here."""


@frozen(kw_only=True)
class Aim:
    """What a figure is held to: ``text`` says it, ``value`` is what is compared with ``least`` and ``most``."""

    text: str
    value: float
    least: float | None = None
    most: float | None = None

    @property
    def reached(self) -> bool:
        """Whether it is met."""
        enough = self.least is None or self.value >= self.least
        return enough and (self.most is None or self.value <= self.most)


@frozen(kw_only=True)
class Figure:
    """One line of the table; what was not measured of somebody is ``None``, or absent from ``floor``."""

    name: str
    ours: float | None
    script: float | None = None
    floor: Mapping[str, float] = {}
    aim: Aim | None = None

    def as_json(self) -> dict[str, Any]:
        """The figure as JSON has it."""
        said = asdict(self)
        return said if self.aim is None else {**said, "reached": self.aim.reached}

    def cells(self) -> tuple[str, ...]:
        """The figure as a line of the table has it."""
        floor = ", ".join(f"{name} {number(value)}" for name, value in self.floor.items())
        return (self.name, number(self.ours), number(self.script), floor, *self._judgement())

    def _judgement(self) -> tuple[str, str]:
        if self.aim is None:
            return "", ""
        return self.aim.text, "yes" if self.aim.reached else f"no: {number(self.aim.value)}"


COLUMNS = ("figure", "ours", "script", "floor", "aim", "reached")


def number(value: float | None) -> str:
    """A figure with as many digits as can be read."""
    if value is None:
        return ""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 100 else f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"


def table(figures: Sequence[Figure]) -> str:
    """All figures as text, a line each."""
    rows = [COLUMNS, *(figure.cells() for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
