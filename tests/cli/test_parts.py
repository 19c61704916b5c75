from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from kling_lipsync._report import SeenFace, SeenVideo, contact_sheet
from kling_lipsync.abc import JobRow, Totals
from kling_lipsync.cli import _progress
from kling_lipsync.cli._console import aligned, printable
from kling_lipsync.cli._exits import Exit, exit_of_batch, exit_of_error
from kling_lipsync.cli._options import read_prices
from kling_lipsync.cli._tally import Tally, span, units
from kling_lipsync.cli._windows import in_windows
from kling_lipsync.errors import (
    AccountError,
    AuthenticationError,
    ConfigurationError,
    ErrorRecord,
    JournalError,
    KlingError,
    ServerError,
)
from kling_lipsync.events import (
    CreateIntended,
    Outcome,
    SessionExpired,
    SlotPresumedFree,
    TaskAbsent,
    TaskEnded,
    TaskFound,
)
from kling_lipsync.models import Face, Interval, Prices, Status, Task, TaskStatus

DONE, FAILED, DOUBT = Status.SUCCEEDED, Status.FAILED, Status.IN_DOUBT


@pytest.mark.parametrize(
    ("statuses", "whole", "stopped", "expected"),
    [
        ({DONE, FAILED, DOUBT}, True, True, Exit.IN_DOUBT),
        ({DONE, FAILED}, True, True, Exit.STOPPED),
        ({DONE}, True, True, Exit.STOPPED),
        ({DONE, FAILED}, True, False, Exit.UNSUCCESSFUL),
        ({DONE, Status.RUNNING}, True, False, Exit.UNSUCCESSFUL),
        ({DONE}, False, False, Exit.UNSUCCESSFUL),
        ({DONE}, True, False, Exit.SUCCEEDED),
        (set(), True, False, Exit.SUCCEEDED),
    ],
)
def test_the_first_status_that_applies(statuses: set[Status], whole: bool, stopped: bool, expected: Exit) -> None:
    """Doubt comes before a stop, a stop before failures, failures before success."""
    assert exit_of_batch(statuses, whole=whole, stopped=stopped) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConfigurationError("x"), Exit.WRONG_USAGE),
        (JournalError("x"), Exit.WRONG_USAGE),
        (AccountError("x"), Exit.STOPPED),
        (AuthenticationError("x"), Exit.STOPPED),
        (ServerError("x"), Exit.UNSUCCESSFUL),
        (KlingError("x"), Exit.UNSUCCESSFUL),
    ],
)
def test_statuses_of_errors(error: KlingError, expected: Exit) -> None:
    """What cannot work is wrong usage, what is wrong with the account is a stop, anything else just did not succeed."""
    assert exit_of_error(error) is expected


def ended(key: str, cost: str) -> TaskEnded:
    """A task's end, and what it cost."""
    return TaskEnded(key=key, task=Task(task_id="t", status=TaskStatus.SUCCEED), units=Decimal(cost))


def holding(key: str, status: Status = Status.RUNNING) -> JobRow:
    """A job that an earlier run left with a slot."""
    return JobRow(
        key=key,
        settings="",
        version=1,
        attempt=1,
        status=status,
        holds_slot=True,
        file=None,
        has_error=False,
        read_outcome=lambda: None,
        read_plain=lambda: None,
    )


def inheriting(*rows: JobRow) -> Tally:
    """A tally that goes on from an earlier run."""
    tally = Tally(total=10, began=100.0)
    spent = Totals(jobs={}, slots=len(rows), spent=Decimal("2.50"), reserved=Decimal(1), in_doubt=Decimal(0))
    tally.inherit(spent, rows)
    return tally


def test_a_task_that_another_process_saw_end_holds_no_slot() -> None:
    """Its end is no event of this run, only its outcome."""
    tally = inheriting(holding("theirs"), holding("doubtful", Status.IN_DOUBT))
    tally.add(Outcome(key="theirs", status=Status.SUCCEEDED))
    tally.add(Outcome(key="doubtful", status=Status.IN_DOUBT))
    assert tally.running == 1


def test_a_tally_of_a_batch() -> None:
    """Spent units, running tasks and outcomes are counted over this run and those before it."""
    tally = inheriting(holding("before"))
    for key in "abc":
        tally.observe(CreateIntended(key=key, external_task_id="x", units=Decimal(1)))
    assert tally.running == 4
    tally.observe(SessionExpired(key="a"))
    tally.observe(SessionExpired(key="z"))
    assert tally.running == 3
    for key, cost in (("b", "0.5"), ("c", "1"), ("before", "1.5")):
        tally.observe(ended(key, cost))
    tally.add(Outcome(key="b", status=DONE))
    tally.add(Outcome(key="c", status=DONE, record=ErrorRecord(type="DownloadError", message="x")))
    tally.add(Outcome(key="d", status=FAILED, record=ErrorRecord(type="TaskFailed", message="x")))
    assert (tally.running, tally.statuses, tally.unfetched) == (0, {DONE, FAILED}, 1)
    assert tally.line(160.0) == (
        "3/10 jobs, 2 succeeded, 1 failed, 1 not fetched, 0 slots held, 5.5 units spent, 3.0 a minute, 2 min to go"
    )


