"""Group commit: what arrives while a transaction runs is written together by the next, with one wait for the disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from anyio import Event
from anyio.lowlevel import checkpoint_if_cancelled

from ..abc import NoSlot
from ..errors import JournalError, KlingError
from .worker import Worker

if TYPE_CHECKING:
    from sqlite3 import Connection  # imported when a journal is opened, not before

T = TypeVar("T")


class Transact(Protocol):
    """Does pieces of work in one transaction, which is on disk afterwards if it is to be durable."""

    def __call__(self, works: Sequence[Callable[[Connection], None]], *, durable: bool) -> None: ...


class Ticket(Generic[T]):
    """One piece of a batch: its work, and what became of it; ``done`` is set in the event loop."""

    def __init__(self, work: Callable[[Connection], T], durable: bool) -> None:
        self.done = Event()
        self.durable = durable
        self._work = work
        self._answers: list[T] = []
        self._error: Exception = JournalError("the journal was interrupted; what it was writing is not kept")

    def run(self, connection: Connection) -> None:
        """Does the work inside the batch's transaction. A refusal is the ticket's own and leaves the others alone."""
        try:
            self._answers.append(self._work(connection))
        except (KlingError, NoSlot) as refusal:
            self._error = refusal

    def fail(self, error: Exception) -> None:
        """Takes back what ``run`` did: the transaction failed."""
        self._answers.clear()
        self._error = JournalError(error.message) if type(error) is JournalError else error

    def result(self) -> T:
        """What the work returned. Raises its refusal, or what the transaction failed with."""
        if not self._answers:
            raise self._error
        return self._answers[0]


class GroupCommit:
    """Takes pieces of work and runs those that wait together by ``transact``, one transaction at a time."""

    def __init__(self, transact: Transact, worker: Worker) -> None:
        self._transact = transact
        self._worker = worker
        self._waiting: deque[Ticket[Any]] = deque()

    async def put(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """What ``work`` returns, once its transaction is on disk.

        ``work`` refuses by raising a ``KlingError`` or ``NoSlot`` before it has written anything. Once it is handed in,
        cancelling the caller does not stop it: a cancel scope's cancellation is left to the caller's next step, one by
        ``asyncio.Task.cancel`` is raised when the work is done. What is not ``durable`` may be forgotten if the power
        fails; alone, it does not wait for the disk. Raises ``JournalError`` where the transaction fails.
        """
        await checkpoint_if_cancelled()
        return await self.put_at_once(work, durable=durable)

    async def put_at_once(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """The same, handed in even by a caller that is cancelled already."""
        ticket = Ticket(work, durable)
        self._waiting.append(ticket)
        await self._worker.do(self._write_waiting, ticket.done)
        return ticket.result()

    def _write_waiting(self) -> None:
        """Writes what waits now; whoever's turn comes after that may find that it was written along."""
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not batch:
            return
        try:
            self._transact([ticket.run for ticket in batch], durable=any(ticket.durable for ticket in batch))
        except Exception as error:  # noqa: BLE001 - each ticket raises it where it was handed in
            for ticket in batch:
                ticket.fail(error)
        finally:
            self._worker.tell(lambda: _end(batch))


def _end(batch: Sequence[Ticket[Any]]) -> None:
    for ticket in batch:
        ticket.done.set()
