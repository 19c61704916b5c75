"""When a whole batch must stop: what would fail every job alike is not tried on all of them."""

from __future__ import annotations

from attrs import define

from ..errors import AccountError, APIError, AuthenticationError, ErrorRecord, KlingError
from ..events import CreateRefused, Event, FacesIdentified, JobFailed, StepFailed, TaskCreated, TaskEnded
from ..models import TaskStatus

ACCOUNT_FAULTS = frozenset({AccountError.__name__, AuthenticationError.__name__})
SAME_FAILURES = 5
"""So many jobs that fail alike in a row, with none accepted, stop the batch."""


@define(kw_only=True)
class Breaker:
    """Watches the facts of a batch; ``reason`` says why it must stop, and is ``None`` while it may go on.

    An account fault stops it at once. The same refusal of the first jobs stops it while none was accepted; the same
    passing failure (a dead network, a closed service) of as many jobs in a row stops it at any time.
    """

    max_failures: int | None = None
    reason: KlingError | None = None
    failures: int = 0
    _accepted: bool = False
    _alike: int = 0
    _last: tuple[str, int | None] | None = None

    def observe(self, event: Event) -> None:
        """Takes one fact into account."""
        if isinstance(event, TaskCreated):
            self._accepted, self._alike = True, 0
        elif isinstance(event, FacesIdentified):
            self._alike = 0
        elif isinstance(event, TaskEnded) and event.task.status is TaskStatus.FAILED:
            self._count()
        elif isinstance(event, (StepFailed, JobFailed, CreateRefused)):
            self._failed(event.error, event)
            self._count()

    def stop(self, reason: KlingError) -> None:
        """Stops the batch, unless it is stopped already."""
        self.reason = self.reason or reason

    def _failed(self, error: ErrorRecord, event: Event) -> None:
        if error.type in ACCOUNT_FAULTS:
            self.stop(error.revive(event.key))
        same = (error.type, error.code)
        self._alike = self._alike + 1 if same == self._last else 1
        self._last = same
        counts = isinstance(event, StepFailed) or not self._accepted
        if counts and self._alike >= SAME_FAILURES:
            self.stop(self._all_alike(error))

    def _count(self) -> None:
        self.failures += 1
        if self.max_failures is not None and self.failures >= self.max_failures:
            self.stop(KlingError(f"stopped after {self.failures} failures, as asked; run again to go on"))

    def _all_alike(self, error: ErrorRecord) -> KlingError:
        message = f"stopped: {self._alike} jobs in a row failed alike: {error.message}"
        if error.code is None:
            return KlingError(message)
        return APIError(message, code=error.code, status=error.status, request_id=error.request_id)
