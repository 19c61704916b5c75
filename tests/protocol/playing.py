"""The recorded answers of tests/samples: each says where it is from, what was asked, and what it must read as."""

from __future__ import annotations

import json
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import attrs

from kling_lipsync._protocol import (
    Call,
    OneStepOrder,
    Order,
    SoundUrl,
    TaskPage,
    account_costs,
    create_one_step,
    create_task,
    get_task,
    identify_face,
    list_tasks,
    speak,
)
from kling_lipsync.abc import Response
from kling_lipsync.gateways import Gateway, load_gateway
from kling_lipsync.models import Plan, Speech, Video

SAMPLES = Path(__file__).parent.parent / "samples"
VIDEO = Video.from_url("https://example.com/video.mp4")
SOUND = SoundUrl("https://example.com/sound.mp3")
KEY = "Bearer sk-samplekey-123456"
NOW = 1_792_567_680.0


def sample_files() -> list[Path]:
    """Every recorded answer."""
    return sorted(path for room in ("official", "gateways", "errors") for path in (SAMPLES / room).glob("*.json"))


def sample(path: Path) -> dict[str, Any]:
    """One recorded answer."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def response_of(recorded: dict[str, Any]) -> Response:
    """The recorded answer as a transport would bring it."""
    body = recorded["text"] if "text" in recorded else json.dumps(recorded["body"], ensure_ascii=False)
    return Response(status=recorded["status"], headers=recorded["headers"], body=body.encode())


def call_of(recorded: dict[str, Any]) -> Call[Any]:
    """The call that was answered."""
    gateway = load_gateway(recorded.get("gateway", "official"), base_url="https://gateway.example.com")
    return call_named(recorded["call"], gateway)


def call_named(name: str, gateway: Gateway) -> Call[Any]:
    """A call of each kind."""
    dialect = gateway.dialect
    calls: dict[str, Any] = {
        "identify": lambda: identify_face(dialect, VIDEO),
        "create": lambda: one_step(gateway) if gateway.one_step else two_step(gateway),
        "query": lambda: get_task(dialect, "task_1"),
        "list": lambda: list_tasks(dialect),
        "speech": lambda: speak(dialect, Speech("Hello.", "genshin_vindi2")),
        "costs": lambda: account_costs(dialect, 1, 2),
    }
    call: Call[Any] = calls[name]()
    return call


def two_step(gateway: Gateway) -> Call[Any]:
    """The creation of a task of the two-step contract."""
    order = Order(session_id="1", face_id="0", sound=SOUND, plan=Plan(0, 5000, 0))
    return create_task(gateway.dialect, order)


def one_step(gateway: Gateway) -> Call[Any]:
    """The creation of a task of the one-step contract."""
    return create_one_step(gateway.dialect, OneStepOrder(video=VIDEO, sound=SOUND))


def plain(value: object) -> Any:
    """A model as the samples write it: without what is ``None``, and without ``raw``."""
    if isinstance(value, TaskPage):
        return plain(value.tasks())
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return str(value)
    kind: type = type(value)
    if not attrs.has(kind):
        return value
    names = [part.name for part in attrs.fields(kind) if part.name != "raw"]
    found = {name: getattr(value, name) for name in names}
    return {name: plain(part) for name, part in found.items() if part is not None}
