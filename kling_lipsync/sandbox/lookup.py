"""What an account finds again: its tasks, pages of them, and the videos that they made."""

from __future__ import annotations

import hashlib

from kling_lipsync.sandbox.model import Family, Task
from kling_lipsync.sandbox.refusals import Refused, wrong
from kling_lipsync.sandbox.settings import ListOrder, Settings
from kling_lipsync.sandbox.world import Account


def find_task(account: Account, family: Family, key: str, settings: Settings) -> Task:
    """The task of this id, or of this external id where those are found.

    Raises:
        Refused: 1203.
    """
    task = account.tasks.get(key)
    if task is None and settings.find_external_ids:
        task = next(iter(account.by_external_id.get(key, [])), None)
    if task is None or task.order.family is not family:
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
