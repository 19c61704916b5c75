from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from kling_lipsync._journal import SqliteJournal, queries
from kling_lipsync.abc import Claim, Journal, Totals
from kling_lipsync.errors import ClaimLost, JournalError
from kling_lipsync.events import FacesIdentified
from kling_lipsync.models import Face, FaceSession, Interval, Status

from .facts import (
    ACCOUNT,
    CHECKED,
    CREATED,
    DOUBT,
    HandClock,
    begun,
    claimed,
    ended,
    holders,
    intended,
    opened,
    standing,
    write,
)

pytestmark = pytest.mark.anyio

SESSION = FaceSession(session_id="s-1", faces=(Face(face_id="f-1", interval=Interval(0, 5000)),), units=Decimal("0.05"))


def as_contract(journal: SqliteJournal) -> Journal:
    """Type-checked: the class keeps the contract."""
    return journal


async def test_a_new_job_has_no_events(journal: SqliteJournal) -> None:
    """The first admission adds the job, as not started."""
    admission = await as_contract(journal).admit("a", "settings")
    assert (admission.claim.key, admission.events, admission.changed) == ("a", (), False)
    row = await journal.row("a")
    assert row is not None
    assert (row.settings, row.version, row.status, row.holds_slot, row.outcome) == (
        "settings",
        0,
        Status.NOT_STARTED,
        False,
        None,
    )


async def test_append_fills_in_what_the_journal_knows(journal: SqliteJournal) -> None:
    """An event comes back with its seq, key, version and time; its facts are unchanged."""
    claim = await claimed(journal, "a")
    first, second = await write(journal, claim, CHECKED, intended())
    assert (first.key, first.version, second.version) == ("a", 1, 2)
    assert first.at == HandClock().wall()
    assert first.seq < second.seq
    assert isinstance(first, type(CHECKED))
    assert first.video_duration_ms == CHECKED.video_duration_ms


async def test_events_are_read_as_they_were_written(journal: SqliteJournal) -> None:
    """The journal gives back equal events: of one job, of all, and after a seq."""
    of_a = await write(journal, await claimed(journal, "a"), CHECKED, intended(), CREATED)
    of_b = await write(journal, await claimed(journal, "b"), CHECKED)
    assert await journal.events() == of_a + of_b
    assert await journal.events(key="a") == of_a
    assert await journal.events(after=of_a[1].seq) == [of_a[2], *of_b]
    assert await journal.events(after=of_a[1].seq, key="a") == [of_a[2]]
    assert await journal.events(key="unknown") == []


async def test_many_events_are_read_in_portions() -> None:
    """A thousand events at a time; an admission brings all of its job's."""
    async with opened(":memory:", inline=True) as journal:
        claim = await begun(journal, "a", *[CHECKED] * 1003)
        first = await journal.events(key="a")
        rest = await journal.events(after=first[-1].seq)
        assert (len(first), len(rest)) == (1000, 3)
        await journal.release(claim)
        assert (await journal.admit("a", "settings of a")).events == (*first, *rest)


async def test_a_job_given_again_brings_its_events(journal: SqliteJournal) -> None:
    """After a release the next admission knows everything, and whether the settings differ from the first."""
    claim = await claimed(journal, "a")
    written = await write(journal, claim, CHECKED, intended())
    await journal.release(claim)
    again = await journal.admit("a", "settings of a")
    assert (again.events, again.changed) == (tuple(written), False)
    await journal.release(again.claim)
    assert (await journal.admit("a", "other settings")).changed


async def test_one_owner_at_a_time(journal: SqliteJournal) -> None:
    """A claimed job is refused to a second owner until it is released."""
    claim = await claimed(journal, "a")
    with pytest.raises(ClaimLost, match="'a' is being run already"):
        await claimed(journal, "a")
    await journal.release(claim)
    await claimed(journal, "a")


async def test_a_released_claim_writes_nothing(journal: SqliteJournal) -> None:
    """Neither a claim that was given back nor an invented one may write, and it cannot release another's."""
    old = await claimed(journal, "a")
    await journal.release(old)
    await claimed(journal, "a")
    await journal.release(old)
    for claim in (old, Claim("a", "somebody")):
        with pytest.raises(ClaimLost):
            await write(journal, claim, CHECKED)
        with pytest.raises(ClaimLost):
            await journal.replace_settings(claim, "other")
    with pytest.raises(ClaimLost):
        await claimed(journal, "a")
    assert await journal.events() == []


