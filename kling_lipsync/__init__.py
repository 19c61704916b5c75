"""Async lip-sync jobs on Kling AI: many at once, paid exactly once each."""

from __future__ import annotations

import logging

from ._version import __version__
from .callbacks import CallbackReceiver
from .client import KlingClient
from .coordinator import Coordinator, check
from .errors import KlingError
from .events import Event, Outcome, Result
from .gateways import Gateway
from .models import (
    Audio,
    CheckReport,
    Face,
    FaceSession,
    Interval,
    Job,
    Plan,
    Prices,
    Problem,
    Speech,
    SpokenAudio,
    Status,
    Task,
    TaskStatus,
    Verdict,
    Video,
)
from .policies import Budget, Limits, PollPolicy, RetryPolicy, Timeouts

__all__ = [
    "Audio",
    "Budget",
    "CallbackReceiver",
    "CheckReport",
    "Coordinator",
    "Event",
    "Face",
    "FaceSession",
    "Gateway",
    "Interval",
    "Job",
    "KlingClient",
    "KlingError",
    "Limits",
    "Outcome",
    "Plan",
    "PollPolicy",
    "Prices",
    "Problem",
    "Result",
    "RetryPolicy",
    "Speech",
    "SpokenAudio",
    "Status",
    "Task",
    "TaskStatus",
    "Timeouts",
    "Verdict",
    "Video",
    "__version__",
    "check",
]

logging.getLogger("kling_lipsync").addHandler(logging.NullHandler())
