"""Kling's HTTP API as pure functions: knows JSON, never sockets, clocks or logs."""

from __future__ import annotations

from .answers import read_answer, read_callback
from .bodies import JsonBody, SoundBody, SoundData
from .dialects import Contract, Dialect
from .endpoints import (
    Call,
    account_costs,
    create_one_step,
    create_task,
    get_task,
    get_task_elsewhere,
    identify_face,
    list_tasks,
    speak,
    write_request,
)
from .failures import STALE_TOKEN_CODES, no_such_resource
from .headers import server_time
from .orders import AudioId, OneStepOrder, Order, Sound, SoundUrl
from .pages import TaskPage
from .shapes import unknown_status
from .tokens import AccessKey, ApiKey, Credentials, make_credentials

__all__ = [
    "STALE_TOKEN_CODES",
    "AccessKey",
    "ApiKey",
    "AudioId",
    "Call",
    "Contract",
    "Credentials",
    "Dialect",
    "JsonBody",
    "OneStepOrder",
    "Order",
    "Sound",
    "SoundBody",
    "SoundData",
    "SoundUrl",
    "TaskPage",
    "account_costs",
    "create_one_step",
    "create_task",
    "get_task",
    "get_task_elsewhere",
    "identify_face",
    "list_tasks",
    "make_credentials",
    "no_such_resource",
    "read_answer",
    "read_callback",
    "server_time",
    "speak",
    "unknown_status",
    "write_request",
]
