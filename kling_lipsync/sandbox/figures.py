"""What happened in a sandbox, in numbers: what tests hold a client to."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kling_lipsync.sandbox.site import Site
from kling_lipsync.sandbox.world import Account


def statistics(site: Site) -> dict[str, Any]:
    """The figures of every account under ``accounts`` (by `account_name`), and the same over all of them.

    ``tasks`` ever bought · ``running`` now · ``max_running`` at once ever, exact: a task holds a slot from its create
    to its end by the clock · ``statuses`` of the tasks that are kept · ``requests`` by endpoint · ``refusals`` by code
    (as text) · ``identify_calls`` · ``bought_twice``: external ids of more than one task · ``units`` charged.
    Over all only: ``leaked_keys`` sent to files, ``unknown_fields`` of bodies, ``callbacks`` ``sent`` and ``failed``.
    """
    world, now = site.world, site.clock()
    accounts = list(world.accounts.values())
    return {
        "tasks": sum(account.created for account in accounts),
        "running": sum(account.running(now) for account in accounts),
        "max_running": world.max_running,
        "statuses": dict(sum((_statuses(account, now) for account in accounts), Counter())),
        "requests": dict(world.requests),
        "refusals": _codes(world.refusals),
        "identify_calls": sum(account.identify_calls for account in accounts),
        "bought_twice": sorted(key for account in accounts for key in account.bought_twice()),
        "units": float(sum(account.units(now) for account in accounts)),
        "leaked_keys": world.leaked_keys,
        "unknown_fields": sorted(site.unknown_fields),
        "callbacks": {"sent": site.callbacks.sent, "failed": site.callbacks.failed},
        "accounts": {account.name: _account(account, now) for account in accounts},
    }


def _account(account: Account, now: float) -> dict[str, Any]:
    return {
        "tasks": account.created,
        "running": account.running(now),
        "max_running": account.max_running,
        "statuses": dict(_statuses(account, now)),
        "requests": dict(account.requests),
        "refusals": _codes(account.refusals),
        "identify_calls": account.identify_calls,
        "bought_twice": account.bought_twice(),
        "units": float(account.units(now)),
    }


def _statuses(account: Account, now: float) -> Counter[str]:
    return Counter(task.status(now).value for task in account.tasks.values())


def _codes(counts: Counter[int]) -> dict[str, int]:
    return {str(code): count for code, count in sorted(counts.items())}


def task_rows(site: Site) -> list[dict[str, Any]]:
    """Every task that is kept, as its owner sees it, with its account and family; oldest first within an account."""
    now = site.clock()
    return [
        {"account": account.name, "family": task.order.family.value, **site.show(task, now)}
        for account, task in site.world.all_tasks()
    ]