async def test_append_compares_versions(journal: SqliteJournal) -> None:
    """An event is written only after the version that its writer has seen."""
    claim = await begun(journal, "a", CHECKED)
    for after in (0, 2):
        with pytest.raises(ClaimLost, match="1 events"):
            await write(journal, claim, CREATED, after=after)
    assert len(await journal.events()) == 1


async def test_a_row_says_how_the_job_stands(journal: SqliteJournal) -> None:
    """The row follows the last event: version, attempt, status, slot and outcome."""
    claim = await begun(journal, "a", intended())
    outcome = standing("a", Status.SUCCEEDED)
    await journal.append(claim, ended(), after=1, outcome=outcome)
    row = await journal.row("a")
    assert row is not None
    assert (row.version, row.attempt, row.status, row.holds_slot) == (2, 1, Status.SUCCEEDED, False)
    assert row.outcome == outcome
    assert await journal.row("unknown") is None


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20])
async def test_rows_come_in_the_order_first_given(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """All jobs in the order of their first admission, wherever the pages end."""
    monkeypatch.setattr(queries, "PAGE", 10)
    keys = [f"job {n * 7919 % 1000}" for n in range(count)]
    for key in keys:
        await claimed(journal, key)
    assert [row.key async for row in journal.rows()] == keys


async def test_rows_of_answers_for_many_keys(journal: SqliteJournal) -> None:
    """A look-up of many keys gives the known ones, whatever characters they are made of."""
    keys = ["plain", "with 'quotes\"", "日本語", "new\nline", "\\u0041"]
    for key in keys:
        await claimed(journal, key)
    found = await journal.rows_of([*keys, "unknown"])
    assert {key: row.key for key, row in found.items()} == {key: key for key in keys}
    assert await journal.rows_of([]) == {}


async def test_slots_are_taken_and_given_back(journal: SqliteJournal) -> None:
    """An intent takes a slot, an end gives it back, other events leave it."""
    a = await begun(journal, "a", intended(), CREATED)
    await begun(journal, "b", CHECKED)
    await begun(journal, "c", intended())
    assert await holders(journal) == ["a", "c"]
    await write(journal, a, ended(), after=2)
    assert await holders(journal) == ["c"]


async def test_totals_add_everything_up(journal: SqliteJournal) -> None:
    """Jobs by status, slots, and money spent, reserved and in doubt."""
    await begun(journal, "succeeded", intended(), ended("0.4"), status=Status.SUCCEEDED)
    await begun(journal, "running", intended("1.5"))
    await begun(journal, "doubtful", intended("2"), DOUBT, status=Status.IN_DOUBT)
    await begun(journal, "identified", FacesIdentified(session=SESSION, made_at=1.0, units=Decimal("0.05")))
    await claimed(journal, "new")
    totals = await journal.totals()
    assert totals.jobs == {Status.SUCCEEDED: 1, Status.RUNNING: 2, Status.IN_DOUBT: 1, Status.NOT_STARTED: 1}
    assert (totals.spent, totals.reserved, totals.in_doubt) == (Decimal("0.45"), Decimal("1.5"), Decimal(2))
    assert totals.slots == len(await holders(journal))
    assert totals.last_seq == (await journal.events())[-1].seq


async def test_an_empty_journal_has_empty_totals(journal: SqliteJournal) -> None:
    """Nothing is counted before anything was given."""
    totals = await journal.totals()
    assert totals == Totals(jobs={}, slots=0, spent=Decimal(0), reserved=Decimal(0), in_doubt=Decimal(0))


async def test_a_kept_session_is_found_and_replaced(journal: SqliteJournal) -> None:
    """One session per video, the newest, with the time it was made and without Kling's raw answer."""
    assert await journal.session("v") is None
    await journal.keep_session("v", SESSION, 5.0)
    assert await journal.session("v") == (SESSION, 5.0)
    newer = FaceSession(session_id="s-2", faces=(), raw={"secret": "x"})
    await journal.keep_session("v", newer, 6.5)
    kept = await journal.session("v")
    assert kept == (newer, 6.5)
    assert kept[0].raw == {}


async def test_settings_are_replaced_where_nothing_is_open(journal: SqliteJournal) -> None:
    """A failed job takes new settings, and is compared with them from then on."""
    claim = await begun(journal, "a", intended(), ended(), status=Status.FAILED)
    await journal.replace_settings(claim, "new")
    await journal.release(claim)
    assert not (await journal.admit("a", "new")).changed


@pytest.mark.parametrize("status", [Status.RUNNING, Status.IN_DOUBT, Status.SUCCEEDED])
async def test_settings_stay_where_money_hangs_on_them(journal: SqliteJournal, status: Status) -> None:
    """A running, doubtful or finished job keeps its settings."""
    claim = await begun(journal, "a", CHECKED, status=status)
    with pytest.raises(JournalError, match="its settings stay"):
        await journal.replace_settings(claim, "new")
    row = await journal.row("a")
    assert row is not None
    assert row.settings == "settings of a"


async def test_settings_stay_while_a_slot_is_held(journal: SqliteJournal) -> None:
    """What counts is the slot and the reservation, whatever status the workflow gives."""
    claim = await begun(journal, "a", intended(), status=Status.FAILED)
    with pytest.raises(JournalError, match="its settings stay"):
        await journal.replace_settings(claim, "new")


async def test_what_is_not_unicode_is_refused_alone(journal: SqliteJournal) -> None:
    """A key that no file can hold is refused, is not claimed, and harms nothing."""
    with pytest.raises(JournalError, match="not Unicode"):
        await claimed(journal, "\ud800")
    with pytest.raises(JournalError, match="not Unicode"):
        await journal.admit("a", "\ud800")
    await claimed(journal, "a")


async def test_what_json_cannot_say_is_refused_alone(journal: SqliteJournal) -> None:
    """An event with a number that JSON has no word for is refused before it is handed in."""
    claim = await claimed(journal, "a")
    with pytest.raises(JournalError, match="FacesIdentified"):
        await write(journal, claim, FacesIdentified(session=SESSION, made_at=float("nan")))
    with pytest.raises(JournalError, match="NaN units"):
        await write(journal, claim, intended("NaN"))
    assert await journal.events() == []


async def test_a_journal_that_is_not_open_says_so() -> None:
    """Before it is opened, and after it was closed, everything is refused."""
    journal = SqliteJournal(":memory:", clock=HandClock())
    with pytest.raises(JournalError, match="not open"):
        await journal.totals()
    with pytest.raises(JournalError, match="not open"):
        assert journal.journal_id
    await journal.open(ACCOUNT)
    claim = await claimed(journal, "a")
    await journal.aclose()
    await journal.aclose()
    with pytest.raises(JournalError):
        await write(journal, claim, CHECKED)
    with pytest.raises(JournalError, match="not open"):
        await claimed(journal, "b")


async def test_a_journal_is_opened_once() -> None:
    """A second open is refused and does not close the first."""
    async with opened(":memory:") as journal:
        with pytest.raises(JournalError, match="open already"):
            await journal.open(ACCOUNT)
        await claimed(journal, "a")


async def test_everything_is_there_after_reopening(path: Path) -> None:
    """A file brings back its id, events, rows, totals and sessions; claims are free again."""
    async with opened(path) as journal:
        journal_id = journal.journal_id
        written = await write(journal, await claimed(journal, "a"), CHECKED, intended())
        await journal.keep_session("v", SESSION, HandClock().now)
        totals = await journal.totals()
    async with opened(path, inline=True) as journal:
        assert journal.journal_id == journal_id
        assert (await journal.admit("a", "settings of a")).events == tuple(written)
        assert await journal.totals() == totals
        assert await journal.session("v") == (SESSION, HandClock().now)


async def test_sessions_that_ended_long_ago_are_dropped(path: Path) -> None:
    """Two days after it was made nobody asks for a face session any more: the next opening makes room."""
    clock = HandClock()
    async with opened(path) as journal:
        await journal.keep_session("old", SESSION, clock.now - 3 * 24 * 3600)
        await journal.keep_session("new", SESSION, clock.now - 24 * 3600)
    async with opened(path) as journal:
        assert await journal.session("old") is None
        assert await journal.session("new") is not None


async def test_ids_of_journals_differ(tmp_path: Path) -> None:
    """Each journal has a random id of its own."""
    async with opened(tmp_path / "a") as a, opened(tmp_path / "b") as b, opened(":memory:") as c:
        assert len({a.journal_id, b.journal_id, c.journal_id}) == 3
