"""The older API, which takes a video and a sound or a text in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kling_lipsync.sandbox.fields import Fields, is_web_url
from kling_lipsync.sandbox.lipsync import find_sound
from kling_lipsync.sandbox.model import Family, Mix, Order, Sound
from kling_lipsync.sandbox.probe import ONE_STEP_MS, check_video
from kling_lipsync.sandbox.refusals import wrong
from kling_lipsync.sandbox.site import Call, Site
from kling_lipsync.sandbox.speaking import make_audio
from kling_lipsync.sandbox.validation import ONE_STEP_TEXT_LENGTH, SoundSource, decode_sound, read_lines

MODES = ("text2video", "audio2video")
KNOWN = {
    "video_id", "video_url", "task_id", "mode", "text", "voice_id", "voice_language", "voice_speed",
    "audio_type", "audio_file", "audio_url",
}  # fmt: skip
"""The fields of ``input``; only a gateway's page shows ``task_id``, and nothing depends on it."""


async def create(site: Site, call: Call) -> dict[str, Any]:
    """lip-sync: buys a task whose sound replaces the video's from its start."""
    fields = call.fields.object("input") or Fields({}, "input")
    mode = fields.text("mode")
    if not mode:
        raise wrong("input.mode: must not be null")
    if mode not in MODES:
        raise wrong(f"input.mode: must be one of {', '.join(MODES)}")
    external_task_id, callback_url = call.fields.text("external_task_id"), call.fields.url("callback_url")
    site.check_known([*call.fields.unknown(), *(fields.label(name) for name in fields.values if name not in KNOWN)])
    video = await site.source_video(call, Fields(fields.values))
    check_video(video.facts, ONE_STEP_MS)
    sound = await (_spoken(site, fields) if mode == "text2video" else _sent(site, call, fields))
    length_ms = min(sound.facts.duration_ms, video.facts.duration_ms)
    order = Order(
        family=Family.ONE_STEP,
        video=video,
        sound=sound,
        mix=Mix(start_ms=0, end_ms=length_ms, insert_ms=0, original_volume=0.0),
        external_task_id=external_task_id,
        callback_url=callback_url,
        fate=await _fate(site, video.path, video.facts.duration_ms),
        origin=call.origin,
    )
    return site.buy(call, order)


async def _spoken(site: Site, fields: Fields) -> Sound:
    if site.settings.dialect.needs_language:
        fields.required_text("voice_language")
    lines = read_lines(Fields(fields.values, "input"), ONE_STEP_TEXT_LENGTH, speed_shown="voiceSpeed")
    audio = await make_audio(site, lines)
    path = await site.studio.result(audio.name)
    if path is None:
        raise wrong("the speech is gone")
    return await site.studio.sound(path)


async def _sent(site: Site, call: Call, fields: Fields) -> Sound:
    kind = fields.text("audio_type")
    if not kind:
        raise wrong("Audio type is null")
    if kind == "url":
        url = fields.text("audio_url")
        if not is_web_url(url):
            raise wrong("input.audio_url: must be an http or https URL")
        return await find_sound(site, call, SoundSource(url=url))
    if kind != "file":
        raise wrong("input.audio_type: must be one of file, url")
    data = decode_sound(fields.required_text("audio_file"), "input.audio_file", site.settings.size_counted)
    return await find_sound(site, call, SoundSource(data=data))


async def _fate(site: Site, path: Path, duration_ms: int) -> str | None:
    return None if await site.studio.stretches(path, duration_ms) else "The model did not detect a human"
