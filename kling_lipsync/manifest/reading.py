"""A manifest as a whole: every wrong line found before the first job is handed out, in memory that stays small."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

from attrs import define, field, frozen

from .._workflow.fetch import name_of_result
from ..errors import ConfigurationError
from ..models import Job
from .columns import UNIQUE, Values, make_job, read_cells
from .rows import Flaw, Row, Unreadable, read_rows

_FILE = "file"
MOST_TOLD = 100
"""Wrong lines that an error lists; the rest is counted."""


class ManifestError(ConfigurationError):
    """A manifest is wrong: ``problems`` says "line N: …" for each wrong line, at most 100; ``count`` says how many
    there are. Nothing was sent.
    """

    def __init__(self, message: str, problems: Sequence[str] = (), count: int = 0) -> None:
        super().__init__(message)
        self.problems = tuple(problems)
        self.count = count

    def __str__(self) -> str:
        rest = self.count - len(self.problems)
        return "\n".join([self.message, *self.problems, *([f"… and {rest} more"] if rest > 0 else [])])


@frozen(kw_only=True)
class Manifest:
    """A manifest without a wrong line. Iterating over it reads the jobs from its file, one at a time, as often as
    asked; ``len`` is their number; ``key in manifest`` says whether it has the job.
    """

    path: Path
    _lines: dict[bytes, int] = field(repr=False, alias="lines")

    def __len__(self) -> int:
        return len(self._lines)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and _digest(key) in self._lines

    def __iter__(self) -> Iterator[Job]:
        """The jobs in the order of the file.

        Raises ManifestError where the file was changed since it was read whole.
        """
        folder = self.path.parent.absolute()
        for row in read_rows(self.path):
            values, wrong = read_cells(row.cells) if isinstance(row, Row) else ({}, [row.message])
            if wrong or self._lines.get(_digest(values["key"])) != row.line:
                raise ManifestError(f"{self.path}: changed at line {row.line} while its jobs were running")
            yield make_job(values, folder)


@define
class _Findings:
    """What reading a manifest whole finds out."""

    count: int = 0
    told: list[str] = field(factory=list)
    seen: dict[str, dict[bytes, int]] = field(factory=lambda: {column: {} for column in (*UNIQUE, _FILE)})

    def wrong(self, line: int, message: str) -> None:
        self.count += 1
        if len(self.told) < MOST_TOLD:
            self.told.append(f"line {line}: {message}")

    def add(self, row: Row) -> None:
        values, wrong = read_cells(row.cells)
        for message in wrong:
            self.wrong(row.line, message)
        repeated = [column for column in UNIQUE if column in row.cells and self._repeats(row, column)]
        if not wrong and "key" not in repeated:
            self._add_file(row.line, values)

    def _repeats(self, row: Row, column: str) -> bool:
        value = str(row.cells[column])
        first = self.seen[column].setdefault(_digest(value), row.line)
        if first != row.line:
            self.wrong(row.line, f"{column} {value[:60]!r} stands on line {first} already")
        return first != row.line

    def _add_file(self, line: int, values: Values) -> None:
        """Two jobs cannot share a file, whether its name is their output or made of their key."""
        name = name_of_result(values["key"], values.get("output"))
        first = self.seen[_FILE].setdefault(_digest(name), line)
        if first != line:
            whose = "output" if "output" in values else "its file"
            self.wrong(line, f"{whose} {name[:60]!r} is that of line {first} already")


def read_manifest(path: str | Path) -> Manifest:
    """The manifest at ``path`` (``.csv`` or ``.jsonl``, UTF-8), read whole once and checked line by line.

    Raises ManifestError with every wrong line: unknown columns, duplicate keys, two sources or none, what is not a
    number, and what cannot be read at all. Whether media exist and suit Kling is each job's own check. Memory: some
    hundred bytes a row.
    """
    path = Path(path)
    findings = _Findings()
    try:
        for row in read_rows(path):
            if isinstance(row, Flaw):
                findings.wrong(row.line, row.message)
            else:
                findings.add(row)
    except Unreadable as error:
        raise ManifestError(f"{path}: {error}") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror or error}") from error
    if findings.count:
        raise ManifestError(f"{path}: {_counted(findings.count)}; nothing was sent", findings.told, findings.count)
    if not findings.seen["key"]:
        raise ManifestError(f"{path}: there is no job in it")
    return Manifest(path=path, lines=findings.seen["key"])


def _counted(count: int) -> str:
    return "1 problem" if count == 1 else f"{count} problems"


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
