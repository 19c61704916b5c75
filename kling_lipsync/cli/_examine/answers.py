"""What the gateway answers to a query that costs nothing: is it Kling's API, at what time, and does it know the key?

The query is for a task that cannot exist. Kling looks at the key first, so that "no such task" says that the key is
known (Kling's documentation of error codes: 1000 to 1004 against 1203).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from ..._protocol import AccessKey
from ..._protocol.failures import CODES
from ...client import KlingClient
from ...errors import (
    AccountError,
    APIError,
    AuthenticationError,
    InvalidRequest,
    KlingError,
    ProtocolError,
    RateLimited,
    ServerError,
    TransportError,
)
from ...gateways import credentials_from_env
from ...models import Task
from .findings import Finding, advice, failed, failed_with, not_known, ok, told, warning
from .network import in_ms
from .patient import Head, Patient

NO_TASK = "doctor-asks-for-no-task"
"""Begins with a letter, as one gateway takes leading digits for a number of its own."""

_READS = 4
_TOLERATED_SKEW = 60.0
_OF_THE_ACCOUNT = (AuthenticationError, AccountError)


async def check_answer(patient: Patient) -> Finding:
    """Whether what answers is Kling's API, and how fast: the median of some reads, the first of which connects."""
    probe = await _asked(patient.client)
    for _ in range(_READS - 1):
        if isinstance(probe, InvalidRequest):
            probe = await _asked(patient.client)
    patient.probe = probe
    return _read_answer(probe, patient.heads)


async def check_clock(patient: Patient) -> Finding:
    """How far this machine's clock is from the gateway's, by the ``Date`` of its answers (to the second)."""
    if not any(head.dated for head in patient.heads):
        return not_known("the gateway's answers have no date")
    skew = patient.client.clock_skew
    seen = f"this machine's clock is {_difference(skew)}"
    if _signs_tokens(patient):
        seen += "; tokens follow the gateway's clock anyway"
    return ok(seen) if abs(skew) < _TOLERATED_SKEW else warning(seen, "set this machine's clock (NTP)")


async def check_key(patient: Patient) -> Finding:
    """Whether the gateway knows the key, and lets the account in."""
    probe = patient.probe
    if isinstance(probe, _OF_THE_ACCOUNT):
        return failed_with(probe)
    if isinstance(probe, Task) or (isinstance(probe, InvalidRequest) and _is_klings(probe)):
        return ok("the key is known: the query was read, and there is no such task")
    return await _by_list(patient)


async def _asked(client: KlingClient) -> Task | KlingError:
    try:
        return await client.get_task(NO_TASK)
    except KlingError as error:
        return error


def _read_answer(probe: Task | KlingError, heads: Sequence[Head]) -> Finding:
    if isinstance(probe, (TransportError, ProtocolError)):
        return failed_with(probe)
    speed = _speed(heads)
    if "html" in heads[-1].content_type:
        return failed(f"an HTML page instead of Kling's API: {_without_advice(probe)}", _page_advice(probe))
    if isinstance(probe, (RateLimited, ServerError)):
        return warning(f"{speed}, but with an error: {told(probe)}", advice(probe))
    if isinstance(probe, InvalidRequest) and not _is_klings(probe):
        todo = "nothing, if the next checks are well; else check --base-url, its prefix included"
        return warning(f"{speed}, but not in Kling's words: {told(probe)}", todo)
    return ok(speed)


def _without_advice(probe: Task | KlingError) -> str:
    return told(probe) if isinstance(probe, KlingError) else "with a task in it"


def _page_advice(probe: Task | KlingError) -> str:
    if isinstance(probe, ServerError):
        return "a proxy before the gateway says so: wait some minutes, then check --base-url"
    return "check --base-url, and whether the network here wants a login"


def _is_klings(error: APIError) -> bool:
    """Whether a refusal is in Kling's own words; 1202 is what a path that does not exist gets, too."""
    return error.code in CODES and error.code != 1202


def _speed(heads: Sequence[Head]) -> str:
    """How fast answers came; the first one waited for the connection."""
    times = [head.seconds for head in heads[1:]] or [head.seconds for head in heads]
    count = f"median of {len(times)} reads" if len(times) > 1 else "one read"
    return f"answered in {in_ms(median(times))} ({count})"


def _difference(skew: float) -> str:
    """The skew in words; a ``Date`` is cut to its second, so that less than two cannot be told from none."""
    if abs(skew) < 2:
        return "the gateway's, to the second"
    return f"{abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} the gateway's"


def _signs_tokens(patient: Patient) -> bool:
    return isinstance(credentials_from_env(patient.gateway, patient.environ), AccessKey)


async def _by_list(patient: Patient) -> Finding:
    """A second opinion, where the query does not tell."""
    try:
        await patient.client.list_page(1, 1)
    except _OF_THE_ACCOUNT as error:
        return failed_with(error)
    except KlingError as error:
        return not_known(f"neither a query nor the list tells: {told(error)}", advice(error))
    return ok("the key is known: the list of tasks opens")
