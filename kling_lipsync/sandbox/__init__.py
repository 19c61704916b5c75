"""A Kling of our own that runs on this machine: the lip-sync API with its rules, limits and failures.

It can play the gateways to Kling as well. It is an independent reading of the API: it shares no code with the client
and imports nothing else of the package.
"""

from __future__ import annotations

from importlib.util import find_spec

if not all(map(find_spec, ("av", "httptools", "starlette", "uvicorn"))):
    raise ImportError("the sandbox needs the extra: pip install 'kling-lipsync[sandbox]'")

# The extra is looked for first, so that its absence is named instead of one of its modules.
from kling_lipsync.sandbox.dialect import (
    Answers,
    Dialect,
    Errors,
    Gateway,
    Numbers,
    QueryPath,
    Spelling,
    VolumeField,
    Words,
)
from kling_lipsync.sandbox.faults import Fault, Faults
from kling_lipsync.sandbox.refusals import ConnectionDropped, Refused
from kling_lipsync.sandbox.sandbox import Sandbox
from kling_lipsync.sandbox.server import serve
from kling_lipsync.sandbox.settings import Duplicates, ListOrder, Settings, SizeCounted
from kling_lipsync.sandbox.signing import account_name
from kling_lipsync.sandbox.studio import FetchFailed

__all__ = [
    "Answers",
    "ConnectionDropped",
    "Dialect",
    "Duplicates",
    "Errors",
    "Fault",
    "Faults",
    "FetchFailed",
    "Gateway",
    "ListOrder",
    "Numbers",
    "QueryPath",
    "Refused",
    "Sandbox",
    "Settings",
    "SizeCounted",
    "Spelling",
    "VolumeField",
    "Words",
    "account_name",
    "serve",
]
