"""The rules for everything else that a job says: its names, its numbers, and what its gateway has no place for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath

from attrs import fields_dict

from ..models import Job, Speech
from .addresses import flaw_of_url, shown
from .case import Case
from .numbers import flaw_of_number, is_whole
from .rules import Finding, Rule, unknown

LONGEST_NAME = 256
"""Characters of a key or an external task id."""

LONGEST_FILE_NAME = 240
"""Bytes of each part of ``output``: file systems take 255, and a file that is being fetched has a longer name."""

FACE_RULE = re.compile(r"longest|only|most-overlap|(?:index|at):[0-9]{1,9}|id:[^\s\x00-\x1f\x7f]{1,256}")
"""What ``kling_lipsync.faces.parse`` reads; a test holds the two together."""

TIMES = ("sound_start_ms", "sound_end_ms", "sound_insert_ms")
"""The fields of a job that say where the sound goes."""


def _key(case: Case) -> Finding | None:
    flaw = _flaw_of_name(case.job.key)
    return Finding(f"the key {shown(case.job.key)} {flaw}") if flaw else None


def _external_task_id(case: Case) -> Finding | None:
    name = case.job.external_task_id or ""
    if flaw := _flaw_of_name(name):
        return Finding(f"external_task_id {shown(name)} {flaw}")
    if not name.strip("."):
        return Finding("external_task_id consists of dots, which cannot stand in the path of a query: give a name")
    if name[0].isdecimal():
        return unknown(
            f"external_task_id {shown(name)} begins with a digit, which some gateways take for an id of their own: "
            "let it begin with a letter"
        )
    return None


def _flaw_of_name(name: str) -> str | None:
    if not name.strip():
        return "is blank: give a name"
    if len(name) > LONGEST_NAME:
        return f"has {len(name)} characters: give at most {LONGEST_NAME}"
    return None if name.isprintable() else "has control characters in it: leave them out"


def _output(case: Case) -> Finding | None:
    output = case.job.output or ""
    flaw = _flaw_of_output(output)
    return Finding(f"output {shown(output)} {flaw}") if flaw else None


def _flaw_of_output(output: str) -> str | None:
    """Read as both families of systems read it, so that a manifest means the same on each."""
    there = PureWindowsPath(output)
    if not output.isprintable():
        return "has control characters in it: leave them out"
    if there.drive or there.root:
        return "is not below the download folder: give a relative path"
    if ".." in there.parts:
        return 'goes out of the download folder: give a path without ".."'
    if not there.name or output.endswith(("/", "\\")):
        return "names no file: give a file's name"
    if any(len(part.encode()) > LONGEST_FILE_NAME for part in PurePosixPath(output).parts):
        return f"has a part longer than {LONGEST_FILE_NAME} bytes: give a shorter name"
    return None


def _callback_url(case: Case) -> Finding | None:
    url = case.job.callback_url or ""
    flaw = flaw_of_url(url)
    return Finding(f"callback_url {shown(url)} {flaw}") if flaw else None


def _face(case: Case) -> Finding | None:
    if FACE_RULE.fullmatch(case.job.face):
        return None
    return Finding(
        f"{shown(case.job.face)} is no way to choose a face: give longest, only, most-overlap, index:N, at:MS or id:X"
    )


def _sound_volume(case: Case) -> Finding | None:
    flaw = flaw_of_number(case.job.sound_volume, case.contract.volume)
    return Finding(f"sound_volume {flaw}") if flaw else None


def _original_audio_volume(case: Case) -> Finding | None:
    flaw = flaw_of_number(case.job.original_audio_volume, case.contract.volume)
    return Finding(f"original_audio_volume {flaw}") if flaw else None


def flaw_of_times(job: Job) -> Finding | None:
    """What is wrong with times that are no whole numbers, or ``None``."""
    given = {name: getattr(job, name) for name in TIMES}
    wrong = [f"{name} {value!r}" for name, value in given.items() if value is not None and not is_whole(value)]
    return Finding(f"{', '.join(wrong)}: give whole milliseconds") if wrong else None


def _times(case: Case) -> Finding | None:
    return flaw_of_times(case.job)


def _unicode(case: Case) -> Finding | None:
    broken = sorted({name for name, text in _texts(case.job) if not _is_unicode(text)})
    return Finding(f"{', '.join(broken)}: half a character in it (a lone surrogate); write it anew") if broken else None


def _texts(job: Job) -> Iterator[tuple[str, str]]:
    """The texts that are passed on as they are."""
    yield "scene", job.scene or ""
    yield from (("meta", text) for item in job.meta.items() for text in item)
    if isinstance(job.audio, Speech):
        yield "text", job.audio.text
        yield "voice_id", job.audio.voice_id


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _no_place(case: Case) -> Finding | None:
    """A setting that would be dropped on the way is refused: what came back would not be what was asked for."""
    defaults = {name: attribute.default for name, attribute in fields_dict(Job).items()}
    lost = [name for name in sorted(case.contract.lacks) if getattr(case.job, name) != defaults[name]]
    return (
        Finding(f"this gateway's one-step lip-sync has no place for {', '.join(lost)}: leave it out") if lost else None
    )


SETTINGS_RULES = (
    Rule("key", _key),
    Rule("external-task-id", _external_task_id, concerns=lambda case: case.job.external_task_id is not None),
    Rule("output", _output, concerns=lambda case: case.job.output is not None),
    Rule("callback-url", _callback_url, concerns=lambda case: case.job.callback_url is not None),
    Rule("face", _face),
    Rule("sound-volume", _sound_volume),
    Rule("original-audio-volume", _original_audio_volume),
    Rule("times", _times),
    Rule("unicode", _unicode),
    Rule("no-place", _no_place, concerns=lambda case: bool(case.contract.lacks)),
)
"""One row for each limit on what a job says beside its media."""
