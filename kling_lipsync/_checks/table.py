"""A job held to all the rules: the tables joined."""

from __future__ import annotations

from ..models import Job, Problem, Speech
from .case import Case, SoundFacts, VideoFacts
from .contract import TWO_STEP, Contract
from .media import MEDIA_RULES
from .planner import stated_placement
from .rules import judge_all
from .settings import SETTINGS_RULES, TIMES, flaw_of_times
from .speaking import SPEECH_RULES, Spoken
from .timing import TIMING_RULES, Room


def find_problems(
    job: Job, video: VideoFacts, sound: SoundFacts, contract: Contract = TWO_STEP, *, fit: bool = False
) -> tuple[Problem, ...]:
    """Every rule that the job breaks (``FAIL``) or that could not be checked (``UNKNOWN``); nothing else refuses a job.

    ``video`` and ``sound`` are what is known of the media. With ``fit``, times that ``make_plan`` would fit are let
    through; so is, always, what only a plan can tell, as a sound longer than the video.
    """
    case = Case(job=job, video=video, sound=sound, contract=contract, fit=fit)
    spoken = (Spoken(job.audio, contract),) if isinstance(job.audio, Speech) else ()
    return (
        *judge_all((*SETTINGS_RULES, *MEDIA_RULES), case),
        *(problem for text in spoken for problem in judge_all(SPEECH_RULES, text)),
        *_timing_problems(case),
    )


def _timing_problems(case: Case) -> tuple[Problem, ...]:
    """What the job says itself of its timing is judged here, what is left to choose by the planner."""
    given = any(getattr(case.job, name) is not None for name in TIMES)
    if not given or case.fit or not case.contract.has_timing or flaw_of_times(case.job):
        return ()
    return judge_all(TIMING_RULES, stated_placement(case.job, Room(sound_ms=case.sound_ms, video_ms=case.video_ms)))
