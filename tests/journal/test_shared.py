from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from kling_lipsync._journal import SqliteJournal, queries
from kling_lipsync.errors import InvalidJob, JournalError
from kling_lipsync.events import CreateIntended, CreateUnanswered, Event, SendIntended, SlotPresumedFree
from kling_lipsync.models import Status

from .facts import CHECKED, CREATED, DOUBT, LOST, begun, claimed, ended, intended, opened, write

pytestmark = pytest.mark.anyio

UNANSWERED = CreateUnanswered(error=LOST)

HISTORIES: dict[str, tuple[list[Event], Status, bool]] = {
    "not begun": ([], Status.NOT_STARTED, False),
    "intended": ([intended()], Status.IN_DOUBT, True),
    "unanswered": ([intended(), UNANSWERED], Status.IN_DOUBT, True),
    "created": ([intended(), CREATED], Status.RUNNING, True),
    "lent its slot out": ([intended(), CREATED, SlotPresumedFree()], Status.RUNNING, True),
    "sending": ([CHECKED, SendIntended(units=Decimal("0.05"))], Status.NOT_STARTED, True),
    "in doubt, with its slot": ([intended(), DOUBT], Status.IN_DOUBT, True),
    "in doubt, without": ([intended(), SlotPresumedFree(), DOUBT], Status.IN_DOUBT, False),
    "checked": ([CHECKED], Status.NOT_STARTED, False),
    "succeeded": ([intended(), ended()], Status.SUCCEEDED, False),
    "failed": ([intended(), ended()], Status.FAILED, False),
}
"""By name: events, status, and whether a job that stands so needs somebody."""


async def all_begun(journal: SqliteJournal) -> None:
    """A job of each history."""
    for key, (events, status, _) in HISTORIES.items():
        await begun(journal, key, *events, status=status)


NEEDY = [key for key, (*_, needy) in HISTORIES.items() if needy]


async def test_dead_claims_are_the_jobs_that_need_somebody(path: Path) -> None:
    """What a dead owner left that holds a slot, runs, or had a request under way; never a living owner's, nor what is
    at rest.
    """
    async with opened(path) as survivor:
        async with opened(path) as other:
            await all_begun(other)
            assert await survivor.dead_claims() == []
            assert await other.dead_claims() == []
        dead = await survivor.dead_claims()
        assert [row.key for row in dead] == NEEDY
        assert dead == [await survivor.row(key) for key in NEEDY]
        for row in dead[:-1]:
            await survivor.admit(row.key, row.settings)
        assert [row.key for row in await survivor.dead_claims()] == NEEDY[-1:]


async def test_a_job_given_back_while_it_needs_somebody_is_found(journal: SqliteJournal) -> None:
    """Not only the dead leave jobs: what was released is as free, in memory too."""
    for key in ("a", "b"):
        claim = await begun(journal, key, intended())
    await journal.release(claim)
    assert [row.key for row in await journal.dead_claims()] == ["b"]


async def test_unclaimed_are_the_jobs_of_nobody(path: Path) -> None:
    """Of many keys, in more portions than one, those that no living owner has, here or elsewhere; unknown ones are
    left out.
    """
    async with opened(path) as survivor:
        async with opened(path) as other:
            await claimed(other, "theirs")
            await other.release(await claimed(other, "given back"))
            await claimed(survivor, "mine")
            keys = ["mine", "theirs", "given back", *(f"unknown {n}" for n in range(queries.PAGE)), "theirs"]
            assert await survivor.unclaimed(keys) == ["given back"]
        assert set(await survivor.unclaimed(["mine", "theirs", "given back"])) == {"theirs", "given back"}
        assert await survivor.unclaimed([]) == []


async def test_slots_of_others_are_not_ones_own(path: Path) -> None:
    """Counted are the slots of jobs that this owner has not claimed: of living owners, of dead ones, and of nobody."""
    async with opened(path) as journal:
        async with opened(path) as other:
            await begun(journal, "mine", intended())
            await begun(other, "theirs", intended())
            await begun(other, "lent", intended(), SlotPresumedFree())
            claim = await begun(other, "ended", intended(), ended(), status=Status.SUCCEEDED)
            await other.release(claim)
            assert (await journal.slots_of_others(), await other.slots_of_others()) == (1, 1)
        assert await journal.slots_of_others() == 1
        claim = await claimed(journal, "theirs")
        assert await journal.slots_of_others() == 0
        await journal.release(claim)
        assert await journal.slots_of_others() == 1


async def test_a_job_is_kept_until_it_has_ended(journal: SqliteJournal) -> None:
    """What was kept is found by its key, in the order first given, after a release too; not after the end."""
    assert await journal.kept_keys() == []
    await journal.keep_job("b", "settings of b", "all of b")
    await begun(journal, "a", CHECKED)
    await journal.keep_job("a", "ignored", "all of a")
    await journal.keep_job("b", "ignored", "all of b, again")
    assert await journal.kept_keys() == ["b", "a"]
    assert (await journal.kept_job("b"), await journal.kept_job("a")) == ("all of b, again", "all of a")
    assert (await journal.kept_job("unknown"), await journal.row("unknown")) == (None, None)
    claim = await claimed(journal, "b")
    assert not (await journal.admit("c", "x")).changed
    await journal.release(claim)
    assert await journal.kept_keys() == ["b", "a"]
    await journal.release(await claimed(journal, "b"), ended=True)
    assert await journal.kept_keys() == ["a"]
    assert await journal.kept_job("b") is None
    row = await journal.row("b")
    assert row is not None
    assert row.settings == "settings of b"


