"""Group commit: what arrives while a transaction runs is written together by the next, with one wait for the disk.

No task runs in the background: of those that wait, the first writes for all and then passes the lead on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from anyio import CancelScope, Event, get_cancelled_exc_class
from anyio.lowlevel import checkpoint_if_cancelled

from ..abc import NoSlot
from ..errors import JournalError, KlingError
from .worker import Worker, to_the_end

if TYPE_CHECKING:
    from sqlite3 import Connection  # imported when a journal is opened, not before

T = TypeVar("T")


class Transact(Protocol):
    """Does pieces of work in one transaction, which is on disk afterwards if it is to be durable."""

    def __call__(self, works: Sequence[Callable[[Connection], None]], *, durable: bool) -> None: ...


class Ticket(Generic[T]):
    """One piece of a batch: its work, and what became of it."""

    def __init__(self, work: Callable[[Connection], T], durable: bool) -> None:
        self.turn = Event()
        self.durable = durable
        self.done = False
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
        self._waiting: list[Ticket[Any]] = []
        self._led = False

    async def put(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` returns, once its transaction is on disk.

        ``work`` refuses by raising a ``KlingError`` or ``NoSlot`` before it has written anything. Once it is handed in,
        cancelling the caller does not stop it: a cancel scope's cancellation is left to the caller's next step, one by
        ``asyncio.Task.cancel`` is raised when the work is done. Raises ``JournalError`` where the transaction fails.
        """
        await checkpoint_if_cancelled()
        return await self.put_at_once(work)

    async def put_at_once(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """The same, handed in even by a caller that is cancelled already.

        What is not ``durable`` may be forgotten if the power fails; alone, it does not wait for the disk.
        """
        ticket = Ticket(work, durable)
        self._waiting.append(ticket)
        cancelled = await _turn_of(ticket) if self._led else None
        if not ticket.done:
            self._led = True
            await to_the_end(self._lead)
        if cancelled:
            raise cancelled
        return ticket.result()

    async def _lead(self) -> None:
        # In a task of its own, so a round of the loop later: who was ready to write in that round comes along.
        batch, self._waiting = self._waiting, []
        try:
            durable = any(ticket.durable for ticket in batch)
            await self._worker.run(lambda: self._transact([ticket.run for ticket in batch], durable=durable))
        except Exception as error:  # noqa: BLE001 - each ticket raises it where it was handed in
            for ticket in batch:
                ticket.fail(error)
        finally:
            self._close(batch)

    def _close(self, batch: Sequence[Ticket[Any]]) -> None:
        for ticket in batch:
            ticket.done = True
            ticket.turn.set()
        self._led = bool(self._waiting)
        if self._waiting:
            self._waiting[0].turn.set()


async def _turn_of(ticket: Ticket[Any]) -> BaseException | None:
    """Waits until the ticket is done or leads. A native cancellation of an asyncio task passes the shield: it is given
    back, to be raised when the ticket is done.
    """
    cancelled: BaseException | None = None
    with CancelScope(shield=True):
        while not ticket.turn.is_set():
            try:
                await ticket.turn.wait()
            except get_cancelled_exc_class() as error:
                cancelled = error
    return cancelled