def test_a_job_inherited_in_doubt_is_counted_once() -> None:
    """Found, proved absent and bought, or given up: a job that held a slot before is one task at most."""
    found, absent, late = (holding(key, DOUBT) for key in ("found", "absent", "late"))
    tally = inheriting(found, absent, late)
    tally.observe(TaskFound(key="found", task_id="t"))
    assert tally.running == 3
    tally.observe(TaskAbsent(key="absent"))
    assert tally.running == 2
    tally.observe(CreateIntended(key="absent", external_task_id="x", units=Decimal(1)))
    assert tally.running == 3
    tally.observe(SlotPresumedFree(key="late"))
    tally.observe(ended("late", "1"))
    tally.observe(ended("found", "1"))
    assert tally.running == 1


def test_a_rate_needs_some_tasks() -> None:
    """Two tasks say nothing about the rest."""
    tally = Tally(total=10, began=0.0)
    tally.observe(ended("a", "1"))
    tally.observe(ended("b", "1"))
    assert tally.rate(10.0) is None
    assert tally.line(10.0) == "0/10 jobs, 0 slots held, 2 units spent"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (7000, "117 min"),
        (9000, "2 h"),
        (3 * 86400, "3 days"),
        (10**6, "11.6 days"),
    ],
)
def test_lengths_of_time(seconds: float, told: str) -> None:
    """A length of time is told in the unit that people would use."""
    assert span(seconds) == told


def test_amounts_of_units() -> None:
    """Amounts have no needless zeros and no exponents."""
    assert [units(Decimal(text)) for text in ("0.00", "1E+3", "1.50")] == ["0 units", "1000 units", "1.5 units"]


def test_what_is_not_printable() -> None:
    """Escapes, carriage returns and marks that turn the direction of text are written out."""
    assert printable("a\x1b[31m\r\u202eb\u00e9") == r"a\x1b[31m\r\u202e" + "b\u00e9"


def test_wide_characters_stay_in_their_column() -> None:
    """A character that takes two cells counts for two."""
    assert aligned(("\u4e2d\u6587", "x"), (6, 0)) == "\u4e2d\u6587    x"


def test_prices_leave_the_rest_as_it_is(tmp_path: Path) -> None:
    """A price that a file leaves out is the gateway's, or Kling's."""
    path = tmp_path / "prices.toml"
    path.write_text("speech = 0.1")
    assert read_prices(path, None) == Prices(speech=Decimal("0.1"))
    assert read_prices(path, Prices(lip_sync=Decimal(9))) == Prices(speech=Decimal("0.1"), lip_sync=Decimal(9))


@pytest.mark.anyio
async def test_windows_keep_their_order() -> None:
    """Results come in the order of the items, however long each takes; a window is worked on at once."""
    running, most = 0, 0

    async def work(item: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5 - item % 5):
            await anyio.lowlevel.checkpoint()
        running -= 1
        return item * 10

    pairs = [pair async for window in in_windows(work, range(12), 5) for pair in window]
    assert pairs == [(item, item * 10) for item in range(12)]
    assert most == 5


@pytest.mark.anyio
async def test_lines_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Off a terminal the tally is told again and again while the batch runs, and no more after it."""
    told: list[str] = []
    twice = anyio.Event()

    def tell(message: str) -> None:
        told.append(message)
        if len(told) == 2:
            twice.set()

    monkeypatch.setattr(_progress, "tell", tell)
    monkeypatch.setattr(_progress, "LINE_EVERY", 0.001)
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    async with _progress.shown(Tally(total=3, began=0.0), "auto"):
        await twice.wait()
    assert set(told) == {"0/3 jobs, 0 slots held, 0 units spent"}


def test_a_contact_sheet_escapes_what_it_shows() -> None:
    """Neither a URL, nor an id, nor an error can put markup on the page; what is no picture is left out."""
    hostile = "<script>alert(1)</script>"
    face = Face(face_id=hostile, interval=Interval(0, 2000))
    page = contact_sheet(
        [
            SeenVideo(hostile, (SeenFace(0, face, b"\x89PNG\r\n\x1a\nrest"), SeenFace(1, face, hostile.encode()))),
            SeenVideo("v", error=hostile),
            SeenVideo("empty"),
        ]
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 4
    assert page.count("<img") == 1
    assert "data:image/png;base64," in page
    assert "no face was found" in page
