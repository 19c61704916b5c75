"""The columns of a manifest, as a table: what each may hold; and how the cells of one row make a job."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..models import Audio, Job, Speech, Video

Cells = Mapping[str, object]
"""One row by column: text from CSV; text, numbers and booleans from JSONL. Empty cells are not in it."""

Values = Mapping[str, Any]
"""What the cells of one row hold, by column: text, numbers and switches as their columns have them."""

LONGEST_CELL = 32_767
"""Characters; as many as a spreadsheet's cell holds."""

META = "meta_"
VIDEO_SOURCES = ("video_url", "video_id")
SOUND_SOURCES = ("audio_file", "audio_url", "audio_id", "text")
VOICE = ("voice_id", "voice_language", "voice_speed")
UNIQUE = ("key", "external_task_id")
"""Columns whose values may each stand on one row only: two jobs cannot share a key or a task."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,15}(\.0{1,15})?")
_NUMBER = re.compile(r"[+-]?([0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15})([eE][+-]?[0-9]{1,2})?")
_HALF = re.compile("[\ud800-\udfff]")
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _text(cell: object) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    raise ValueError("must be text (in quotes)")


def _passed_through(cell: object) -> str:
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _whole(cell: object) -> int:
    if isinstance(cell, bool) or not _WHOLE.fullmatch(str(cell)):
        raise ValueError(f"{_quoted(cell)} is not a whole number")
    return int(float(str(cell)))


def _number(cell: object) -> float:
    if isinstance(cell, bool) or not _NUMBER.fullmatch(str(cell)):
        raise ValueError(f"{_quoted(cell)} is not a number (write it like 0.5)")
    number = float(str(cell))
    if not math.isfinite(number):
        raise ValueError(f"{_quoted(cell)} is too large")
    return number


def _switch(cell: object) -> bool:
    word = _WORDS.get(str(cell).lower())
    if word is None:
        raise ValueError(f"{_quoted(cell)} is neither true nor false (write true, false, 1, 0, yes or no)")
    return word


_COLUMNS: Mapping[str, Callable[[object], Any]] = {
    "key": _text,
    "video_url": _text,
    "video_id": _text,
    "audio_file": _text,
    "audio_url": _text,
    "audio_id": _text,
    "text": _text,
    "voice_id": _text,
    "voice_language": _text,
    "voice_speed": _number,
    "face": _text,
    "sound_start_ms": _whole,
    "sound_end_ms": _whole,
    "sound_insert_ms": _whole,
    "sound_volume": _number,
    "original_audio_volume": _number,
    "watermark": _switch,
    "callback_url": _text,
    "external_task_id": _text,
    "output": _text,
    "scene": _text,
}
_AS_THEY_ARE = (
    *("key", "face", "sound_start_ms", "sound_end_ms", "sound_insert_ms", "sound_volume", "original_audio_volume"),
    *("watermark", "callback_url", "external_task_id", "output", "scene"),
)


def is_known(column: str) -> bool:
    """Whether a manifest may have this column."""
    return column in _COLUMNS or (column.startswith(META) and len(column) > len(META))


def unknown_column(column: str) -> str:
    """One line about a column that no manifest has, with the one that was probably meant."""
    close = get_close_matches(column, _COLUMNS, n=1)
    meant = f"did you mean {close[0]!r}?" if close else f"name your own columns {META}…"
    return f"unknown column {_quoted(column)}; {meant}"


def read_cells(cells: Cells) -> tuple[Values, Sequence[str]]:
    """What the cells of one row hold, and everything that is wrong with the row, one message each.

    Whether media exist and suit Kling is not asked here: that is the job's own check.
    """
    wrong = list(_wrong_columns(tuple(cells)))
    values: dict[str, Any] = {}
    for column, cell in cells.items():
        try:
            values[column] = _value(column, cell)
        except ValueError as error:
            wrong.append(f"{column}: {error}")
    return values, wrong


def _value(column: str, cell: object) -> object:
    if isinstance(cell, str):
        _refuse_hostile(cell)
    elif not isinstance(cell, bool | int | float):
        raise ValueError("must be text, a number, true or false")
    return _COLUMNS.get(column, _passed_through)(cell)


def _refuse_hostile(cell: str) -> None:
    if len(cell) > LONGEST_CELL:
        raise ValueError(f"{len(cell)} characters, at most {LONGEST_CELL} fit")
    if "\0" in cell:
        raise ValueError("holds a NUL character")
    if not cell.isascii() and _HALF.search(cell):
        raise ValueError("holds half a character (a lone surrogate)")


@lru_cache(32)  # most rows of a manifest fill the same columns
def _wrong_columns(filled: Sequence[str]) -> Sequence[str]:
    """What is wrong with a row in which these columns are filled, whatever stands in them."""
    unknown = [unknown_column(column) for column in filled if not is_known(column)]
    keyless = [] if "key" in filled else ["no key"]
    return (*unknown, *keyless, *_wrong_sources(filled))


def _wrong_sources(filled: Sequence[str]) -> Iterator[str]:
    yield from _not_one_of("video", VIDEO_SOURCES, filled)
    yield from _not_one_of("sound", SOUND_SOURCES, filled)
    voice = [column for column in VOICE if column in filled]
    if voice and "text" not in filled:
        yield f"{', '.join(voice)}: only a text has a voice"
    if "text" in filled and "voice_id" not in filled:
        yield "a text needs a voice_id (see: kling-lipsync voices)"


def _not_one_of(what: str, sources: Sequence[str], filled: Sequence[str]) -> Iterator[str]:
    given = [source for source in sources if source in filled]
    if not given:
        yield f"no {what}: give one of {', '.join(sources)}"
    elif len(given) > 1:
        yield f"{len(given)} sources of {what}: {', '.join(given)}; give one"


def make_job(values: Values, folder: Path) -> Job:
    """The job of a row with nothing wrong; paths are relative to ``folder``."""
    return Job(
        video=Video(url=values.get("video_url"), id=values.get("video_id")),
        audio=_speech(values) if "text" in values else _audio(values, folder),
        meta={column.removeprefix(META): value for column, value in values.items() if column.startswith(META)},
        **{column: values[column] for column in _AS_THEY_ARE if column in values},
    )


def _audio(values: Values, folder: Path) -> Audio:
    path = folder / values["audio_file"] if "audio_file" in values else None
    return Audio(path=path, url=values.get("audio_url"), id=values.get("audio_id"))


def _speech(values: Values) -> Speech:
    settings = {"language": values.get("voice_language"), "speed": values.get("voice_speed")}
    given = {name: value for name, value in settings.items() if value is not None}
    return Speech(values["text"], values["voice_id"], **given)


def _quoted(cell: object) -> str:
    told = repr(cell) if isinstance(cell, str) else str(cell)
    return told if len(told) <= 60 else told[:57] + "…"
