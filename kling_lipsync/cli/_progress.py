"""Progress on stderr: a bar for the whole batch on a terminal, else a line a minute."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import anyio
import anyio.abc
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Column

from .._tasks import task_group
from ._console import tell
from ._tally import Tally

Mode = Literal["auto", "bars", "lines", "none"]

LINE_EVERY = 60.0
_BAR_EVERY = 0.25


@asynccontextmanager
async def shown(tally: Tally, mode: Mode) -> AsyncIterator[None]:
    """Shows the tally while the block runs."""
    if mode == "auto":
        mode = "bars" if sys.stderr.isatty() else "lines"
    show = {"bars": _bars, "lines": _lines, "none": _nothing}[mode]
    async with task_group() as group:
        await group.start(show, tally)
        yield
        group.cancel_scope.cancel()


async def _nothing(tally: Tally, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    task_status.started()


async def _lines(tally: Tally, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    task_status.started()
    while True:
        await anyio.sleep(LINE_EVERY)
        tell(tally.line(anyio.current_time()))


async def _bars(tally: Tally, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=Console(stderr=True),
        auto_refresh=False,
        redirect_stdout=False,
    )
    with bar:
        row = bar.add_task("jobs", total=tally.total, told="")
        task_status.started()
        try:
            while True:
                _update(bar, row, tally)
                await anyio.sleep(_BAR_EVERY)
        finally:
            _update(bar, row, tally)


def _update(bar: Progress, row: TaskID, tally: Tally) -> None:
    told = tally.line(anyio.current_time()).partition(", ")[2]
    bar.update(row, completed=tally.done, told=told, refresh=True)
