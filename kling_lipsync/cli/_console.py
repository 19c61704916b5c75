"""Where the command line writes: data to stdout, everything else to stderr, nothing that could command a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.cells import cell_len

from ..errors import KlingError

PROGRAM = "kling-lipsync"
_LONGEST_KEY = 60
"""Characters of a key that a message shows."""


def say(line: str) -> None:
    """Writes a line of data to stdout, for whoever reads along.

    Raises KlingError where there is no room for it, BrokenPipeError where its reader has gone.
    """
    with _told():
        sys.stdout.write(printable(line) + "\n")
        sys.stdout.flush()


def say_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Writes a JSON value to stdout, on one line, in ASCII: so it survives every terminal's encoding.

    Raises as ``say`` does.
    """
    with _told():
        sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def flush() -> None:
    """Hands the rest of the data to stdout. Raises as ``say`` does."""
    with _told():
        sys.stdout.flush()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_stdout()
        raise KlingError(f"stdout cannot be written: {error.strerror}") from error


def tell(message: str) -> None:
    """Writes a message to stderr, under the program's name."""
    first, *rest = message.splitlines() or [""]
    for line in (f"{PROGRAM}: {first}", *(f"  {line}" for line in rest)):
        sys.stderr.write(printable(line) + "\n")
    sys.stderr.flush()


def say_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes a table to stdout, its columns as wide as their cells; all rows are held."""
    lines = [heads, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(cell_len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        say(aligned(line, widths))


def aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Cells side by side, each as wide as its column, at least; wide characters count for two."""
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def named(keys: Sequence[str], most: int = 20) -> str:
    """The first ``most`` of the keys, quoted and none longer than a line, and how many more there are."""
    shown = (key if len(key) <= _LONGEST_KEY else key[:_LONGEST_KEY] + "\u2026" for key in keys[:most])
    told = [repr(key) for key in shown]
    return ", ".join([*told, *([f"and {len(keys) - most} more"] if len(keys) > most else [])])


def printable(text: str) -> str:
    """The text with what is not printable (control characters, escapes of a terminal) written out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def complete_streams() -> None:
    """Opens nothing in the place of each standard stream that the caller closed: no file may take its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - it stays open as long as the process


def survive_encodings() -> None:
    """Lets stdout write out what its encoding lacks, as stderr does, instead of failing."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


def abandon_stdout() -> None:
    """Points stdout nowhere, after its reader has gone: the interpreter's last flush fails no more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
