"""``kling-lipsync report``: a journal as a picture, also while a run is writing it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from .._journal import JournalView, peek
from .._report import BEGINNING, batch_page, read_batch
from ..errors import ConfigurationError
from ._console import say
from ._exits import Exit
from ._options import Output
from ._places import refuse_file, write_whole

_STDOUT = Path("-")


async def report(
    journal: Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(name=["--output", "-o"], allow_leading_hyphen=True)] = None,
    output: Output = Output(),
) -> int:
    """Draws a journal as one HTML page that needs nothing else: numbers, tasks over time, and what did not succeed.

    Writes the page's place to stdout.

    Parameters
    ----------
    journal
        The journal's file.
    out
        The HTML file, or - for stdout; default: the journal's name + .html, beside it. A report that is there already
        is replaced, any other file is not.
    """
    output.set_up()
    kept = await peek(journal)
    place = out or journal.with_name(f"{journal.name}.html")
    if place != _STDOUT:
        _refuse_other("--output", place)
    page = await page_of(kept, journal.name)
    if place == _STDOUT:
        for line in page.splitlines():
            say(line)
    else:
        write_whole("--output", place, page)
        say(str(place))
    return Exit.SUCCEEDED


async def page_of(kept: JournalView, name: str) -> str:
    """The report of a journal, as HTML; ``name`` is what to call it. Raises JournalError where it cannot be read."""
    return batch_page(await read_batch(kept, now=time.time()), name)


def _refuse_other(option: str, place: Path) -> None:
    """Refuses to write over anything but a page of ours. Raises ConfigurationError."""
    refuse_file(option, place)
    try:
        ours = not place.exists() or (place.is_file() and _head(place) in (b"", BEGINNING.encode()))
    except OSError as error:
        raise ConfigurationError(f"{option} {place}: {error.strerror}") from error
    if not ours:
        raise ConfigurationError(f"{option} {place}: it holds something else: name another file")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(BEGINNING))
