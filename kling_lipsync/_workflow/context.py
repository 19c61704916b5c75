"""What the steps of every job of a batch share."""

from __future__ import annotations

import hashlib
from collections.abc import Set as AbstractSet
from pathlib import Path

from attrs import frozen

from ..abc import Clock, Journal
from ..client import KlingClient
from ..policies import RetryPolicy
from .breaker import Breaker
from .listed import ListedIds
from .neighbours import Neighbours
from .recorder import Recorder
from .remote import RemoteLook
from .sessions import Sessions
from .slots import Slots
from .state import Step
from .watcher import Watcher


@frozen(kw_only=True)
class Settings:
    """How a batch is run. ``download_to`` is ``None`` where no file is wanted; ``reconcile_grace`` is in seconds."""

    download_to: Path | None = None
    fit: bool = False
    reconcile_grace: float = 30.0
    retry_failed: bool = False
    retry_in_doubt: bool = False
    threads: bool = True
    retry: RetryPolicy = RetryPolicy()

    @property
    def ends(self) -> AbstractSet[Step]:
        """The steps at which a run has nothing left to do for a job."""
        return {Step.DONE} if self.download_to is not None else {Step.DONE, Step.FETCH}


@frozen(kw_only=True)
class Context:
    """The tools of a batch; ``is_new``: the journal knew no job before this run."""

    client: KlingClient
    journal: Journal
    recorder: Recorder
    slots: Slots
    breaker: Breaker
    sessions: Sessions
    watcher: Watcher
    neighbours: Neighbours
    listed: ListedIds
    is_new: bool
    remote: RemoteLook | None
    settings: Settings
    clock: Clock


def external_id(journal_id: str, key: str, attempt: int) -> str:
    """The external task id of one attempt, the same whenever it is asked for: it begins with the journal's own mark.

    A letter comes first, since a gateway reads leading digits as its own row number.
    """
    first = f"{journal_mark(journal_id)}{_digest(journal_id, key)[:20]}"
    return first if attempt == 1 else f"{first}-r{attempt}"


def journal_mark(journal_id: str) -> str:
    """What the external ids of a journal begin with, and those of no other."""
    return f"kl-{_digest(journal_id)[:10]}-"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
