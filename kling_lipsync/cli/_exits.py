"""Exit statuses, and which of them an end has: the first that applies, from interruption down to success."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import IntEnum

from ..errors import (
    AccountError,
    AuthenticationError,
    BudgetExceeded,
    ConfigurationError,
    InvalidJob,
    JournalError,
    KlingError,
)
from ..models import Status


class Exit(IntEnum):
    """What the exit status says."""

    SUCCEEDED = 0
    UNSUCCESSFUL = 1
    """Some did not succeed."""
    WRONG_USAGE = 2
    """Wrong usage, manifest or configuration: nothing was sent."""
    STOPPED = 3
    """By an account fault, the budget, too many failures, or files that could not be written any more."""
    IN_DOUBT = 4
    """Of some jobs nobody can tell whether they were paid."""
    INTERRUPTED = 130
    TERMINATED = 143


_OF_ERRORS: tuple[tuple[type[KlingError], Exit], ...] = (
    (ConfigurationError, Exit.WRONG_USAGE),
    (InvalidJob, Exit.WRONG_USAGE),
    (JournalError, Exit.WRONG_USAGE),
    (AccountError, Exit.STOPPED),
    (AuthenticationError, Exit.STOPPED),
    (BudgetExceeded, Exit.STOPPED),
)


def exit_of_error(error: KlingError) -> Exit:
    """The status of a command that ended with ``error``, outside of any job."""
    return next((status for kind, status in _OF_ERRORS if isinstance(error, kind)), Exit.UNSUCCESSFUL)


def exit_of_batch(statuses: AbstractSet[Status], *, whole: bool, stopped: bool) -> Exit:
    """The status of a batch whose jobs ended with ``statuses``.

    ``whole`` is false where a result was paid but could not be fetched; ``stopped`` is true where the batch left jobs
    untouched.
    """
    if Status.IN_DOUBT in statuses:
        return Exit.IN_DOUBT
    if stopped:
        return Exit.STOPPED
    return Exit.SUCCEEDED if whole and statuses <= {Status.SUCCEEDED} else Exit.UNSUCCESSFUL
