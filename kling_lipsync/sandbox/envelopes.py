"""What a gateway makes of Kling's answer: the envelope, its own task, or a video object. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from kling_lipsync.sandbox.dialect import Answers, Dialect, Operation, Spelling, Words
from kling_lipsync.sandbox.model import Family
from kling_lipsync.sandbox.spelling import Data, spell, word

MODEL = "kling-lip-sync"

OWN_WORDS = {Answers.KLING: Words.KLING, Answers.TASK: Words.TASK, Answers.VIDEO: Words.VIDEO}
"""The vocabulary that goes with each family of answers."""

CODES = {Spelling.SUCCESS_CODE: "success", Spelling.TEXT_CODE: "0"}
PROGRESS = {"submitted": 10, "processing": 30, "succeed": 100, "failed": 100}


@frozen
class Reply:
    """One answer on its way: who gives it, in which family, about which product, to which request."""

    dialect: Dialect
    family: Answers
    under: Family
    request_id: str

    def body(self, data: Data | list[Data]) -> Data:
        """The whole body for Kling's ``data``."""
        show = ITEMS[self.family]
        return WHOLES[self.family](
            self, [show(self, item) for item in data] if isinstance(data, list) else show(self, data)
        )

    def word(self, status: str) -> str:
        """Kling's word for a status, in the vocabulary of the answer's outermost part."""
        return word(status, self.dialect.words or OWN_WORDS[self.family])

    def spell(self, data: Data) -> Data:
        """Kling's ``data`` in the gateway's spelling."""
        return spell(data, self.dialect.spellings)


def answer(dialect: Dialect, operation: Operation, data: Data | list[Data], request_id: str) -> Data:
    """The body of a success of an operation: Kling's ``data`` as this gateway hands it on."""
    return Reply(dialect, dialect.answers_to(operation.name), operation.under, request_id).body(data)


def _kling(reply: Reply, data: Data) -> Data:
    spelled = reply.spell(data)
    return spelled | {"task_status": reply.word(data["task_status"])} if "task_status" in data else spelled


def _envelope(reply: Reply, items: object) -> Data:
    spellings = reply.dialect.spellings
    code = next((code for spelling, code in CODES.items() if spelling in spellings), 0)
    named = {} if Spelling.NO_REQUEST_ID in spellings else {"request_id": reply.request_id}
    return {"code": code, "message": reply.dialect.message, **named, "data": items}


def _task(reply: Reply, data: Data) -> Data:
    status, begun, changed = data["task_status"], data["created_at"] // 1000, data["updated_at"] // 1000
    return {
        "task_id": data["task_id"],
        "action": reply.under.value,
        "status": reply.word(status),
        "fail_reason": _reason(reply, data),
        "submit_time": begun,
        "start_time": 0 if status == "submitted" else begun,
        "finish_time": changed if PROGRESS[status] == 100 else 0,
        "progress": f"{PROGRESS[status]}%",
        "data": {"code": 0, "message": "SUCCEED", "request_id": reply.request_id, "data": reply.spell(data)},
    }


def _reason(reply: Reply, data: Data) -> str:
    result = _result(data)
    if result is not None and Spelling.URL_AS_REASON in reply.dialect.spellings:
        return str(result["url"])
    return str(data.get("task_status_msg", ""))


def _video(reply: Reply, data: Data) -> Data:
    status, result = data["task_status"], _result(data)
    video = {
        "id": data["task_id"],
        "object": "video",
        "model": MODEL,
        "status": reply.word(status),
        "progress": PROGRESS[status],
        "created_at": data["created_at"] // 1000,
    }
    if status == "failed":
        video["error"] = {"code": "task_failed", "message": data.get("task_status_msg", "")}
    if status == "succeed":
        video["completed_at"] = data["updated_at"] // 1000
    return video if result is None else video | {"seconds": result["duration"], "metadata": {"url": result["url"]}}


def _result(data: Data) -> Data | None:
    """The video that a task made, where it is told: Kling's answer to a create never has it."""
    videos = data.get("task_result", {}).get("videos", [])
    return videos[0] if videos else None


ITEMS: dict[Answers, Callable[[Reply, Data], Data]] = {
    Answers.KLING: _kling,
    Answers.TASK: _task,
    Answers.VIDEO: _video,
}
"""One thing within an answer."""

WHOLES: dict[Answers, Callable[[Reply, Any], Data]] = {
    Answers.KLING: _envelope,
    Answers.TASK: lambda _, items: {"code": "success", "message": "", "data": items},
    Answers.VIDEO: lambda _, items: {"object": "list", "data": items} if isinstance(items, list) else items,
}
"""What stands around it, or around an array of them."""
