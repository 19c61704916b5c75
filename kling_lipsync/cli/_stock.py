"""What earlier runs have done of the jobs that are given, found out before any of them gets its turn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from itertools import compress

from attrs import define, field

from .._workflow.standing import Standing
from ..coordinator import Coordinator
from ..errors import ConfigurationError
from ..manifest import Plain
from ..models import Job
from ._console import named
from ._listening import Jobs
from ._selection import Selection
from ._tally import Tally


@define(kw_only=True)
class Stock:
    """Takes stock of ``jobs`` once: refuses those that came back changed, counts those that are finished, and leaves
    the others.

    ``selection`` is where they come from, ``None`` for a job without a manifest. A job takes one byte, by its place.
    """

    coordinator: Coordinator
    jobs: Jobs
    selection: Selection | None
    tally: Tally
    _waiting: bytearray = field(init=False, factory=bytearray)
    _changed: list[str] = field(init=False, factory=list)

    async def take(self) -> None:
        """Goes through the jobs. Raises ConfigurationError where some came back with other media or settings."""
        async for found in self.coordinator.survey(self.selection or self.jobs):
            self._add(found)
        self._refuse_changed()

    async def outcomes(self) -> AsyncIterator[Plain]:
        """The same, with how the jobs stand that belong into the results: all those of the manifest, chosen or not;
        without one, all those of the journal.
        """
        if self.selection is None:
            await self.take()
            async for row in self.coordinator.rows():
                if plain := row.read_plain():
                    yield plain
            return
        left = len(self.selection)
        async for found in self.coordinator.survey(self.selection.manifest):
            if left and self.selection.wants(found.job):
                left -= 1
                self._add(found)
            if plain := found.plain():
                yield plain
        self._refuse_changed()

    def waiting(self) -> Iterable[Job]:
        """Those of the jobs that need a turn."""
        return compress(self.jobs, self._waiting) if any(self._waiting) else ()

    def _add(self, found: Standing) -> None:
        """A job whose result could not be fetched needs its turn, if only to be told of."""
        outcome = found.outcome()
        done = self.selection is not None and found.finished and outcome.record is None
        self._waiting.append(not done)
        if done:
            self.tally.add(outcome)
        elif found.changed:
            self._changed.append(outcome.key)

    def _refuse_changed(self) -> None:
        if self._changed:
            raise ConfigurationError(
                f"{len(self._changed)} jobs are running, in doubt or done, and come back with other media or settings; "
                f"give them keys of their own, or their old media and settings: {named(self._changed)}"
            )
