"""The options of a batch, and the coordinator that they make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from attrs import frozen
from cyclopts import Group, Parameter

from ..abc import Callbacks
from ..client import KlingClient
from ..coordinator import Coordinator
from ..errors import ConfigurationError
from ..events import Event
from ..policies import Budget, Limits, PollPolicy
from ._options import Count, Positive, Units

_LIMITS = Limits()
_POLL = PollPolicy()


@Parameter(name="*", group=Group("Batch", sort_key=5))
@frozen(kw_only=True)
class Batch:
    """How a batch is run."""

    journal: Path | None = None
    """Keeps what was done and paid; default: the manifest's name + .journal. Run again with it to go on."""

    results: Path | None = None
    """Write a JSON line for each job to this file, as jobs end."""

    new_journal: bool = False
    """Go on although --results lists paid jobs that the journal does not know; a copy of it is kept beside it."""

    running_tasks: Count | None = None
    """Run at most so many tasks at once; default: as many as the account allows, found by itself."""

    requests_per_second: Positive | None = _LIMITS.requests_per_second
    """Pace of all requests; default: 10."""

    poll_interval: Positive = _POLL.interval
    """Look at running tasks at most every so many seconds; default: 5."""

    task_timeout: Positive = _POLL.task_timeout
    """Wait for a task so many seconds; then its job stays running, for a later run. Default: 3600."""

    reconcile_grace: Positive = 30.0
    """Look for a task that may exist for so many seconds; default: 30."""

    budget: Units | None = None
    """The most units that the journal may spend in its whole life."""

    max_failures: Count | None = None
    """Stop after so many failures."""

    retry_failed: bool = False
    """Try jobs again that failed in earlier runs."""

    retry_in_doubt: bool = False
    """Create tasks again that no look finds, at the risk of paying twice."""

    fit: bool = False
    """Trim a sound that is too long, instead of refusing its job."""

    no_remote: Annotated[bool, Parameter(name="--no-remote")] = False
    """Do not look into the headers of remote media."""

    callback_listen: str | None = None
    """Let Kling's callbacks in at HOST:PORT, so that ends are seen at once; needs --callback-url."""

    callback_url: str | None = None
    """The URL under which Kling reaches --callback-listen. KLING_CALLBACK_SECRET is what verifies the callbacks; else
    a secret path is appended."""

    def coordinator(
        self,
        client: KlingClient,
        *,
        journal: Path,
        download_to: Path | None = None,
        on_event: Callable[[Event], None] | None = None,
        callbacks: Callbacks | None = None,
    ) -> Coordinator:
        """A coordinator with these options. Raises ConfigurationError."""
        if self.budget is not None and client.gateway.prices is None:
            raise ConfigurationError(
                f"--budget needs prices, and those of {client.gateway.name} are not known: give them by --prices FILE"
            )
        return Coordinator(
            client,
            journal=journal,
            download_to=download_to,
            limits=Limits(running_tasks=self.running_tasks, requests_per_second=self.requests_per_second),
            poll=PollPolicy(interval=self.poll_interval, task_timeout=self.task_timeout),
            budget=Budget(units=self.budget) if self.budget is not None else None,
            fit=self.fit,
            remote=not self.no_remote,
            on_event=on_event,
            reconcile_grace=self.reconcile_grace,
            retry_failed=self.retry_failed,
            retry_in_doubt=self.retry_in_doubt,
            max_failures=self.max_failures,
            callbacks=callbacks,
        )
