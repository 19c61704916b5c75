"""Several facts of a job in one write: all of them or none, and the last may give the job back."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from kling_lipsync._journal import SqliteJournal
from kling_lipsync.abc import NoSlot
from kling_lipsync.errors import BudgetExceeded, ClaimLost, InvalidJob
from kling_lipsync.events import FacesIdentified, SendIntended
from kling_lipsync.models import FaceSession, Status

from .facts import CHECKED, CREATED, begun, claimed, ended, holders, intended, opened, standing, write

pytestmark = pytest.mark.anyio

IDENTIFIED = FacesIdentified(session=FaceSession(session_id="s", faces=()), made_at=0.0, units=Decimal("0.05"))


async def test_facts_written_together_are_numbered_as_alone(journal: SqliteJournal) -> None:
    """Each comes back with its own seq and version, is read again in order, and the row has the last version."""
    await begun(journal, "other", CHECKED)
    claim = await begun(journal, "a", CHECKED)
    written = await journal.append(claim, intended(), CREATED, ended(), after=1, outcome=standing("a"))
    assert [(event.seq, event.version, event.key) for event in written] == [(3, 2, "a"), (4, 3, "a"), (5, 4, "a")]
    assert tuple(await journal.events(after=2)) == written
    row = await journal.row("a")
    assert row is not None
    assert row.version == 4
    with pytest.raises(ClaimLost, match="has 4 events where 3"):
        await write(journal, claim, CHECKED, after=3)


async def test_money_and_slots_add_up_over_facts_written_together(journal: SqliteJournal) -> None:
    """What is spent is the sum; what is reserved, and whether a slot is held, is as the last that tells says."""
    claim = await claimed(journal, "a")
    await journal.append(
        claim, SendIntended(units=Decimal("0.05")), IDENTIFIED, intended(), after=0, outcome=standing("a")
    )
    totals = await journal.totals()
    assert (totals.spent, totals.reserved, totals.slots) == (Decimal("0.05"), Decimal("0.5"), 1)
    await journal.append(claim, CREATED, ended("0.4"), after=3, outcome=standing("a"))
    totals = await journal.totals()
    assert (totals.spent, totals.reserved, totals.slots) == (Decimal("0.45"), Decimal(0), 0)


@pytest.mark.parametrize(
    ("limits", "refusal"),
    [({"slots": 1}, NoSlot), ({"budget": Decimal("0.9")}, BudgetExceeded), ({"after": 1}, ClaimLost)],
)
async def test_a_refusal_writes_none_of_them(
    journal: SqliteJournal, limits: dict[str, object], refusal: type[Exception]
) -> None:
    """One fact that is refused takes those before it along, and the job's row and its claim stay as they were."""
    await begun(journal, "other", intended())
    claim = await claimed(journal, "a")
    call: dict[str, object] = {"after": 0, "outcome": standing("a"), "ended": True, **limits}
    with pytest.raises(refusal):
        await journal.append(claim, CHECKED, intended(), **call)  # type: ignore[arg-type]  # as the case says
    assert await journal.events(key="a") == []
    assert await holders(journal) == ["other"]
    assert await journal.unclaimed(["a"]) == []
    await write(journal, claim, CHECKED)


async def test_anothers_external_id_among_them_writes_none(journal: SqliteJournal) -> None:
    """An intent under another job's external id is refused with all that came with it."""
    theirs = intended()
    await begun(journal, "other", theirs)
    claim = await claimed(journal, "a")
    with pytest.raises(InvalidJob, match="is that of job 'other'"):
        await journal.append(claim, CHECKED, theirs, after=0, outcome=standing("a"))
    assert await journal.events(key="a") == []


async def test_the_last_fact_gives_the_job_back(path: Path) -> None:
    """With its end the job is nobody's, what was kept of it is gone, and another owner may have it at once."""
    async with opened(path) as one, opened(path) as two:
        await one.keep_job("a", "settings of a", "all of a")
        claim = await begun(one, "a", intended(), CREATED)
        outcome = standing("a", Status.SUCCEEDED)
        await one.append(claim, ended(), after=2, outcome=outcome, ended=True)
        assert await two.unclaimed(["a"]) == ["a"]
        assert await two.kept_job("a") is None
        with pytest.raises(ClaimLost):
            await write(one, claim, CHECKED, after=3)
        assert len((await two.admit("a", "settings of a")).events) == 3
        await one.release(claim, ended=True)  # given back already: theirs stays
        assert await one.unclaimed(["a"]) == []
