from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from decimal import Decimal

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_lipsync._journal import SqliteJournal
from kling_lipsync.abc import Claim, NoSlot
from kling_lipsync.errors import BudgetExceeded
from kling_lipsync.events import AttemptStarted, Event, SlotPresumedFree, SpeechMade
from kling_lipsync.models import SpokenAudio, Status

from .facts import CHECKED, CREATED, DOUBT, begun, claimed, ended, holders, intended, opened, standing, write

pytestmark = pytest.mark.anyio


async def take(
    journal: SqliteJournal, claim: Claim, *, after: int = 0, slots: int | None = None, budget: str | None = None
) -> None:
    """An intent of half a unit, under ceilings."""
    await journal.append(
        claim,
        intended(),
        after=after,
        outcome=standing(claim.key),
        slots=slots,
        budget=None if budget is None else Decimal(budget),
    )


async def test_the_ceiling_on_slots_is_kept(journal: SqliteJournal) -> None:
    """One intent more than there are slots is refused and leaves nothing behind; a freed slot lets it in."""
    a, b = await claimed(journal, "a"), await claimed(journal, "b")
    await take(journal, a, slots=1)
    with pytest.raises(NoSlot, match="1 of 1"):
        await take(journal, b, slots=1)
    assert await journal.events(key="b") == []
    assert (await journal.totals()).reserved == Decimal("0.5")
    await write(journal, a, ended(), after=1)
    await take(journal, b, slots=1)


async def test_a_lowered_ceiling_refuses_only_new_holders(journal: SqliteJournal) -> None:
    """Who holds a slot may intend again below a ceiling that has been lowered meanwhile, or to nothing."""
    a, b = await begun(journal, "a", intended()), await claimed(journal, "b")
    await take(journal, a, after=1, slots=0)
    with pytest.raises(NoSlot):
        await take(journal, b, slots=0)


async def test_a_lent_slot_is_free(journal: SqliteJournal) -> None:
    """A task past its time lends its slot out and keeps its reservation."""
    await begun(journal, "a", intended(), CREATED, SlotPresumedFree())
    await take(journal, await claimed(journal, "b"), slots=1)
    assert (await journal.totals()).reserved == Decimal(1)


async def test_the_budget_is_kept_to_the_last_millionth(journal: SqliteJournal) -> None:
    """Spent and reserved together reach the budget exactly, and never pass it."""
    await begun(journal, "a", intended("0.3"), ended("0.3"), status=Status.SUCCEEDED)
    await begun(journal, "b", intended("0.2"))
    c, d = await claimed(journal, "c"), await claimed(journal, "d")
    with pytest.raises(BudgetExceeded, match=r"may cost 0\.5 units, and of the budget of 0\.999999 only 0\.499999"):
        await take(journal, c, budget="0.999999")
    await take(journal, c, budget="1")
    with pytest.raises(BudgetExceeded, match="only 0 are left") as refusal:
        await take(journal, d, budget="1")
    assert refusal.value.key == "d"
    assert await journal.events(key="d") == []


async def test_a_budget_is_rounded_down(journal: SqliteJournal) -> None:
    """A budget finer than the journal counts is not overspent by its rounding."""
    with pytest.raises(BudgetExceeded):
        await take(journal, await claimed(journal, "a"), budget="0.4999999")


async def test_what_is_reserved_already_is_not_reserved_again(journal: SqliteJournal) -> None:
    """A job that intends again, its reservation standing, fits a budget that is full."""
    claim = await begun(journal, "a", intended(), DOUBT, status=Status.IN_DOUBT)
    await take(journal, claim, after=2, budget="0.5")


async def test_a_fact_is_never_refused(journal: SqliteJournal) -> None:
    """What has been spent is written, whatever the budget and the slots say."""
    claim = await begun(journal, "a", intended("5"))
    speech = SpeechMade(audio=SpokenAudio(audio_id="x"), units=Decimal(3))
    for after, event in enumerate([speech, ended("7")], 1):
        await journal.append(claim, event, after=after, outcome=standing("a"), slots=0, budget=Decimal("0.1"))
    totals = await journal.totals()
    assert (totals.spent, totals.reserved) == (Decimal(10), Decimal(0))


async def test_never_more_holders_than_slots(journal: SqliteJournal) -> None:
    """Thirty jobs that fight for four slots, many times over: the log shows at most four holders at any moment."""
    slots = 4

    async def fight(key: str) -> None:
        claim = await claimed(journal, key)
        version = 0
        while version < 6:
            try:
                await take(journal, claim, after=version, slots=slots)
            except NoSlot:
                await checkpoint()
                continue
            await write(journal, claim, ended(), after=version + 1)
            version += 2

    async with anyio.create_task_group() as tasks:
        for n in range(30):
            tasks.start_soon(fight, f"job {n}")
    log = await journal.events()
    held = peak = 0
    for event in log:
        held += 1 if event.slot else -1
        peak = max(peak, held)
    assert (len(log), held, peak) == (180, 0, slots)


