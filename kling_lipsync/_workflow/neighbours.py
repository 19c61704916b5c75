"""The other processes on a journal: the slots they hold, the jobs they finish, and what they leave when they die."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from ..abc import Journal
from .slots import Slots

PATIENCE = 2.0
"""Seconds without news after which dead owners are looked for all the same."""


Errand = Callable[[], Awaitable[None]]
"""What is to be done when others may have written."""


class Neighbours:
    """Follows what others write to the journal, but only while something here depends on it.

    ``stopped`` says whether the batch takes no more jobs, for which nobody need wait then.
    """

    def __init__(self, journal: Journal, slots: Slots, stopped: Callable[[], bool]) -> None:
        self._journal = journal
        self._slots = slots
        self._stopped = stopped
        self._needed = anyio.Event()
        self._awaited: dict[str, anyio.Event] = {}
        self._errands: list[Errand] = []

    async def refresh(self) -> None:
        """Counts the slots that others hold."""
        self._slots.others = await self._journal.slots_of_others()
        self._slots.wake()
        if self._slots.others:
            self._needed.set()

    async def gives_back(self, key: str) -> None:
        """Returns once no other process has the job claimed, or the batch is stopped."""
        free = self._awaited[key] = anyio.Event()
        self._needed.set()
        try:
            await free.wait()
        finally:
            del self._awaited[key]

    def listen(self, errand: Errand) -> None:
        """Calls ``errand`` whenever others may have written, from now on without a pause."""
        self._errands.append(errand)
        self._needed.set()

    async def run(self, take_over: Errand) -> None:
        """Looks for ever, and lets ``take_over`` take what dead owners left; cancel it to stop."""
        while True:
            await self._needed.wait()
            while self._slots.others or self._awaited or self._errands:
                await self._journal.wait_for_others(PATIENCE)
                for errand in (take_over, self.refresh, self._wake, *self._errands):
                    await errand()
            self._needed = anyio.Event()

    async def _wake(self) -> None:
        free = self._awaited if self._stopped() else await self._journal.unclaimed(list(self._awaited))
        for key in free:
            if key in self._awaited:
                self._awaited[key].set()
