"""One call for all who want its answer at the same time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio
import anyio.abc

from ..errors import KlingError

T = TypeVar("T")


class _Flight(Generic[T]):
    def __init__(self) -> None:
        self.landed = anyio.Event()
        self.value: T | None = None
        self.error: BaseException | None = None

    async def fly(self, make: Callable[[], Awaitable[T]]) -> None:
        try:
            self.value = await make()
        except KlingError as error:
            self.error = error
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.landed.set()


class Flights(Generic[T]):
    """Runs one call per key in ``group``: callers that come meanwhile share its answer, and survive its first
    caller's cancellation.
    """

    def __init__(self, group: anyio.abc.TaskGroup) -> None:
        self._group = group
        self._aloft: dict[str, _Flight[T]] = {}

    def aloft(self, key: str) -> bool:
        """Whether a call for ``key`` is under way, which the next caller would share."""
        return key in self._aloft

    async def share(self, key: str, make: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """The answer of ``make``, and whether this caller set it off. Raises what ``make`` raised."""
        flight = self._aloft.get(key)
        leads = flight is None
        if flight is None:
            flight = self._aloft[key] = _Flight()
            self._group.start_soon(self._fly, key, flight, make)
        await flight.landed.wait()
        if flight.error is not None:
            raise flight.error
        return flight.value, leads  # type: ignore[return-value]

    async def _fly(self, key: str, flight: _Flight[T], make: Callable[[], Awaitable[T]]) -> None:
        try:
            await flight.fly(make)
        finally:
            del self._aloft[key]
