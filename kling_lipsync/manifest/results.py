"""Results: a JSONL file with one line for each job that was begun, appended as jobs end, compacted at the end."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ..errors import ConfigurationError, ErrorRecord
from ..events import Outcome
from ..models import Plan, Status
from .earlier import listed, listed_by

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def result_line(outcome: Outcome) -> dict[str, Any]:
    """An outcome as its line of the results: names, order and types are a format that other programs read."""
    task = outcome.task
    return {
        "key": outcome.key,
        "status": outcome.status.value,
        "attempts": outcome.attempts,
        "task_id": outcome.task_id,
        "external_task_id": outcome.external_task_id,
        "face_id": outcome.face.face_id if outcome.face else None,
        "plan": plan_object(outcome.plan),
        "video_url": task.video_url if task else None,
        "watermark_url": task.watermark_url if task else None,
        "file": str(outcome.file) if outcome.file else None,
        "video_duration_ms": task.video_duration_ms if task else None,
        "elapsed_s": outcome.elapsed,
        "units": units_number(outcome.units),
        "units_in_doubt": units_number(outcome.units_in_doubt),
        "meta": dict(outcome.meta),
        "error": _error_object(outcome.record),
    }


def plan_object(plan: Plan | None) -> dict[str, int] | None:
    """A plan as JSON: its three times in ms."""
    if plan is None:
        return None
    return {name: getattr(plan, name) for name in ("sound_start_ms", "sound_end_ms", "sound_insert_ms")}


def units_number(units: Decimal) -> int | float:
    """Units as a JSON number."""
    return int(units) if units == units.to_integral_value() else float(units)


def _error_object(record: ErrorRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "type": record.type,
        "code": record.code,
        "message": record.message,
        "request_id": record.request_id,
        "problems": [{"rule": p.rule, "verdict": p.verdict.value, "message": p.message} for p in record.problems],
    }


class ResultsFile:
    """The results of one batch at ``path``: a view of its journal, so it may be deleted at any time.

    ``async with`` rebuilds it from ``outcomes`` and compacts it at the end, both atomically; in between, ``append``
    adds a line, and a later line for a key wins. Raises ConfigurationError where the file cannot be written or holds
    something else.
    """

    def __init__(self, path: str | Path, outcomes: AsyncIterable[Outcome]) -> None:
        self.path = Path(path)
        self._outcomes = outcomes
        self._file: IO[str] | None = None
        self._grown = False

    async def __aenter__(self) -> ResultsFile:
        with _told(self.path):
            next(listed(self.path), None)  # refuses to write over a file that holds something else
            with _replacing(self.path) as file:
                async for outcome in self._outcomes:
                    if outcome.status is not Status.NOT_STARTED:
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
            self._file.write(_line(outcome))
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


def _line(outcome: Outcome) -> str:
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
