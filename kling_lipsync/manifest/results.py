"""Results: a JSONL file with one line for each job that was begun, appended as jobs end, compacted at the end."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import AsyncIterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from .._journal import plain_outcome
from ..errors import ConfigurationError
from ..events import Outcome
from ..models import Plan, Status, Verdict
from .earlier import listed, listed_by

Plain = Mapping[str, Any]
"""An outcome in values that JSON has, as the journal keeps it: what is left out has its default."""

_NONE: Plain = {}
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def result_line(told: Plain) -> dict[str, Any]:
    """An outcome as its line of the results: names, order and types are a format that other programs read."""
    task, face = told.get("task", _NONE), told.get("face", _NONE)
    return {
        "key": told["key"],
        "status": told["status"],
        "attempts": told.get("attempts", 1),
        "task_id": told.get("task_id"),
        "external_task_id": told.get("external_task_id"),
        "face_id": face.get("face_id"),
        "plan": told.get("plan"),
        "video_url": task.get("video_url"),
        "watermark_url": task.get("watermark_url"),
        "file": told.get("file"),
        "video_duration_ms": task.get("video_duration_ms"),
        "elapsed_s": told.get("elapsed"),
        "units": units_number(Decimal(told.get("units", 0))),
        "units_in_doubt": units_number(Decimal(told.get("units_in_doubt", 0))),
        "meta": told.get("meta", _NONE),
        "error": _error_object(told.get("record")),
    }


def plan_object(plan: Plan | None) -> dict[str, int] | None:
    """A plan as JSON: its three times in ms."""
    if plan is None:
        return None
    return {name: getattr(plan, name) for name in ("sound_start_ms", "sound_end_ms", "sound_insert_ms")}


def units_number(units: Decimal) -> int | float:
    """Units as a JSON number."""
    return int(units) if units == units.to_integral_value() else float(units)


def _error_object(record: Plain | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "type": record["type"],
        "code": record.get("code"),
        "message": record["message"],
        "request_id": record.get("request_id"),
        "problems": [
            {"rule": each["rule"], "verdict": each.get("verdict", Verdict.FAIL.value), "message": each["message"]}
            for each in record.get("problems", ())
        ],
    }


class ResultsFile:
    """The results of one batch at ``path``: a view of its journal, so it may be deleted at any time.

    ``async with`` rebuilds it from the plain ``outcomes``, and compacts it at the end where it has grown, both
    atomically; in between, ``append`` adds a line, and a later line for a key wins. Raises ConfigurationError where the
    file cannot be written or holds something else.
    """

    def __init__(self, path: str | Path, outcomes: AsyncIterable[Plain]) -> None:
        self.path = Path(path)
        self._outcomes = outcomes
        self._file: IO[str] | None = None
        self._grown = False

    async def __aenter__(self) -> ResultsFile:
        with _told(self.path):
            next(listed(self.path), None)  # refuses to write over a file that holds something else
            with _replacing(self.path) as file:
                async for outcome in self._outcomes:
                    if outcome["status"] != Status.NOT_STARTED.value:
                        file.write(_line(outcome))
            self._file = self.path.open("a", encoding="utf-8", newline="\n")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        file, self._file = self._file, None
        if file is not None:
            with _told(self.path):
                file.close()
                if self._grown:
                    self._compact()

    def append(self, outcome: Outcome) -> None:
        """Adds the outcome's line and hands it to the operating system, unless the job was not started."""
        if self._file is None:
            raise RuntimeError("the results are not open: use 'async with'")
        if outcome.status is Status.NOT_STARTED:
            return
        self._grown = True
        with _told(self.path):
            self._file.write(_line(plain_outcome(outcome)))
            self._file.flush()

    def _compact(self) -> None:
        """Keeps the last line of each job; half a line, as a full disk leaves it, is dropped."""
        with self.path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
            last = {job.key: number for number, line in enumerate(lines) if (job := listed_by(line)) is not None}
        kept = frozenset(last.values())
        with (
            self.path.open(encoding="utf-8", errors="replace", newline="\n") as lines,
            _replacing(self.path) as file,
        ):
            file.writelines(line for number, line in enumerate(lines) if number in kept)


def _line(outcome: Plain) -> str:
    return _encode(result_line(outcome)) + "\n"


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the operating system refuses, as an error that says so."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"{path}: the results cannot be written: {error.strerror or error}") from error


@contextmanager
def _replacing(path: Path) -> Iterator[IO[str]]:
    """A new file that takes the place of ``path`` when it is whole."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("x", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
