from __future__ import annotations

import random
import signal
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from kling_lipsync.events import CreateIntended, Event, TaskEnded
from kling_lipsync.models import Status

from .facts import opened
from .rival import BUDGET, RESERVED, SLOTS, SPENT, rival

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),  # what is tested runs in other processes
]

DISTURBANCES = 24


class Arena:
    """Three processes, of which one is stopped for a moment, or killed and replaced, again and again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._chance = random.Random(1)  # noqa: S311 - no secret
        self.killed: set[int] = set()
        self.rivals = [rival(path) for _ in range(3)]
        for each in self.rivals:
            assert each.stdout
            assert each.stdout.readline() == "ready\n"

    def disturb(self) -> None:
        """One disturbance; the moments are chance, and no test depends on them."""
        time.sleep(self._chance.uniform(0.01, 0.06))
        place = self._chance.randrange(3)
        victim = self.rivals[place]
        if self._chance.random() < 0.3:
            victim.kill()
            victim.communicate()
            self.killed.add(victim.pid)
            self.rivals[place] = rival(self._path)
        else:
            victim.send_signal(signal.SIGSTOP)
            time.sleep(self._chance.uniform(0.01, 0.1))
            victim.send_signal(signal.SIGCONT)

    def finish(self) -> list[int]:
        """How the last three ended, all by themselves."""
        for each in self.rivals:
            each.communicate(timeout=60)
        return [each.returncode for each in self.rivals]

    def close(self) -> None:
        """Leaves no process behind."""
        for each in self.rivals:
            each.kill()
            each.communicate()


def replay(log: list[Event], killed: set[int]) -> int:
    """Recounts slots, money and versions event by event, and who wrote; gives how many jobs changed hands."""
    holders: dict[str, str] = {}
    versions: dict[str, int] = {}
    spent = Decimal(0)
    inherited = 0
    for event in log:
        assert event.version == versions.get(event.key, 0) + 1
        versions[event.key] = event.version
        if isinstance(event, CreateIntended):
            holders[event.key] = event.external_task_id.split()[0]
        else:
            assert isinstance(event, TaskEnded)
            began = holders.pop(event.key)
            if began != event.task.task_id:
                assert int(began) in killed, "a living owner's job was taken from it"
                inherited += 1
            spent += SPENT
        assert len(holders) <= SLOTS
        assert spent + RESERVED * len(holders) <= BUDGET
    assert not holders
    return inherited


async def test_rivals_share_jobs_slots_and_money_exactly(path: Path) -> None:
    """Three processes fight for two hundred jobs, seven slots and a budget, stopped and killed at any moment: at no
    event are more slots held or more money committed than there is, no living owner loses a job, what a dead one left
    is ended by another, and in the end exactly as many jobs are paid, once each, as the budget has room for.
    """
    arena = Arena(path)
    try:
        for _ in range(DISTURBANCES):
            arena.disturb()
        assert arena.finish() == [0, 0, 0]
    finally:
        arena.close()
    async with opened(path) as journal:
        log: list[Event] = []
        while more := await journal.events(after=log[-1].seq if log else 0):
            log += more
        totals = await journal.totals()
    replay(log, arena.killed)
    affordable = int((BUDGET - RESERVED) / SPENT) + 1
    assert totals.jobs[Status.SUCCEEDED] == affordable == len(log) // 2
    assert (totals.slots, totals.reserved, totals.spent) == (0, Decimal(0), affordable * SPENT)
