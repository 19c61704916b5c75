"""Real processes and real sockets, ended without a warning."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from attrs import evolve

from benchmarks._chaos_batch import Batch
from benchmarks._chaos_world import World

from .lives import SECRET

collect_ignore_glob = ["test_*.py"] if sys.platform == "win32" else []  # there is neither SIGKILL nor SIGSTOP

UNGUARDED: dict[str, Any] = {"duplicates": "allow", "slots": 1000, "task_sigma": 0.0, "identify_seconds": 0.0}
"""A sandbox that takes whatever it is sent: only the client is there to pay once, and to keep to its slots."""

ACCOUNT: dict[str, Any] = {"access_key": "access", "secret_key": SECRET}
"""A sandbox that wants signed tokens, which a wrong clock spoils."""


def make_batch(world: World, folder: Path, **changes: Any) -> Batch:
    """A small batch in ``folder``, its manifest written."""
    small = Batch(world=world, folder=folder, jobs=6, slots=6, reconcile_grace=0.5, poll_interval=0.05)
    batch = evolve(small, **changes)
    batch.folder.mkdir(exist_ok=True)
    batch.write()
    return batch
