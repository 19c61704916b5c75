"""The speech API."""

from __future__ import annotations

from functools import partial
from typing import Any

from kling_lipsync.sandbox import answers, validation
from kling_lipsync.sandbox.model import SpokenAudio
from kling_lipsync.sandbox.naming import file_name
from kling_lipsync.sandbox.shelf import Recipe
from kling_lipsync.sandbox.site import Call, Site
from kling_lipsync.sandbox.speech import speak
from kling_lipsync.sandbox.world import SPEECH_UNITS


async def tts(site: Site, call: Call) -> dict[str, Any]:
    """tts: speech from a text, made within the call."""
    since = site.clock()
    lines = validation.read_lines(call.fields)
    site.check_known(call.fields.unknown())
    audio = await make_audio(site, lines)
    await site.take(site.settings.speech_seconds, since)
    site.world.keep_audio(call.account, audio)
    call.account.charge(site.clock(), audio.units)
    return answers.spoken(audio, site.clock(), site.link(call.origin))


async def make_audio(site: Site, lines: validation.Lines) -> SpokenAudio:
    """The sound of a text, as a file that can be had for thirty days."""
    audio_id = site.world.new_id("audio")
    name, now = f"{audio_id}.mp3", site.clock()
    recipe = Recipe(
        file=file_name(".mp3", "speech", lines),
        make=partial(speak, lines.text, lines.speed),
        gone_at=now + site.settings.asset_lifetime,
    )
    site.studio.offer(name, recipe)
    sound = await site.studio.sound(await site.studio.shelf.get(recipe.file, recipe.make))
    return SpokenAudio(
        audio_id=audio_id,
        task_id=site.world.new_id("speech"),
        name=name,
        duration_ms=sound.facts.duration_ms,
        units=SPEECH_UNITS,
        created_at=now,
    )
