"""Every error, and the two questions that each answers.

``transient``: may it pass by itself? ``may_have_acted``: may Kling have carried the request out already? ::

    KlingError
    ├── ConfigurationError      keys, limits or paths that cannot work
    ├── InvalidJob              local checks refuse the job
    ├── TransportError
    │   ├── NotSent             transient
    │   └── AnswerLost          transient, may have acted
    ├── APIError                Kling refused
    │   ├── AuthenticationError 1000-1004
    │   ├── AccountError        1100-1103, 1304
    │   ├── InvalidRequest      1200-1203
    │   ├── ContentRejected     1300-1301
    │   ├── RateLimited         1302, or 429 without a code; transient
    │   ├── SlotsFull           1303; transient
    │   └── ServerError         5000-5002, or 5xx without a code; transient, all but 5001 may have acted
    ├── ProtocolError           an answer in no documented shape; may have acted
    ├── JobError
    │   ├── NoSuitableFace
    │   ├── TaskFailed
    │   ├── TaskTimeout
    │   ├── InDoubt
    │   ├── BudgetExceeded
    │   └── ResultExpired
    ├── DownloadError           the result could not be fetched; the task stands
    └── JournalError
        └── ClaimLost
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from .models import Problem, Task


class KlingError(Exception):
    """Anything this package raises about a job, a request or the set-up; ``message`` says it in one line."""

    transient: bool = False
    may_have_acted: bool = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class ConfigurationError(KlingError):
    """Keys, limits or paths that cannot work; names every variable that was tried."""


class InvalidJob(KlingError):
    """Local checks refuse the job: nothing was paid for its task. ``problems`` says what to change."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class TransportError(KlingError):
    """A request did not come through the network whole."""


class NotSent(TransportError):
    """The request never left this machine whole, so Kling has not acted on it."""

    transient = True


class AnswerLost(TransportError):
    """The request left, the answer did not come: Kling may have acted."""

    transient = True
    may_have_acted = True


class APIError(KlingError):
    """Kling (or a gateway before it) answered that it refuses.

    ``code`` is Kling's business code, ``status`` the HTTP status, ``retry_after`` the seconds that the answer asks to
    wait.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        facts = {"code": self.code, "HTTP": self.status, "request": self.request_id}
        told = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
        return f"{self.message} ({told})" if told else self.message


class AuthenticationError(APIError):
    """The key is missing, wrong or expired (1000-1004): check the credentials and the gateway they belong to."""


class AccountError(APIError):
    """The account cannot run tasks (1100-1103, 1304): in arrears, pack used up, no permission, address not allowed."""


class InvalidRequest(APIError):
    """The parameters are wrong, or there is no such resource (1200-1203); the message says which."""


class ContentRejected(APIError):
    """The platform's policy or its content filter refuses this job (1300, 1301)."""


class RateLimited(APIError):
    """Requests came too fast (1302, or HTTP 429 without a code)."""

    transient = True


class SlotsFull(APIError):
    """The account runs as many tasks as it may (1303): wait for one to end."""

    transient = True


class ServerError(APIError):
    """Kling failed inside (5000-5002, or HTTP 5xx without a code)."""

    transient = True
    MAINTENANCE = 5001

    @property
    def may_have_acted(self) -> bool:  # type: ignore[override]
        """Whether the request may have been carried out: yes, unless Kling is closed for maintenance."""
        return self.code != self.MAINTENANCE


class ProtocolError(KlingError):
    """An answer in no documented shape; what it stands for is unknown, so Kling may have acted."""

    may_have_acted = True

    def __init__(self, message: str, *, status: int | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class JobError(KlingError):
    """A job did not come to its end; ``key`` names it."""

    def __init__(self, message: str, *, key: str) -> None:
        super().__init__(message)
        self.key = key


class NoSuitableFace(JobError):
    """No face of the video fits the job's rule: nothing was paid for its task."""


class _OfTask(JobError):
    def __init__(self, message: str, *, key: str, task: Task) -> None:
        super().__init__(message, key=key)
        self.task = task


class TaskFailed(_OfTask):
    """The task ended without a video; ``task.message`` is Kling's reason."""


class TaskTimeout(_OfTask):
    """The wait for the task ended, the task did not: run again to go on watching ``task``."""


class InDoubt(JobError):
    """Money may have been spent on a task and nobody can tell."""


class BudgetExceeded(JobError):
    """The next send could cost more than the budget has left; nothing was sent."""


class ResultExpired(JobError):
    """The result is no longer kept by Kling (30 days)."""


class DownloadError(KlingError):
    """The result could not be fetched; the task stands and is paid, and the next run fetches it without paying.

    ``expired`` says that the link is dead, so that asking Kling for a fresh one may help.
    """

    transient = True

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


class JournalError(KlingError):
    """The journal cannot be used, or does not fit this account; no request was sent for what it could not record."""


class ClaimLost(JournalError):
    """Another process owns the job now."""


@frozen(kw_only=True)
class ErrorRecord:
    """An error as the journal and the results keep it: ``type`` is the class's name, ``problems`` the broken rules."""

    type: str
    message: str
    code: int | None = None
    status: int | None = None
    request_id: str | None = None
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, error: KlingError) -> ErrorRecord:
        """What is worth keeping of ``error``; no secrets and no bodies are among it."""
        return cls(
            type=type(error).__name__,
            message=error.message,
            code=getattr(error, "code", None),
            status=getattr(error, "status", None),
            request_id=getattr(error, "request_id", None),
            problems=getattr(error, "problems", ()),
        )

    def revive(self, key: str, task: Task | None = None) -> KlingError:
        """The error again, as an instance of its class; ``task`` is the one it was about, if any."""
        kind = _named(self.type)
        if issubclass(kind, APIError):
            return kind(self.message, code=self.code, status=self.status, request_id=self.request_id)
        if issubclass(kind, InvalidJob):
            return kind(self.message, self.problems)
        if issubclass(kind, _OfTask):
            return kind(self.message, key=key, task=task) if task else KlingError(self.message)
        if issubclass(kind, JobError):
            return kind(self.message, key=key)
        return kind(self.message)


def _named(name: str) -> type[KlingError]:
    kind = globals().get(name)
    return kind if isinstance(kind, type) and issubclass(kind, KlingError) else KlingError