async def test_a_kept_job_is_on_disk(path: Path) -> None:
    """Another owner, and a later one, reads the whole job, though it never ran."""
    async with opened(path) as one, opened(path) as two:
        await one.keep_job("a", "settings of a", "all of a")
        assert await two.kept_job("a") == "all of a"
    async with opened(path) as three:
        assert await three.kept_keys() == ["a"]
        assert (await three.admit("a", "settings of a")).events == ()


async def test_external_ids_lead_to_their_jobs(journal: SqliteJournal) -> None:
    """Every id that was ever intended, of an earlier attempt and of an ended job too; unknown ones are left out."""
    for key in ("a", "b"):
        intents = [CreateIntended(external_task_id=f"{key} {n}", units=Decimal(1)) for n in (1, 2)]
        await begun(journal, key, intents[0], ended(), intents[1], intents[1])
    many = [f"unknown {n}" for n in range(queries.PAGE)]
    assert await journal.keys_of(["b 2", "a 1", *many, "a 2"]) == {"a 1": "a", "a 2": "a", "b 2": "b"}
    assert await journal.keys_of([]) == {}


async def test_an_external_id_belongs_to_one_job(journal: SqliteJournal) -> None:
    """A second job under the same id is refused before money is spent on it; what else is written stands."""
    intent = intended()
    await begun(journal, "a", intent)
    claim = await claimed(journal, "b")
    with pytest.raises(InvalidJob, match="is that of job 'a' already"):
        await write(journal, claim, intent)
    assert await journal.events(key="b") == []
    assert (await journal.totals()).slots == 1
    await write(journal, claim, intended())


async def test_a_create_under_way_is_running_while_its_owner_lives(path: Path) -> None:
    """Between intent and answer a job of a living owner counts as running, its money as reserved; once its run has
    left it, or its owner is dead, both are in doubt. All owners and views agree.
    """
    async with opened(path) as survivor:
        async with opened(path) as other:
            await begun(other, "under way", intended("0.5"), status=Status.IN_DOUBT)
            await begun(other, "unanswered", intended("0.25"), UNANSWERED, status=Status.IN_DOUBT)
            await begun(survivor, "left", intended("2"), DOUBT, status=Status.IN_DOUBT)
            await begun(survivor, "mine", intended("4"), status=Status.IN_DOUBT)
            for journal in (survivor, other):
                totals = await journal.totals()
                assert totals.jobs == {Status.RUNNING: 3, Status.IN_DOUBT: 1}
                assert (totals.reserved, totals.in_doubt) == (Decimal("4.75"), Decimal(2))
        totals = await survivor.totals()
        assert totals.jobs == {Status.RUNNING: 1, Status.IN_DOUBT: 3}
        assert (totals.reserved, totals.in_doubt, totals.slots) == (Decimal(4), Decimal("2.75"), 4)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # of interest is what SQLite is asked
async def test_a_hundred_thousand_rows_are_found_at_once(path: Path) -> None:
    """A finished batch is looked up by its keys, each row with its own outcome, which is decoded when it is asked
    for.
    """
    async with opened(path):
        pass
    count = 100_000
    rows = (
        (f"job {n}", "s", 2, "succeeded", f'{{"key":"job {n}","status":"succeeded","units":"0.{n:05}"}}')
        for n in range(count)
    )
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("pragma synchronous = off")
        connection.executemany(
            "insert into jobs (key, settings, version, status, outcome) values (?, ?, ?, ?, ?)", rows
        )
    async with opened(path) as journal:
        found = await journal.rows_of([f"job {n}" for n in range(count + 5)])
        assert len(found) == count
        assert all(key == row.key and row.status is Status.SUCCEEDED for key, row in found.items())
        for n in (1, 70_000, 99_999):
            outcome = found[f"job {n}"].outcome
            assert outcome is not None
            assert (outcome.key, outcome.units) == (f"job {n}", Decimal(f"0.{n:05}"))
        assert (await journal.totals()).jobs == {Status.SUCCEEDED: count}


async def test_an_unreadable_outcome_fails_who_asks_for_it(path: Path) -> None:
    """An outcome that a newer version wrote stops nobody who only wants to know how the job stands."""
    async with opened(path) as journal:
        await begun(journal, "a", CHECKED)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("""update jobs set outcome = '{"key":"a","status":"running","mood":"good"}'""")
        row = await journal.row("a")
        assert row is not None
        assert (row.version, row.status) == (1, Status.RUNNING)
        assert [each.key async for each in journal.rows()] == ["a"]
        for _ in range(2):
            with pytest.raises(JournalError, match="use the version that wrote it"):
                assert row.outcome


async def test_a_key_with_a_null_character_is_refused(journal: SqliteJournal) -> None:
    """SQLite's questions for many keys end at such a character: it is told at once, and nothing is kept."""
    with pytest.raises(JournalError, match="null character"):
        await journal.admit("a\0b", "settings")
    assert [row.key async for row in journal.rows()] == []


async def test_news_of_tasks_is_told_to_all_owners_once(path: Path) -> None:
    """What one owner tells, every other reads from where it had read to; only the last few hundred stay."""
    async with opened(path) as here, opened(path) as there:
        for number in range(300):
            await here.tell(f"task-{number}")
        told = await there.told(0)
        assert [task_id for _, task_id in told] == [f"task-{number}" for number in range(44, 300)]
        assert await there.told(told[-1][0]) == []
        await there.tell("one more")
        assert [task_id for _, task_id in await here.told(told[-1][0])] == ["one more"]
