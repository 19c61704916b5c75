"""The rules for the video and the sound: Kling's documentation of identify-face and of advanced-lip-sync."""

from __future__ import annotations

from .addresses import flaw_of_id, flaw_of_url, is_web, shown
from .case import Case
from .contract import Range, SizeLimit
from .rules import Finding, Rule, unknown


def _video_url(case: Case) -> Finding | None:
    url = case.job.video.url or ""
    flaw = flaw_of_url(url)
    if flaw is None:
        return None
    advice = "" if is_web(url) else ". Kling takes no uploads: put the video where Kling can fetch it and give its URL"
    return Finding(f"the video {shown(url)} {flaw}{advice}")


def _video_id(case: Case) -> Finding | None:
    flaw = flaw_of_id(case.job.video.id or "")
    return Finding(f"the video's id {flaw}: give the id of a video that Kling made, or a URL") if flaw else None


def _video_container(case: Case) -> Finding | None:
    return _container("video", case.video.container, case.contract.video_containers)


def _video_size(case: Case) -> Finding | None:
    return _size("video", case.video.size, case.contract.video_bytes, "give it fewer bits a second")


def _video_duration(case: Case) -> Finding | None:
    return _duration("video", case.video_ms, case.contract.video_ms)


def _video_sides(case: Case) -> Finding | None:
    allowed = case.contract.side_px
    found = f"{case.video.width or '?'}x{case.video.height or '?'}"
    sides = [side for side in (case.video.width, case.video.height) if side is not None]
    if any(side not in allowed for side in sides):
        return Finding(f"the video is {found} pixels: Kling takes {allowed} on each side; scale it to 720p or 1080p")
    return None if len(sides) == 2 else unknown("the width and height of the video are not known")


def _video_resolution(case: Case) -> Finding | None:
    """The documents say "720p or 1080p" beside the limits of the sides: a short side between them may pass or not."""
    width, height = case.video.width, case.video.height
    if width is None or height is None or min(width, height) in case.contract.short_sides_px:
        return None
    return unknown(
        f"the video is {width}x{height} pixels: Kling documents 720p and 1080p, whether it takes others is not known"
    )


def _sound_url(case: Case) -> Finding | None:
    url = case.sound_url or ""
    flaw = flaw_of_url(url)
    if flaw is None:
        return None
    advice = "" if is_web(url) else ": give a local sound as a file (Audio.from_file, audio_file) or as bytes"
    return Finding(f"the sound {shown(url)} {flaw}{advice}")


def _sound_id(case: Case) -> Finding | None:
    if not case.contract.takes_audio_id:
        return Finding("this gateway takes no audio id: give the sound as a file or a URL, or the text to be spoken")
    flaw = flaw_of_id(case.sound_id or "")
    return Finding(f"the sound's id {flaw}: give the id of a sound that Kling spoke, a file or a URL") if flaw else None


def _sound_container(case: Case) -> Finding | None:
    return _container("sound", case.sound.container, case.contract.sound_containers)


def _sound_size(case: Case) -> Finding | None:
    limit = case.contract.sound_bytes
    advice = "make it an mp3, or cut it"
    return _size("sound", case.sound.size, limit.inline if case.has_inline_sound else limit, advice)


def _sound_duration(case: Case) -> Finding | None:
    if case.is_spoken and case.sound_ms is None:
        allowed = case.contract.sound_ms
        return unknown(f"how long the text will sound is not known before it is spoken; it must be {allowed} ms")
    return _duration("sound", case.sound_ms, case.contract.sound_ms)


def _container(what: str, found: str | None, allowed: tuple[str, ...]) -> Finding | None:
    if found is None:
        return unknown(f"the format of the {what} is not known")
    if found in allowed:
        return None
    return Finding(f"the {what} is a {shown(found)} file: Kling takes {', '.join(allowed)}; convert it")


def _size(what: str, found: int | None, limit: SizeLimit, advice: str) -> Finding | None:
    if found is None:
        return unknown(f"the size of the {what} is not known")
    if found > limit.most:
        return Finding(f"the {what} has {found} bytes: Kling takes at most {limit}; {advice}")
    if found > limit.sure:
        return unknown(
            f"the {what} has {found} bytes: whether Kling takes more than {limit.sure} depends on how it counts; "
            f"if it is refused, {advice}"
        )
    return None


def _duration(what: str, found: int | None, allowed: Range) -> Finding | None:
    if found is None:
        return unknown(f"the length of the {what} is not known")
    if found in allowed:
        return None
    advice = "give a longer one" if found < allowed.low else "cut it"
    return Finding(f"the {what} lasts {found} ms: Kling takes {allowed} ms; {advice}")


def _video_is_url(case: Case) -> bool:
    return case.job.video.url is not None


def _video_is_id(case: Case) -> bool:
    return case.job.video.id is not None


def _video_can_be_had(case: Case) -> bool:
    return _video_is_id(case) or case.has_video_file


def _sides_fit(case: Case) -> bool:
    return case.has_video_file and _video_sides(case) is None


def _sound_is_url(case: Case) -> bool:
    return case.sound_url is not None


def _sound_is_id(case: Case) -> bool:
    return case.sound_id is not None


def _sound_can_be_had(case: Case) -> bool:
    """A text is measured once it is a sound of its own; a one-step task speaks it inside."""
    return case.has_sound_file or _sound_is_id(case) or (case.is_spoken and case.contract.has_timing)


MEDIA_RULES = (
    Rule("video-url", _video_url, concerns=_video_is_url),
    Rule("video-id", _video_id, concerns=_video_is_id),
    Rule("video-container", _video_container, concerns=lambda case: case.has_video_file),
    Rule("video-size", _video_size, concerns=lambda case: case.has_video_file),
    Rule("video-duration", _video_duration, concerns=_video_can_be_had),
    Rule("video-sides", _video_sides, concerns=lambda case: case.has_video_file),
    Rule("video-resolution", _video_resolution, concerns=_sides_fit),
    Rule("sound-url", _sound_url, concerns=_sound_is_url),
    Rule("sound-id", _sound_id, concerns=_sound_is_id),
    Rule("sound-container", _sound_container, concerns=lambda case: case.has_sound_file),
    Rule("sound-size", _sound_size, concerns=lambda case: case.has_sound_file),
    Rule("sound-duration", _sound_duration, concerns=_sound_can_be_had),
)
"""One row for each limit on the media."""
