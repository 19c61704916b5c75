"""What makes two jobs of one key the same: media and settings, without what may differ from run to run."""

from __future__ import annotations

import hashlib
import json

from ..models import Audio, Job, Speech
from .sessions import lasting_url, video_name

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def settings_of(job: Job) -> str:
    """The job's media and settings as canonical JSON.

    Signing parameters of URLs, ``output``, ``callback_url``, ``scene`` and ``meta`` are left out: they may differ.
    """
    settings = {
        "video": video_name(job.video),
        "sound": _sound(job.audio),
        "face": job.face,
        "crop": [job.sound_start_ms, job.sound_end_ms],
        "insert": job.sound_insert_ms,
        "volumes": [job.sound_volume, job.original_audio_volume],
        "watermark": job.watermark,
        "external_task_id": job.external_task_id,
    }
    return _encode(settings)


def _sound(audio: Audio | Speech) -> list[object]:
    if isinstance(audio, Speech):
        return ["speech", audio.text, audio.voice_id, audio.language, audio.speed]
    if audio.path is not None:
        return ["file", str(audio.path.absolute())]
    if audio.data is not None:
        return ["bytes", hashlib.sha256(audio.data).hexdigest()]
    return ["url", lasting_url(audio.url)] if audio.url is not None else ["id", audio.id]
