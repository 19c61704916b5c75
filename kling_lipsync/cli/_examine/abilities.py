"""What the gateway can do, beside what its profile promises, and what the account has left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ...errors import ConfigurationError, InvalidRequest, KlingError, ProtocolError
from ...gateways import Gateway
from ...models import ResourcePack, Task
from .._tally import units
from .findings import Finding, advice, failed, failed_with, not_known, ok, skipped, told, warning
from .patient import Patient

_PAGE = 100
_DAY_MS = 24 * 3600 * 1000
_YEAR_MS = 365 * _DAY_MS
_SOON_MS = 7 * _DAY_MS
_IN_FORCE = "online"
"""Kling's word for a pack that can be drawn on (its documentation of account information inquiry)."""

_BUY = "buy a resource pack, or see in the console that the account has a balance"
_OWN_PROFILE = "use a profile of your own (--gateway FILE.toml) with {} = {}"


async def check_list(patient: Patient) -> Finding:
    """Whether the account's tasks can be listed, as the profile says or against it, and with external ids."""
    try:
        patient.tasks = await patient.client.list_page(1, _PAGE)
    except (InvalidRequest, ProtocolError) as error:
        return _no_list(error, patient.gateway)
    except KlingError as error:
        return failed_with(error)
    seen = _listed(patient.tasks)
    if patient.gateway.lists_tasks:
        return ok(seen)
    settled = "if these are this account's tasks and all of them, so that a lost answer can be settled by looking"
    todo = f"{_OWN_PROFILE.format('lists_tasks', 'true')}, {settled}"
    return warning(f"{seen}; the profile promises no list", todo)


async def check_external_ids(patient: Patient) -> Finding:
    """Whether a task of the list is found by its external id, as the profile says or against it."""
    known = next((task for task in patient.tasks or () if task.external_task_id), None)
    if known is None or known.external_task_id is None:
        return not_known("needs one task with an external id in the list")
    try:
        found = await patient.client.get_task(known.external_task_id)
    except InvalidRequest as error:
        return _not_found(error, patient.gateway)
    except KlingError as error:
        return failed_with(error)
    return _found(found, known, patient.gateway)


async def check_packs(patient: Patient) -> Finding:
    """What the account's resource packs hold; it lags 12 h."""
    client = patient.client
    now_ms = int((client.clock.wall() + client.clock_skew) * 1000)
    try:
        packs = await client.account_costs(now_ms - _YEAR_MS, now_ms)
    except ConfigurationError:
        return skipped("this gateway has no endpoint that tells resource packs")
    except (InvalidRequest, ProtocolError) as error:
        return skipped(f"this gateway does not tell resource packs: {told(error)}")
    except KlingError as error:
        return warning(told(error), advice(error))
    return _read_packs([pack for pack in packs if pack.status == _IN_FORCE], len(packs), now_ms)


def _no_list(error: KlingError, gateway: Gateway) -> Finding:
    if not gateway.lists_tasks:
        return ok(
            f"no list, as the profile says (with a wrong prefix in --base-url it would look the same): {told(error)}"
        )
    todo = f"check --base-url; if the gateway has no list, {_OWN_PROFILE.format('lists_tasks', 'false')}"
    return failed(f"no list, against the profile: {told(error)}", todo)


def _listed(tasks: Sequence[Task]) -> str:
    named = sum(task.external_task_id is not None for task in tasks)
    if not tasks:
        return "the list works, and is empty"
    return f"the list works; tasks on its first page: {len(tasks)}, with an external id: {named}"


def _not_found(error: KlingError, gateway: Gateway) -> Finding:
    seen = f"a task that is in the list is not found by its external id: {told(error)}"
    if gateway.finds_external_ids:
        return failed(f"{seen}; against the profile", _OWN_PROFILE.format("finds_external_ids", "false"))
    return ok(f"{seen}; as the profile says")


def _found(found: Task, known: Task, gateway: Gateway) -> Finding:
    if found.task_id != known.task_id:
        seen = f"the external id of task {known.task_id} gave another task, {found.task_id}"
        return failed(seen, "do not reuse external ids at this gateway, and tell it")
    promise = "as the profile says" if gateway.finds_external_ids else "which the profile does not rely on"
    return ok(f"task {known.task_id} is found by its external id, {promise}")


def _read_packs(packs: Sequence[ResourcePack], count: int, now_ms: int) -> Finding:
    """``packs`` are those in force, of ``count``."""
    told_apart = "; ".join(f"{pack.name or pack.pack_id}: {_left(pack)}" for pack in packs)
    seen = told_apart or f"resource packs: {count}, none in force"
    usable = [pack for pack in packs if pack.remaining > 0]
    if not usable:
        return warning(seen, _BUY)
    if all(_ends_before(pack, now_ms + _SOON_MS) for pack in usable):
        return warning(f"{seen}; nothing lasts longer than a week", "buy another resource pack in time")
    return ok(seen)


def _ends_before(pack: ResourcePack, moment_ms: int) -> bool:
    return pack.ends_ms is not None and pack.ends_ms < moment_ms


def _left(pack: ResourcePack) -> str:
    return f"{pack.remaining.normalize():f} of {units(pack.total)} left, until {_day(pack.ends_ms)}"


def _day(moment_ms: int | None) -> str:
    try:
        return (
            "no date given" if moment_ms is None else datetime.fromtimestamp(moment_ms / 1000, UTC).date().isoformat()
        )
    except (ValueError, OverflowError, OSError):  # a year that the calendar does not have
        return "a date beyond all calendars"
