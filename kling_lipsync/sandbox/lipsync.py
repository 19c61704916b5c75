"""The two-step API: faces of a video, then a task for one of them."""

from __future__ import annotations

from functools import partial
from typing import Any

from kling_lipsync.sandbox import answers, validation
from kling_lipsync.sandbox.model import Family, Order, Session, Sound
from kling_lipsync.sandbox.naming import file_name
from kling_lipsync.sandbox.pictures import cut_face
from kling_lipsync.sandbox.probe import check_sound, check_video
from kling_lipsync.sandbox.refusals import wrong
from kling_lipsync.sandbox.shelf import Recipe
from kling_lipsync.sandbox.site import Call, Site
from kling_lipsync.sandbox.world import IDENTIFY_UNITS


async def identify(site: Site, call: Call) -> dict[str, Any]:
    """identify-face: a new session over the faces of a video."""
    settings = site.settings
    since = site.clock()
    site.world.begin_identify(call.account)
    video = await site.source_video(call, call.fields)
    site.check_known(call.fields.unknown())
    check_video(video.facts)
    stretches = await site.studio.stretches(video.path, video.facts.duration_ms)
    await site.take(settings.identify_seconds, since)
    units = IDENTIFY_UNITS if stretches or settings.charge_no_face else IDENTIFY_UNITS * 0
    call.account.charge(site.clock(), units)
    if not stretches and not settings.no_face_is_empty:
        raise wrong("The model did not detect a human")
    session = site.world.open_session(call.account, video, stretches)
    _offer_pictures(site, session)
    return answers.identified(session, settings.face_end_excess_ms, units, site.link(call.origin))


def _offer_pictures(site: Site, session: Session) -> None:
    gone_at = session.created_at + site.settings.asset_lifetime
    for face in session.faces:
        file = file_name(".jpg", session.video.facts, face.stretch)
        make = partial(cut_face, session.video.path, face.stretch)
        site.studio.offer(face.image, Recipe(file=file, make=make, gone_at=gone_at))


async def create(site: Site, call: Call) -> dict[str, Any]:
    """advanced-lip-sync: buys a task."""
    settings = site.settings
    wish, unknown = validation.read_wish(call.fields, settings.size_counted, settings.dialect.volume_field)
    site.check_known(unknown)
    session = site.world.session(call.account, wish.session_id)
    face = validation.choose_face(session, wish.face_id)
    sound = await find_sound(site, call, wish.sound)
    fate = validation.check_timing(wish.mix, session, face, sound.facts.duration_ms)
    order = Order(
        family=Family.ADVANCED,
        video=session.video,
        sound=sound,
        mix=wish.mix,
        session_id=session.session_id,
        face_id=face.face_id,
        watermark=wish.watermark,
        external_task_id=wish.external_task_id,
        callback_url=wish.callback_url,
        fate=fate,
        origin=call.origin,
    )
    return site.buy(call, order)


async def find_sound(site: Site, call: Call, source: validation.SoundSource) -> Sound:
    """The sound that a request names, measured and within Kling's limits.

    Raises:
        Refused: 1201 with the rule that is broken.
    """
    if source.audio_id:
        audio = site.world.audio(call.account, source.audio_id)
        path = await site.studio.result(audio.name)
        if path is None:
            raise wrong("audio_id: the audio is gone")
    elif source.url:
        path = await site.studio.sound_file(source.url, call.origin)
    else:
        path = await site.studio.inline_sound(source.data)
    sound = await site.studio.sound(path)
    validation.check_sound_size(sound.facts.size_bytes)
    check_sound(sound.facts, site.settings.refused_audio)
    return sound
