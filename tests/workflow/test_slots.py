"""The account's allowance, as far as refusals teach it, and the queue before it."""

from __future__ import annotations

import anyio
import pytest

from kling_lipsync._workflow.slots import FIRST_LIMIT, Allowance, Slots
from kling_lipsync.testing import VirtualClock


def test_a_given_ceiling_is_never_passed() -> None:
    """With a ceiling, no task starts beyond it, refused or not."""
    allowance = Allowance(ceiling=3)
    assert allowance.may_start(2, now=0.0)
    assert not allowance.may_start(3, now=0.0)
    allowance.refused(2, now=0.0)
    assert not allowance.may_start(3, now=1e9)


def test_an_unknown_allowance_grows_with_each_accepted_create() -> None:
    """Without a ceiling the limit grows until Kling refuses."""
    allowance = Allowance()
    for held in range(1, 20):
        allowance.accepted(held, now=0.0)
    assert allowance.limit == FIRST_LIMIT + 19


def test_refusals_shrink_the_limit_to_what_runs() -> None:
    """Ten creates at once where five may run: five refusals leave a limit of five."""
    allowance = Allowance(ceiling=10)
    for running in (9, 8, 7, 6, 5):
        allowance.refused(running, now=0.0)
    assert allowance.limit == 5
    assert not allowance.may_start(5, now=0.0)


def test_after_a_refusal_one_create_at_a_time_probes() -> None:
    """A probe may start once its time has come, alone; accepted, it raises the limit; refused, the next waits
    longer.
    """
    allowance = Allowance(ceiling=10)
    allowance.refused(5, now=0.0)
    assert not allowance.may_start(5, now=0.5)
    assert allowance.may_start(5, now=1.0)
    allowance.started(5)
    assert not allowance.may_start(5, now=1.0)
    allowance.accepted(6, now=2.0)
    assert (allowance.limit, allowance.may_start(6, now=2.0)) == (6, True)
    allowance.started(6)
    allowance.refused(6, now=3.0)
    assert not allowance.may_start(6, now=3.9)
    assert allowance.may_start(6, now=4.0)
    allowance.started(6)
    allowance.refused(6, now=4.0)
    assert not allowance.may_start(6, now=5.9)


def never() -> bool:
    return False


@pytest.mark.anyio
async def test_turns_come_in_the_order_of_asking() -> None:
    """First come, first served, each as a slot is given back."""
    slots = Slots(1, VirtualClock())
    order: list[int] = []

    async def take(number: int) -> None:
        await slots.turn(never)
        slots.change(False, True)
        slots.turn_over()
        order.append(number)

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(take, number)
            await anyio.wait_all_tasks_blocked()
        for expected in range(4):
            assert order == list(range(expected + 1))
            slots.change(True, False)
            await anyio.wait_all_tasks_blocked()


@pytest.mark.anyio
async def test_who_leaves_the_queue_lets_the_next_one_pass() -> None:
    """A cancelled waiter takes nobody's turn with it."""
    slots = Slots(1, VirtualClock())
    slots.change(False, True)
    passed = anyio.Event()

    async def wait_in_vain(scope: anyio.CancelScope) -> None:
        with scope:
            await slots.turn(never)

    async def wait() -> None:
        await slots.turn(never)
        passed.set()

    scope = anyio.CancelScope()
    async with anyio.create_task_group() as group:
        group.start_soon(wait_in_vain, scope)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        slots.change(True, False)
        with anyio.fail_after(5):
            await passed.wait()


@pytest.mark.anyio
async def test_a_stopped_batch_empties_the_queue() -> None:
    """Whoever waits for a slot when the batch stops is let go at once."""
    slots = Slots(1, VirtualClock())
    slots.change(False, True)
    stopped = False
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(slots.turn, lambda: stopped)
        await anyio.wait_all_tasks_blocked()
        stopped = True
        slots.wake_all()
