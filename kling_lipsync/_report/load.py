"""How many tasks ran over time, in a fixed number of cells however long it takes."""

from __future__ import annotations

from attrs import define, field

MOST_CELLS = 240


@define
class Cell:
    """What happened in one cell: slot-seconds filled, and tasks ended."""

    filled: float = 0.0
    succeeded: int = 0
    failed: int = 0

    def take(self, other: Cell) -> None:
        """Adds what happened in another."""
        self.filled += other.filled
        self.succeeded += other.succeeded
        self.failed += other.failed


@define
class Load:
    """Cells of ``width`` seconds side by side; they grow twice as wide when there would be too many."""

    width: float = 1.0
    cells: list[Cell] = field(factory=list)

    def fill(self, start: float, seconds: float, slots: int) -> None:
        """Adds ``slots`` that were filled for ``seconds`` from second ``start`` on."""
        end = start + seconds
        self._reach(end)
        while start < end:
            edge = (start // self.width + 1) * self.width  # widths are powers of two: no rounding
            self.at(start).filled += (min(end, edge) - start) * slots
            start = edge

    def at(self, second: float) -> Cell:
        """The cell of a second."""
        self._reach(second)
        return self.cells[int(second // self.width)]

    def _reach(self, second: float) -> None:
        while second >= MOST_CELLS * self.width:
            self._widen()
        self.cells += (Cell() for _ in range(len(self.cells), int(second // self.width) + 1))

    def _widen(self) -> None:
        self.width *= 2
        for left, right in zip(self.cells[::2], self.cells[1::2], strict=False):
            left.take(right)
        del self.cells[1::2]
