"""One job's way: the table of its steps, what each step does, the slots it waits for, the watcher that sees it end.

What a coordinator needs of it is imported when the first one is made: this is half of the package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .admission import Admission
    from .batch import Jobs, feed
    from .breaker import Breaker
    from .claims import Claims
    from .context import Context, Settings
    from .desk import Desk
    from .inbox import Inbox
    from .inspect import inspect_job
    from .listed import ListedIds
    from .neighbours import Neighbours
    from .outcomes import Outcomes
    from .recorder import Observer, Recorder
    from .relay import Relay
    from .remote import RemoteLook
    from .sessions import Sessions
    from .slots import Slots
    from .steps import check_job
    from .watcher import Watcher

__all__ = [
    "Admission",
    "Breaker",
    "Claims",
    "Context",
    "Desk",
    "Inbox",
    "Jobs",
    "ListedIds",
    "Neighbours",
    "Observer",
    "Outcomes",
    "Recorder",
    "Relay",
    "RemoteLook",
    "Sessions",
    "Settings",
    "Slots",
    "Watcher",
    "check_job",
    "feed",
    "inspect_job",
]

_ELSEWHERE = {
    "Jobs": "batch",
    "ListedIds": "listed",
    "Observer": "recorder",
    "RemoteLook": "remote",
    "Settings": "context",
    "check_job": "steps",
    "feed": "batch",
    "inspect_job": "inspect",
}
"""The modules of the names that are not at home in a module of the same name."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as PEP 562 has it
    """The name from its module, which is imported now."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_ELSEWHERE.get(name, name.lower())}", __name__), name)
