"""A job as the journal keeps it, so that a service that starts anew can go on with it by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import asdict

from ..models import Audio, Job, Speech, Video


def kept_job(job: Job) -> str | None:
    """The job as JSON; ``None`` for one whose sound is held in memory, since bodies are never kept."""
    if isinstance(job.audio, Audio) and job.audio.data is not None:
        return None
    told = asdict(job, value_serializer=_plain)
    told["speech" if isinstance(job.audio, Speech) else "audio"] = told.pop("audio")
    return json.dumps({name: value for name, value in told.items() if value is not None}, ensure_ascii=False)


def revived_job(text: str) -> Job:
    """The job again. Raises ``ValueError`` for what ``kept_job`` did not write."""
    try:
        told = json.loads(text)
        sound = Speech(**told.pop("speech")) if "speech" in told else _audio(told.pop("audio"))
        return Job(video=Video(**told.pop("video")), audio=sound, **told)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"this is no job of ours: {error}") from error


def _audio(told: dict[str, Any]) -> Audio:
    path = told.pop("path", None)
    return Audio(path=Path(path) if path is not None else None, **told)


def _plain(_owner: object, _field: object, value: object) -> object:
    return str(value.absolute()) if isinstance(value, Path) else value
