from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kling_lipsync.sandbox import Settings
from kling_lipsync.sandbox.lookup import find_page
from kling_lipsync.sandbox.model import Family, Mix, Order, Sound, SoundFacts, TaskStatus, Video, VideoFacts
from kling_lipsync.sandbox.refusals import Refused
from kling_lipsync.sandbox.world import World, task_price

from .making import HandClock


def _world(clock: HandClock, **settings: Any) -> World:
    return World(Settings(**{"task_sigma": 0, **settings}), clock)


def _order(external_task_id: str = "", fate: str | None = None) -> Order:
    facts = VideoFacts(key="v", format="mp4", size_bytes=1, duration_ms=8000, width=1280, height=720, has_sound=True)
    sound = Sound(path=Path("s"), facts=SoundFacts(key="s", format="mp3", size_bytes=1, duration_ms=3000))
    return Order(
        family=Family.ADVANCED,
        video=Video(path=Path("v"), facts=facts, url="http://x/v"),
        sound=sound,
        mix=Mix(start_ms=0, end_ms=2000, insert_ms=0),
        external_task_id=external_task_id,
        fate=fate,
    )


@pytest.mark.parametrize(
    ("duration_ms", "units"), [(2000, "0.5"), (5000, "0.5"), (5001, "1.0"), (12_000, "1.5"), (60_000, "6.0")]
)
def test_each_started_five_seconds_cost_half_a_unit(duration_ms: int, units: str) -> None:
    """The price goes by the result's length."""
    assert task_price(duration_ms) == Decimal(units)


def test_a_task_moves_by_the_clock_alone(clock: HandClock) -> None:
    """Submitted, processing, then at its very end succeeded; failed where that is its fate."""
    world = _world(clock)
    good = world.start(world.account("a"), _order())
    bad = world.start(world.account("a"), _order(fate="no"))
    start = clock.now
    moments = [0, 11.9, 12, 239.9, 240, 10_000]
    words = [good.status(start + moment).value for moment in moments]
    assert words == ["submitted", "submitted", "processing", "processing", "succeed", "succeed"]
    assert bad.status(start + 240) is TaskStatus.FAILED
    assert (good.units(start + 239), good.units(start + 240), bad.units(start + 240)) == (0, 1, 0)


def test_a_stuck_task_never_ends_and_keeps_its_slot(clock: HandClock) -> None:
    """A week later it is still processing."""
    world = _world(clock, slots=1)
    account = world.account("a")
    task = world.start(account, _order(), stuck=True)
    clock.now += 7 * 24 * 3600
    assert task.status(clock.now) is TaskStatus.PROCESSING
    with pytest.raises(Refused) as raised:
        world.check_slot(account)
    assert raised.value.code == 1303


def test_the_most_that_ran_at_once_is_exact(clock: HandClock) -> None:
    """Tasks that touch end to start do not overlap; per account and over all accounts."""
    world = _world(clock)
    world.start(world.account("a"), _order())
    clock.now += 240
    world.start(world.account("a"), _order())
    world.start(world.account("b"), _order())
    assert world.account("a").max_running == 1
    assert world.max_running == 2


def test_durations_are_spread_and_repeat_with_the_seed(clock: HandClock) -> None:
    """The same seed gives the same times and ids, another one others; the median is about what is set."""

    def durations(seed: int) -> list[float]:
        world = _world(clock, task_sigma=0.4, seed=seed, slots=1000)
        tasks = [world.start(world.account("a"), _order()) for _ in range(301)]
        return [task.ends_at - task.created_at for task in tasks]

    assert durations(1) == durations(1)
    assert durations(1) != durations(2)
    assert sorted(durations(1))[150] == pytest.approx(240, rel=0.15)
    assert _world(clock, seed=1).new_id("task") == _world(clock, seed=1).new_id("task")
    assert _world(clock, seed=1).new_id("task") != _world(clock, seed=2).new_id("task")


def test_ids_look_like_klings_and_never_repeat(clock: HandClock) -> None:
    """Eighteen digits."""
    world = _world(clock)
    ids = [world.new_id(kind) for kind in ("task", "session") for _ in range(500)]
    assert len(set(ids)) == 1000
    assert all(len(each) == 18 and each.isdecimal() for each in ids)


def test_only_so_many_tasks_are_kept(clock: HandClock) -> None:
    """The oldest that has ended goes; what it cost stays counted, and its external id is free."""
    world = _world(clock, keep_tasks=3, slots=10)
    account = world.account("a")
    for index in range(5):
        world.start(account, _order(external_task_id=f"job-{index}"))
        clock.now += 240
    assert [task.order.external_task_id for task in account.tasks.values()] == ["job-2", "job-3", "job-4"]
    assert sorted(account.by_external_id) == ["job-2", "job-3", "job-4"]
    assert account.created == 5
    assert account.units(clock.now) == 5


def test_running_tasks_are_never_forgotten(clock: HandClock) -> None:
    """The bound gives way where nothing has ended."""
    world = _world(clock, keep_tasks=2, slots=10)
    for _ in range(4):
        world.start(world.account("a"), _order())
    assert len(world.account("a").tasks) == 4


def test_only_so_many_sessions_and_accounts_are_kept(clock: HandClock) -> None:
    """The oldest goes first."""
    world = _world(clock, keep_sessions=2, keep_tasks=3)
    sessions = [world.open_session(world.account("a"), _order().video, ()).session_id for _ in range(3)]
    assert list(world.account("a").sessions) == sessions[1:]
    for name in "bcd":
        world.account(name)
    assert list(world.accounts) == ["b", "c", "d"]


def test_charges_are_added_up_without_being_lost(clock: HandClock) -> None:
    """Thirty thousand looks for faces are still fifteen hundred units."""
    account = _world(clock).account("a")
    for _ in range(30_000):
        account.charge(clock.now, Decimal("0.05"))
    assert account.units(clock.now) == 1500
    assert len(account.charges) <= 10_001


def test_pages_show_one_family_only(clock: HandClock) -> None:
    """Tasks of the one-step API are not in the other list."""
    world = _world(clock)
    world.start(world.account("a"), _order())
    page = find_page(world.account("a"), Family.ONE_STEP, 1, 30, settings=world.settings, now=clock.now)
    assert page == []
