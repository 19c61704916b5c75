"""What can be asked about tasks and the account."""

from __future__ import annotations

from typing import Any

from kling_lipsync.sandbox import answers, validation
from kling_lipsync.sandbox.lookup import find_page, find_task
from kling_lipsync.sandbox.refusals import Refused, wrong
from kling_lipsync.sandbox.site import Call, Site

COSTS_PAUSE = 1.0
"""Seconds between two looks at the account's costs: Kling's documentation of the account's query."""


async def query(site: Site, call: Call) -> dict[str, Any]:
    """One task, by its id or by the caller's own."""
    return site.show(find_task(call.account, call.under, call.key, site.settings.dialect), site.clock())


async def page(site: Site, call: Call) -> list[dict[str, Any]]:
    """A page of tasks."""
    now = site.clock()
    number, size = validation.read_page(call.query)
    tasks = find_page(call.account, call.under, number, size, settings=site.settings, now=now)
    return [site.show(task, now) for task in tasks]


async def costs(site: Site, call: Call) -> dict[str, Any]:
    """The account's resource pack."""
    now = site.clock()
    if _moment(call, "start_time") > _moment(call, "end_time"):
        raise wrong("start_time: must not be later than end_time")
    if now < call.account.costs_at + COSTS_PAUSE:
        raise Refused(1302)
    call.account.costs_at = now
    used = call.account.units(now - site.settings.costs_lag)
    return answers.costs(site.settings.pack_units, used, site.started_at, now)


def _moment(call: Call, name: str) -> int:
    value = call.query.get(name, "")
    if not validation.DIGITS.fullmatch(value):
        raise wrong(f"{name}: must be a Unix time in ms")
    return int(value)
