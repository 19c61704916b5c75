"""Parts of Kling's answers, written as a gateway writes them. Pure rewriting of an answer's ``data``."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from kling_lipsync.sandbox.dialect import Spelling, Words

Data = dict[str, Any]

WORDS: dict[Words, tuple[str, str, str, str]] = {
    Words.KLING: ("submitted", "processing", "succeed", "failed"),
    Words.NEWER: ("submitted", "processing", "succeeded", "failed"),
    Words.TASK: ("SUBMITTED", "IN_PROGRESS", "SUCCESS", "FAILURE"),
    Words.UPPER: ("SUBMITTED", "PROCESSING", "SUCCESS", "FAILED"),
    Words.VIDEO: ("queued", "in_progress", "completed", "failed"),
    Words.ODD: ("", "storing", "succeed", "failed"),
}
"""Each vocabulary: waiting, running, well ended, badly ended."""

LEFT_OUT = ("task_info", "watermark_info", "final_unit_deduction", "final_balance_deduction")
STAMPS = ("created_at", "updated_at")
TIMES = (*STAMPS, "start_time", "end_time")


def word(status: str, words: Words) -> str:
    """Kling's word for a status, in another vocabulary."""
    return WORDS[words][WORDS[Words.KLING].index(status)]


def spell(data: Data, spellings: Collection[Spelling]) -> Data:
    """The ``data`` of one answer with these spellings; those of the envelope around it change nothing here."""
    for spelling, rewrite in REWRITES.items():
        if spelling in spellings:
            data = rewrite(data)
    return data


def _lean(data: Data) -> Data:
    kept = {name: value for name, value in data.items() if name not in LEFT_OUT and value != ""}
    if "videos" in kept.get("task_result", {}):
        videos = [{name: value for name, value in video.items() if value} for video in kept["task_result"]["videos"]]
        kept["task_result"] = {"videos": videos}
    return kept


def _success_message(data: Data) -> Data:
    return data | {"task_status_msg": "success"} if data.get("task_status") == "succeed" else data


def _result_list(data: Data) -> Data:
    return data | {"task_result": []} if data.get("task_result") == {} else data


def _result_absent(data: Data) -> Data:
    return {name: value for name, value in data.items() if name != "task_result" or value}


def _face_list(data: Data) -> Data:
    return {"face_list" if name == "face_data" else name: value for name, value in data.items()}


def _seconds(data: Data) -> Data:
    return data | {name: data[name] // 1000 for name in STAMPS if name in data}


def _text_times(value: Any) -> Any:  # noqa: ANN401 - whatever an answer holds
    if isinstance(value, list):
        return [_text_times(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: str(each) if name in TIMES else _text_times(each) for name, each in value.items()}


REWRITES: dict[Spelling, Callable[[Data], Data]] = {
    Spelling.LEAN: _lean,
    Spelling.SUCCESS_MESSAGE: _success_message,
    Spelling.RESULT_LIST: _result_list,
    Spelling.RESULT_ABSENT: _result_absent,
    Spelling.FACE_LIST: _face_list,
    Spelling.SECONDS: _seconds,
    Spelling.TEXT_TIMES: _text_times,
}