KINDS: dict[str, Callable[[], Event]] = {
    "check": lambda: CHECKED,
    "intend 0.5": lambda: intended("0.5"),
    "intend 2": lambda: intended("2"),
    "create": lambda: CREATED,
    "doubt": lambda: DOUBT,
    "end 0.4": lambda: ended("0.4"),
    "lend": SlotPresumedFree,
    "again": lambda: AttemptStarted(attempt=2),
}
STEP = st.tuples(st.sampled_from("abc"), st.sampled_from(sorted(KINDS)), st.sampled_from(list(Status)))


class Abacus:
    """The rules again, in the plainest way: every job's slot, reservation and spending."""

    def __init__(self, slots: int, budget: Decimal) -> None:
        self.slots, self.budget = slots, budget
        self.held: dict[str, bool] = dict.fromkeys("abc", False)
        self.reserved: dict[str, Decimal] = dict.fromkeys("abc", Decimal(0))
        self.spent: dict[str, Decimal] = dict.fromkeys("abc", Decimal(0))
        self.status: dict[str, Status] = dict.fromkeys("abc", Status.NOT_STARTED)
        self.paused: dict[str, bool] = dict.fromkeys("abc", False)
        self.versions: dict[str, int] = dict.fromkeys("abc", 0)

    def refuses(self, key: str, event: Event) -> type[Exception] | None:
        """The refusal that is due, if any."""
        if event.slot and not self.held[key] and sum(self.held.values()) >= self.slots:
            return NoSlot
        if event.reserves is not None and event.reserves > self.reserved[key]:
            others = sum(self.reserved.values()) - self.reserved[key] + sum(self.spent.values())
            if others + event.reserves + event.spends > self.budget:
                return BudgetExceeded
        return None

    def take(self, key: str, event: Event, status: Status) -> None:
        """What the event changes."""
        self.held[key] = self.held[key] if event.slot is None else event.slot
        self.reserved[key] = self.reserved[key] if event.reserves is None else event.reserves
        self.spent[key] += event.spends
        self.status[key], self.paused[key] = status, event.pauses
        self.versions[key] += 1

    def shown(self, key: str) -> Status:
        """The status as totals count it: who owns the job lives, so one in doubt that no run has left is running."""
        return Status.RUNNING if self.status[key] is Status.IN_DOUBT else self.status[key]


async def compare(steps: Sequence[tuple[str, str, Status]], slots: int, budget: Decimal) -> None:
    """Does the steps in a journal and on the abacus, and compares after each."""
    abacus = Abacus(slots, budget)
    async with opened(":memory:", inline=True) as journal:
        claims = {key: await claimed(journal, key) for key in "abc"}
        for key, name, status in steps:
            event = KINDS[name]()
            refusal = abacus.refuses(key, event)
            append = journal.append(
                claims[key],
                event,
                after=abacus.versions[key],
                outcome=standing(key, status),
                slots=slots,
                budget=budget,
            )
            if refusal is None:
                await append
                abacus.take(key, event, status)
            else:
                with pytest.raises(refusal):
                    await append
            await agree(journal, abacus)


async def agree(journal: SqliteJournal, abacus: Abacus) -> None:
    """The journal and the abacus say the same."""
    totals = await journal.totals()
    doubtful = {key for key, status in abacus.status.items() if status is Status.IN_DOUBT and abacus.paused[key]}
    statuses = [Status.IN_DOUBT if key in doubtful else abacus.shown(key) for key in "abc"]
    assert totals.slots == sum(abacus.held.values())
    assert totals.spent == sum(abacus.spent.values())
    assert totals.in_doubt == sum(abacus.reserved[key] for key in doubtful)
    assert totals.reserved == sum(abacus.reserved[key] for key in set("abc") - doubtful)
    assert totals.jobs == {status: statuses.count(status) for status in statuses}
    assert await holders(journal) == [key for key in "abc" if abacus.held[key]]
    assert {row.key: row.version async for row in journal.rows()} == abacus.versions


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEP, max_size=25), slots=st.integers(0, 3), budget=st.sampled_from([Decimal(1), Decimal(4)]))
def test_the_counters_follow_every_history(steps: list[tuple[str, str, Status]], slots: int, budget: Decimal) -> None:
    """Whatever is written in whatever order, slots, money and refusals are those of a plain recount."""
    anyio.run(compare, steps, slots, budget)


def test_sqlite_is_recent_enough() -> None:
    """What the queries use has been in SQLite since 3.38; 3.40 is what this package promises to run on."""
    assert sqlite3.sqlite_version_info >= (3, 40)
