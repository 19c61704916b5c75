"""``kling-lipsync doctor``: what keeps jobs from running, from the credentials to the account; costs nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ._console import aligned, say, say_json
from ._examine import Finding, Health, examine, patient
from ._exits import Exit
from ._options import Account, Output

_WIDTHS = (14, 9, 0)
_CONFIGURATION = "credentials"
"""The check without which no command can work."""


async def doctor(*, json: bool = False, account: Account = Account(), output: Output = Output()) -> int:
    """Examines credentials, network, gateway and account, and says what to do; makes no call that costs money.

    Writes a table to stdout. Exit status: 0 nothing failed, 1 a check failed, 2 there are no credentials or no such
    gateway.

    Parameters
    ----------
    json
        Write a JSON line for each check instead of a table.
    """
    output.set_up()
    gateway = account.profile()
    output.note(f"examining the gateway {gateway.name!r} at {gateway.base_url}")
    found: dict[str, Finding] = {}
    async with patient(gateway, os.environ) as examined:
        if not json:
            say(aligned(("CHECK", "VERDICT", "SEEN"), _WIDTHS))
        async for name, finding in examine(examined):
            found[name] = finding
            _say_json(name, finding) if json else _say(name, finding)
    return exit_of_findings(found)


def exit_of_findings(found: Mapping[str, Finding]) -> Exit:
    """The status of an examination that found these."""
    failures = [name for name, finding in found.items() if finding.health is Health.FAILED]
    if _CONFIGURATION in failures:
        return Exit.WRONG_USAGE
    return Exit.UNSUCCESSFUL if failures else Exit.SUCCEEDED


def _say(name: str, finding: Finding) -> None:
    say(aligned((name, finding.health.value, finding.seen), _WIDTHS))
    if finding.todo:
        say(f"    to do: {finding.todo}")


def _say_json(name: str, finding: Finding) -> None:
    say_json({"check": name, "verdict": finding.health.value, "seen": finding.seen, "todo": finding.todo})
