"""Callbacks that were taken already: remembered as long as their signature holds, and never too many."""

from __future__ import annotations

from collections import OrderedDict

from .signatures import Genuine

MOST = 10_000
"""Callbacks remembered at once; the oldest is forgotten first, and its repetition would cost one look."""


class Replays:
    """The callbacks of the last seconds, by id and key: tenants cannot use up each other's ids."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._until: OrderedDict[Genuine, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def is_new(self, callback: Genuine, *, now: float, lifetime: float) -> bool:
        """Whether the callback was not taken before; it is from now on, for ``lifetime`` seconds."""
        while self._until and next(iter(self._until.values())) < now:
            self._until.popitem(last=False)
        if callback in self._until:
            return False
        self._until[callback] = now + lifetime
        if len(self._until) > self._most:
            self._until.popitem(last=False)
        return True
