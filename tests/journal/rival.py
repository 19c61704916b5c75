"""A process that fights with others for jobs, slots and a budget until all jobs are paid: ``rival.py PATH``.

An intent names the process that wrote it, and so does the end.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import anyio
from attrs import define, field

from kling_lipsync._journal import SqliteJournal
from kling_lipsync.abc import Admission, NoSlot
from kling_lipsync.errors import BudgetExceeded, ClaimLost
from kling_lipsync.events import CreateIntended, Event, TaskEnded
from kling_lipsync.models import Status, Task, TaskStatus

from .facts import opened, standing

JOBS = 200
SLOTS = 7
BUDGET = Decimal(60)
RESERVED = Decimal("0.5")
SPENT = Decimal("0.4")
WORKERS = 5
RUNS = 0.05
"""Seconds for which a task runs."""


def rival(path: Path) -> subprocess.Popen[str]:
    """The process; it says ``ready`` when it has the journal open."""
    command = [sys.executable, "-m", __name__, str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 - this file


@define
class _Fight:
    journal: SqliteJournal
    me: str = field(factory=lambda: str(os.getpid()))
    keys: list[str] = field(factory=list)

    async def work(self) -> None:
        """Takes jobs until every one has ended, or no money is left for those that have not begun."""
        while self.keys:
            await self.take(self.keys.pop())

    async def take(self, key: str) -> None:
        """Goes on with a job, unless somebody else has it."""
        try:
            admission = await self.journal.admit(key, key)
        except ClaimLost:
            return
        try:
            await self.go_on(admission)
        finally:
            await self.journal.release(admission.claim)

    async def go_on(self, admission: Admission) -> None:
        """The intent and the end, whichever of them the job wants."""
        if not admission.events:
            intent = CreateIntended(external_task_id=f"{self.me} {admission.claim.key}", units=RESERVED)
            if not await self.intends(admission, intent):
                return
        if len(admission.events) < 2:
            await anyio.sleep(RUNS)
            task = Task(task_id=self.me, status=TaskStatus.SUCCEED)
            await self.append(admission, TaskEnded(task=task, units=SPENT), 1, Status.SUCCEEDED)

    async def intends(self, admission: Admission, intent: CreateIntended) -> bool:
        """Whether the intent is written; waits for a slot, and goes on with the jobs of the dead, who hold some."""
        while True:
            try:
                await self.append(admission, intent, 0, Status.IN_DOUBT)
            except NoSlot:
                for row in await self.journal.dead_claims():
                    await self.take(row.key)
                await anyio.sleep(0.005)
            except BudgetExceeded:
                return False
            else:
                return True

    async def append(self, admission: Admission, event: Event, after: int, status: Status) -> None:
        """Writes under the ceilings."""
        outcome = standing(admission.claim.key, status)
        await self.journal.append(admission.claim, event, after=after, outcome=outcome, slots=SLOTS, budget=BUDGET)


async def _finished(journal: SqliteJournal) -> bool:
    """Whether nothing is open, and the money suffices for no other job or there is none."""
    totals = await journal.totals()
    ended = totals.jobs.get(Status.SUCCEEDED, 0)
    return totals.slots == 0 and (ended == JOBS or totals.spent + totals.reserved + RESERVED > BUDGET)


async def _main(path: str) -> None:
    async with opened(path) as journal:
        print("ready", flush=True)  # noqa: T201 - the parent reads it
        while not await _finished(journal):
            fight = _Fight(journal)
            done = {row.key async for row in journal.rows() if row.status is Status.SUCCEEDED}
            fight.keys = [key for n in range(JOBS) if (key := f"job {n}") not in done]
            random.shuffle(fight.keys)
            async with anyio.create_task_group() as tasks:
                for _ in range(WORKERS):
                    tasks.start_soon(fight.work)
            await journal.wait_for_others(0.05)


if __name__ == "__main__":
    anyio.run(_main, sys.argv[1])
