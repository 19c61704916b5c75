"""The checks in their order, and which of them are pointless once another has failed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from attrs import frozen

from .abilities import check_external_ids, check_list, check_packs
from .answers import check_answer, check_clock, check_key
from .findings import Finding, Health, skipped
from .keys import check_credentials
from .network import check_connection, check_name
from .patient import Patient


@frozen
class Check:
    """One look at a patient; ``needs`` are the checks that have to be well for it to make sense."""

    name: str
    look: Callable[[Patient], Awaitable[Finding]]
    needs: tuple[str, ...] = ()


CHECKS = (
    Check("credentials", check_credentials),
    Check("dns", check_name),
    Check("connection", check_connection, needs=("dns",)),
    Check("http", check_answer, needs=("credentials", "connection")),
    Check("clock", check_clock, needs=("http",)),
    Check("authentication", check_key, needs=("http",)),
    Check("list", check_list, needs=("authentication",)),
    Check("external-ids", check_external_ids, needs=("list",)),
    Check("resource-packs", check_packs, needs=("authentication",)),
)
"""In the order in which they are made; a check needs only earlier ones."""


async def examine(patient: Patient) -> AsyncIterator[tuple[str, Finding]]:
    """Each check's name and what it found, one after the other."""
    found: dict[str, Finding] = {}
    for check in CHECKS:
        found[check.name] = _pointless(check, found) or await check.look(patient)
        yield check.name, found[check.name]


def _pointless(check: Check, found: Mapping[str, Finding]) -> Finding | None:
    """Why there is no point in a check: what it needs has failed, or was skipped for a reason that holds here too."""
    for need in check.needs:
        if found[need].health is Health.FAILED:
            return skipped(f"pointless, as {need} failed")
        if found[need].health is Health.SKIPPED:
            return found[need]
    return None
