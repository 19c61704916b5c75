"""The rows of a manifest's file, one at a time, each with its line number; and what cannot be read as a row."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import filterfalse
from pathlib import Path
from typing import Any, TextIO

from attrs import frozen

from .columns import Cells, is_known, unknown_column

LONGEST_LINE = 1024 * 1024
"""Characters."""

_DELIMITERS = ",;\t"
_WRONG_BYTE = re.compile("[\udc80-\udcff]")
_UTF_16 = ("\udcff\udcfe", "\udcfe\udcff")
"""How its byte-order marks look to a reader of UTF-8 that escapes wrong bytes."""


@frozen
class Row:
    """One row: the line it begins on, and its cells by column, empty ones left out."""

    line: int
    cells: Cells


@frozen
class Flaw:
    """Something that is no row, and what is wrong with it."""

    line: int
    message: str


class Unreadable(Exception):
    """The file cannot be read as a manifest at all; its text says why."""


class _BadLine(Exception):
    """One line cannot be read."""


def read_rows(path: Path) -> Iterator[Row | Flaw]:
    """Rows and flaws in the order of the file, reading one line at a time.

    Blank rows are left out. Raises Unreadable, and OSError.
    """
    read = {".csv": _csv_rows, ".tsv": _csv_rows, ".jsonl": _json_rows, ".ndjson": _json_rows}.get(path.suffix.lower())
    if read is None:
        raise Unreadable("a manifest's name ends in .csv or .jsonl")
    if not path.is_file():
        raise Unreadable("not a file" if path.exists() else "no such file")
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        yield from read(file)


class _Lines:
    """The lines of a file, counted; each is UTF-8, of a bounded length and without NUL, or raises _BadLine."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            self._skip_rest()
            raise _BadLine(f"longer than {LONGEST_LINE} characters")
        self._refuse_wrong_encoding(line)
        return line

    def _refuse_wrong_encoding(self, line: str) -> None:
        if self.number == 1 and line.startswith(_UTF_16):
            raise Unreadable("UTF-16; save it as UTF-8")
        if not line.isascii() and _WRONG_BYTE.search(line):
            raise _BadLine("not UTF-8; save the file as UTF-8")
        if "\0" in line:
            raise _BadLine("holds a NUL byte")

    def _skip_rest(self) -> None:
        while (rest := self._file.readline(LONGEST_LINE)) and not rest.endswith("\n"):
            pass


def _csv_rows(file: TextIO) -> Iterator[Row | Flaw]:
    columns: list[str] | None = None
    unknown: AbstractSet[str] = frozenset()
    for record in _csv_records(_Lines(file), _delimiter(file)):
        if isinstance(record, Flaw):
            yield record
        elif not any(cells := [cell.strip() for cell in record[1]]):
            continue
        elif columns is None:
            columns = cells
            unknown = frozenset(filterfalse(is_known, columns))
            yield from (Flaw(record[0], message) for message in _header_flaws(columns))
            if "key" not in columns:
                return
        else:
            yield _csv_row(record[0], columns, unknown, cells)
    if columns is None:
        raise Unreadable("empty")


def _csv_records(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str]] | Flaw]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        first = lines.number + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except _BadLine as error:
            yield Flaw(lines.number, str(error))
        except csv.Error as error:
            yield Flaw(first, f"not to be read as CSV: {error}")
        else:
            yield first, record


def _csv_row(line: int, columns: Sequence[str], unknown: AbstractSet[str], cells: Sequence[str]) -> Row | Flaw:
    if len(cells) != len(columns):
        return Flaw(line, f"{len(cells)} cells, but the header has {len(columns)}")
    filled = zip(columns, cells, strict=True)
    return Row(line, {column: cell for column, cell in filled if cell and column not in unknown})


def _delimiter(file: TextIO) -> str:
    """What stands between the header's cells: the one that gives the most known columns."""
    header = next((line for line in iter(lambda: file.readline(LONGEST_LINE), "") if line.strip()), "")
    file.seek(0)
    return max(_DELIMITERS, key=lambda delimiter: sum(is_known(cell) for cell in _header_cells(header, delimiter)))


def _header_cells(header: str, delimiter: str) -> Iterator[str]:
    return (cell.strip().strip('"') for cell in header.split(delimiter))


def _header_flaws(columns: Sequence[str]) -> Iterator[str]:
    yield from (unknown_column(column) for column in columns if not is_known(column))
    yield from (f"column {column!r} stands there twice" for column in set(columns) if columns.count(column) > 1)
    if "key" not in columns:
        yield "no column 'key'; the first line names the columns"


def _json_rows(file: TextIO) -> Iterator[Row | Flaw]:
    lines = _Lines(file)
    while True:
        try:
            line = next(lines)
            if line.strip():
                yield Row(lines.number, _json_object(line))
        except StopIteration:
            break
        except _BadLine as error:
            yield Flaw(lines.number, str(error))
    if not lines.number:
        raise Unreadable("empty")


def _json_object(line: str) -> Cells:
    try:
        read = json.loads(line, object_pairs_hook=_without_repeats, parse_constant=_no_number)
    except RecursionError:
        raise _BadLine("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise _BadLine(f"not to be read as JSON: {error.msg} (character {error.pos + 1})") from None
    except ValueError as error:
        raise _BadLine(f"not to be read as JSON: {error}") from None
    if not isinstance(read, dict):
        raise _BadLine("not a JSON object {…}")
    return {column: cell for column, cell in read.items() if cell is not None and cell != ""}


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    together = dict(pairs)
    if len(together) < len(pairs):
        raise ValueError("a name stands there twice")
    return together


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not a number")
