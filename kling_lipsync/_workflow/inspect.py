"""What can be known of a job before anything is sent to Kling: its media's headers, Kling's limits, a first plan, a
price.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import anyio.to_thread

from .._checks import ONE_STEP, TWO_STEP, Contract, SoundFacts, VideoFacts, find_problems, make_plan, worst_case_units
from .._media import MediaInfo, UnreadableMedia, probe_bytes, probe_file
from ..errors import InvalidJob
from ..gateways import Gateway
from ..models import Audio, CheckReport, Job, Plan, Prices, Problem, Speech, Verdict, Video, worst_verdict
from .remote import RemoteLook

T = TypeVar("T")

LARGEST_WALK = 5 * 1024 * 1024
"""A sound above Kling's 5 MB is refused by its size alone; its frames are not walked."""


def contract_of(gateway: Gateway) -> Contract:
    """The limits that a gateway's jobs obey."""
    return ONE_STEP if gateway.one_step else TWO_STEP


async def inspect_job(
    job: Job, gateway: Gateway, *, fit: bool, remote: RemoteLook | None, threads: bool = True
) -> CheckReport:
    """The job checked against Kling's limits; nothing is sent to Kling.

    ``remote`` looks into remote files; ``None`` leaves them unknown. ``threads`` moves file reading off the event
    loop.
    """
    video, found_video = await _video_facts(job.video, remote)
    sound, found_sound = await _sound_facts(job.audio, remote, threads)
    contract = contract_of(gateway)
    problems = _without_echoes([*found_video, *found_sound, *find_problems(job, video, sound, contract, fit=fit)])
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


def _without_echoes(problems: list[Problem]) -> list[Problem]:
    """A file that cannot be read is told once; that its format, size and length are not known follows from it."""
    unreadable = tuple(p.rule.removesuffix("readable") for p in problems if p.rule.endswith("-readable"))
    return [problem for problem in problems if not _echoes(problem, unreadable)]


def _echoes(problem: Problem, unreadable: tuple[str, ...]) -> bool:
    told = problem.verdict is Verdict.FAIL or problem.rule.endswith("-readable")
    return not told and problem.rule.startswith(unreadable)


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


async def _video_facts(video: Video, remote: RemoteLook | None) -> tuple[VideoFacts, list[Problem]]:
    known = VideoFacts(duration_ms=video.duration_ms)
    if video.url is None or remote is None or not _is_web(video.url):
        return known, []
    info, problems = await remote.probe(video.url, "video")
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
    audio: Audio | Speech, remote: RemoteLook | None, threads: bool
) -> tuple[SoundFacts, list[Problem]]:
    if isinstance(audio, Speech):
        return SoundFacts(), []
    if audio.path is not None:
        return await _in_thread(threads, _local_sound, audio.path)
    if audio.data is not None:
        return await _in_thread(threads, _sound_in_memory, audio.data)
    return await _distant_sound(audio, remote)


async def _distant_sound(audio: Audio, remote: RemoteLook | None) -> tuple[SoundFacts, list[Problem]]:
    known = SoundFacts(duration_ms=audio.duration_ms)
    if audio.url is None or remote is None or not _is_web(audio.url):
        return known, []
    info, problems = await remote.probe(audio.url, "sound")
    return (known if info is None else _facts_of(info)), problems


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


async def _in_thread(threads: bool, function: Callable[..., T], *args: object) -> T:
    return await anyio.to_thread.run_sync(function, *args) if threads else function(*args)


def _is_web(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))
