"""Kling's limits as a table of rules, the timing planner, and prices: pure, without I/O."""

from __future__ import annotations

from .case import SoundFacts, VideoFacts
from .contract import ONE_STEP, TWO_STEP, Contract
from .planner import make_plan
from .prices import task_units, worst_case_units
from .rules import refusal
from .table import find_problems
from .voices import Voice, voices

__all__ = [
    "ONE_STEP",
    "TWO_STEP",
    "Contract",
    "SoundFacts",
    "VideoFacts",
    "Voice",
    "find_problems",
    "make_plan",
    "refusal",
    "task_units",
    "voices",
    "worst_case_units",
]
