"""How bytes get there: knows HTTP, never Kling."""

from .clock import SystemClock
from .http import HttpTransport
from .pacing import GcraPacer, schedule
from .retry import retry_delays, wait_before_retry

__all__ = [
    "GcraPacer",
    "HttpTransport",
    "SystemClock",
    "retry_delays",
    "schedule",
    "wait_before_retry",
]
