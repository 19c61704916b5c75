"""Kling's answers: the shapes of its ``data``, before any gateway rewrites them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from kling_lipsync.sandbox.model import Session, SpokenAudio, Task, TaskStatus

UNIT_PRICE = Decimal("0.14")
"""List price of a unit in dollars."""

Link = Callable[[str], str]
"""The name of a file among the results to a URL that opens it."""


def identified(session: Session, excess_ms: int, units: Decimal, link: Link) -> dict[str, Any]:
    """The faces of a session; each ``end_time`` is over-reported by some ms, as the documents warn."""
    faces = [
        {
            "face_id": face.face_id,
            "face_image": link(face.image),
            "start_time": face.stretch.start_ms,
            "end_time": face.stretch.end_ms + excess_ms,
        }
        for face in session.faces
    ]
    return {"session_id": session.session_id, "face_data": faces, **_charged(units)}


def created(task: Task, now: float) -> dict[str, Any]:
    """A task that was just bought, or found again under its external id."""
    return {
        "task_id": task.task_id,
        "task_info": _external(task),
        "task_status": task.status(now).value,
        "created_at": _ms(task.created_at),
        "updated_at": _ms(task.changed_at(now)),
    }


def task(task: Task, now: float, link: Link) -> dict[str, Any]:
    """A task as queries, lists and callbacks show it at ``now``."""
    status = task.status(now)
    order = task.order
    parent = {"id": order.video.video_id, "url": order.video.url, "duration": _seconds(order.video.facts.duration_ms)}
    return {
        "task_id": task.task_id,
        "task_status": status.value,
        "task_status_msg": order.fate or "" if status is TaskStatus.FAILED else "",
        "task_info": {"parent_video": parent, **_external(task)},
        "task_result": {"videos": [_video(task, link)]} if status is TaskStatus.SUCCEED else {},
        "watermark_info": {"enabled": order.watermark},
        "created_at": _ms(task.created_at),
        "updated_at": _ms(task.changed_at(now)),
        **(_charged(task.units(now)) if status in {TaskStatus.SUCCEED, TaskStatus.FAILED} else {}),
    }


def result_name(task: Task) -> str:
    """The name of a task's video among the results."""
    return f"{task.result_id}.mp4"


def watermarked_name(task: Task) -> str:
    """The name of the watermarked video among the results."""
    return f"{task.result_id}-watermark.mp4"


def spoken(audio: SpokenAudio, now: float, link: Link) -> dict[str, Any]:
    """Speech, made within the call."""
    sound = {"id": audio.audio_id, "url": link(audio.name), "duration": _seconds(audio.duration_ms)}
    return {
        "task_id": audio.task_id,
        "task_status": TaskStatus.SUCCEED.value,
        "task_status_msg": "",
        "task_info": {},
        "task_result": {"audios": [sound]},
        "created_at": _ms(audio.created_at),
        "updated_at": _ms(now),
        **_charged(audio.units),
    }


def costs(total: float, used: Decimal, started: float, now: float) -> dict[str, Any]:
    """The account's one resource pack; what was used lags behind."""
    year_s = 365 * 24 * 3600
    pack = {
        "resource_pack_name": "Sandbox pack",
        "resource_pack_id": "sandbox-pack",
        "resource_pack_type": "decreasing_total",
        "total_quantity": total,
        "remaining_quantity": max(0.0, total - float(used)),
        "purchase_time": _ms(started),
        "effective_time": _ms(started),
        "invalid_time": _ms(started + year_s),
        "status": "online" if now < started + year_s else "expired",
    }
    return {"code": 0, "msg": "", "resource_pack_subscribe_infos": [pack]}


def _video(task: Task, link: Link) -> dict[str, str]:
    return {
        "id": task.result_id,
        "url": link(result_name(task)),
        "watermark_url": link(watermarked_name(task)) if task.order.watermark else "",
        "duration": _seconds(task.order.video.facts.duration_ms),
    }


def _external(task: Task) -> dict[str, str]:
    return {"external_task_id": task.order.external_task_id} if task.order.external_task_id else {}


def _charged(units: Decimal) -> dict[str, Any]:
    return {
        "final_unit_deduction": f"{units:f}",
        "final_balance_deduction": {"quota": f"{units:f}", "list_price": f"{(units * UNIT_PRICE).normalize():f}"},
    }


def _ms(moment: float) -> int:
    return round(moment * 1000)


def _seconds(duration_ms: int) -> str:
    return f"{duration_ms / 1000:.3f}"
