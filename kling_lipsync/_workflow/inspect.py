"""What can be known of a job before anything is sent to Kling: its media's headers, Kling's limits, a first plan, a
price.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Generator
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
from attrs import frozen

from .._checks import ONE_STEP, TWO_STEP, Contract, SoundFacts, VideoFacts, find_problems, make_plan, worst_case_units
from .._media import ByteRange, MediaInfo, UnreadableMedia, probe, probe_bytes, probe_file
from ..errors import DownloadError, InvalidJob
from ..gateways import Gateway
from ..models import Audio, Job, Plan, Prices, Problem, Speech, Verdict, Video, worst_verdict

logger = logging.getLogger("kling_lipsync")

ReadRange = Callable[[str, int, int], Awaitable[tuple[bytes, int | None]]]
"""A ranged read of a URL: (url, start, length) to its bytes and the file's size."""

T = TypeVar("T")

REMOTE_PATIENCE = 20.0
"""Seconds for all looks at one remote file; a slow host leaves its facts unknown."""

LARGEST_WALK = 5 * 1024 * 1024
"""A sound above Kling's 5 MB is refused by its size alone; its frames are not walked."""


@frozen(kw_only=True)
class CheckReport:
    """What ``check`` knows of a job.

    Durations are ms; ``worst_case_units`` is ``None`` where the gateway has no prices.
    """

    verdict: Verdict
    problems: tuple[Problem, ...]
    plan: Plan | None
    sound_duration_ms: int | None
    video_duration_ms: int | None
    worst_case_units: Decimal | None


def contract_of(gateway: Gateway) -> Contract:
    """The limits that a gateway's jobs obey."""
    return ONE_STEP if gateway.one_step else TWO_STEP


async def inspect_job(
    job: Job, gateway: Gateway, *, fit: bool, read_range: ReadRange | None, threads: bool = True
) -> CheckReport:
    """The job checked against Kling's limits; nothing is sent to Kling.

    ``read_range`` looks into remote files; ``None`` leaves them unknown. ``threads`` moves file reading off the event
    loop.
    """
    video, found_video = await _video_facts(job.video, read_range)
    sound, found_sound = await _sound_facts(job.audio, read_range, threads)
    contract = contract_of(gateway)
    problems = [*found_video, *found_sound, *find_problems(job, video, sound, contract)]
    plan = None
    if contract.has_timing and worst_verdict(problems) is not Verdict.FAIL:
        plan, planned = _first_plan(job, video, sound, fit)
        problems += planned
    return CheckReport(
        verdict=worst_verdict(problems),
        problems=tuple(problems),
        plan=plan,
        sound_duration_ms=sound.duration_ms,
        video_duration_ms=video.duration_ms,
        worst_case_units=_price(job, gateway.prices, video.duration_ms, contract),
    )


def _price(job: Job, prices: Prices | None, video_duration_ms: int | None, contract: Contract) -> Decimal | None:
    if prices is None:
        return None
    two_step = contract.has_timing
    speaks = two_step and isinstance(job.audio, Speech)
    return worst_case_units(prices, video_duration_ms, identify=two_step, speech=speaks)


def _first_plan(job: Job, video: VideoFacts, sound: SoundFacts, fit: bool) -> tuple[Plan | None, tuple[Problem, ...]]:
    if isinstance(job.audio, Speech):
        return None, ()  # how long it will be is known once it is spoken
    try:
        plan = make_plan(job, None, video_duration_ms=video.duration_ms, sound_duration_ms=sound.duration_ms, fit=fit)
    except InvalidJob as error:
        return None, error.problems
    return plan, ()


async def _video_facts(video: Video, read_range: ReadRange | None) -> tuple[VideoFacts, list[Problem]]:
    known = VideoFacts(duration_ms=video.duration_ms)
    if video.url is None or read_range is None or not _is_web(video.url):
        return known, []
    info, problems = await _probe_remote(video.url, read_range, "video")
    if info is None:
        return known, problems
    return VideoFacts(
        container=info.container,
        duration_ms=info.duration_ms if info.duration_ms is not None else video.duration_ms,
        width=info.width,
        height=info.height,
        size=info.size,
    ), problems


async def _sound_facts(
    audio: Audio | Speech, read_range: ReadRange | None, threads: bool
) -> tuple[SoundFacts, list[Problem]]:
    if isinstance(audio, Speech):
        return SoundFacts(), []
    info: MediaInfo | None = None
    problems: list[Problem] = []
    if audio.path is not None:
        return await _in_thread(threads, _local_sound, audio.path)
    if audio.data is not None:
        return await _in_thread(threads, _sound_in_memory, audio.data)
    if audio.url is not None and read_range is not None and _is_web(audio.url):
        info, problems = await _probe_remote(audio.url, read_range, "sound")
    if info is None:
        return SoundFacts(duration_ms=audio.duration_ms), problems
    return _facts_of(info), problems


def _facts_of(info: MediaInfo) -> SoundFacts:
    return SoundFacts(container=info.container, duration_ms=info.duration_ms, size=info.size)


def _local_sound(path: Path) -> tuple[SoundFacts, list[Problem]]:
    try:
        size = path.stat().st_size
        if size > LARGEST_WALK:
            return SoundFacts(size=size), []
        return _facts_of(probe_file(path)), []
    except FileNotFoundError:
        return SoundFacts(), [_unreadable("sound", f"there is no file {path}")]
    except OSError as error:
        return SoundFacts(), [_unreadable("sound", f"{path} cannot be read: {error.strerror or error}")]
    except UnreadableMedia as error:
        return SoundFacts(), [_unreadable("sound", f"{path} is no sound file that Kling takes: {error}")]


def _sound_in_memory(data: bytes) -> tuple[SoundFacts, list[Problem]]:
    if len(data) > LARGEST_WALK:
        return SoundFacts(size=len(data)), []
    try:
        return _facts_of(probe_bytes(data)), []
    except UnreadableMedia as error:
        return SoundFacts(), [_unreadable("sound", f"the bytes given are no sound file that Kling takes: {error}")]


def _unreadable(what: str, message: str) -> Problem:
    return Problem(f"{what}-readable", f"{message}; give an mp3, wav, m4a or aac file")


async def _probe_remote(url: str, read_range: ReadRange, what: str) -> tuple[MediaInfo | None, list[Problem]]:
    try:
        with anyio.fail_after(REMOTE_PATIENCE):
            return await _drive(probe(None), url, read_range), []
    except TimeoutError:
        why = f"its host did not answer within {REMOTE_PATIENCE:.0f} s"
    except DownloadError as error:
        why = str(error)
    except UnreadableMedia as error:
        advice = f"give the URL of the {what} itself, or skip this look (remote=False, --no-remote)"
        return None, [Problem(f"{what}-readable", f"what the {what}'s URL gives is no {what}: {error}; {advice}")]
    message = f"the {what} could not be looked at from here: {why}; make sure that Kling can fetch it"
    return None, [Problem(f"{what}-readable", message, Verdict.UNKNOWN)]


async def _drive(prober: Generator[ByteRange, bytes, MediaInfo], url: str, read_range: ReadRange) -> MediaInfo:
    try:
        wanted = next(prober)
        while True:
            data, _size = await read_range(url, wanted.start, wanted.length)
            wanted = prober.send(data)
    except StopIteration as end:
        info: MediaInfo = end.value
        return info


async def _in_thread(threads: bool, function: Callable[..., T], *args: object) -> T:
    return await anyio.to_thread.run_sync(function, *args) if threads else function(*args)


def _is_web(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))
