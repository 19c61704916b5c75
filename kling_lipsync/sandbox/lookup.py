"""What an account finds again: its tasks, pages of them, and the videos that they made."""

from __future__ import annotations

import hashlib

from kling_lipsync.sandbox.dialect import Dialect, QueryPath
from kling_lipsync.sandbox.model import Family, Task
from kling_lipsync.sandbox.refusals import Refused, wrong
from kling_lipsync.sandbox.settings import ListOrder, Settings
from kling_lipsync.sandbox.world import Account

FOUND: dict[QueryPath, dict[Family, frozenset[Family]]] = {
    QueryPath.OWN: {Family.ADVANCED: frozenset({Family.ADVANCED}), Family.ONE_STEP: frozenset({Family.ONE_STEP})},
    QueryPath.LIP_SYNC: {Family.ADVANCED: frozenset(), Family.ONE_STEP: frozenset(Family)},
    QueryPath.BOTH: {Family.ADVANCED: frozenset({Family.ADVANCED}), Family.ONE_STEP: frozenset(Family)},
}
"""Whose tasks a query finds under the path of each product."""


def find_task(account: Account, under: Family, key: str, dialect: Dialect) -> Task:
    """The task of this id, or of this external id where those are found, below the path of a product.

    Raises:
        Refused: 1203.
    """
    task = account.tasks.get(key)
    if task is None and dialect.find_external_ids:
        task = next(iter(account.by_external_id.get(key, [])), None)
    if task is None or task.order.family not in FOUND[dialect.query_path][under]:
        raise Refused(1203, "task not found")
    return task


def find_page(
    account: Account, family: Family, number: int, size: int, *, settings: Settings, now: float
) -> list[Task]:
    """One page of the account's tasks, as far as they show at ``now``."""
    shown_until = now - settings.list_delay
    tasks = [t for t in account.tasks.values() if t.order.family is family and t.created_at <= shown_until]
    if settings.list_order is ListOrder.NEWEST_FIRST:
        tasks.reverse()
    elif settings.list_order is ListOrder.SHUFFLED:
        tasks.sort(key=lambda task: hashlib.sha256(task.task_id.encode()).digest())
    return tasks[(number - 1) * size : number * size]


def find_result(account: Account, video_id: str, *, settings: Settings, now: float) -> Task:
    """The task that made this video.

    Raises:
        Refused: 1201 for an unknown one or one that is too old.
    """
    task = next((task for task in account.tasks.values() if task.result_id == video_id and task.units(now)), None)
    if task is None:
        raise wrong("video_id: video not found")
    if now >= task.ends_at + settings.asset_lifetime:
        raise wrong("video_id: the video is older than 30 days")
    return task
