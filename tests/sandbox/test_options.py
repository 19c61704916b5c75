from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import cyclopts
import httpx
import pytest

from kling_lipsync.cli import sandbox as command
from kling_lipsync.errors import ConfigurationError
from kling_lipsync.sandbox import (
    Answers,
    Duplicates,
    Errors,
    Gateway,
    ListOrder,
    Numbers,
    QueryPath,
    Settings,
    SizeCounted,
    Spelling,
    VolumeField,
    Words,
)

from .making import CREATE


def parsed(*arguments: str) -> Settings:
    """The settings that a command line makes."""
    app = cyclopts.App(result_action="return_value")
    app.default(command.sandbox)
    _, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    groups = [bound.arguments.get(name) for name in ("world", "played", "unknowns")]
    options: dict[str, Any] = {}
    for group in groups:
        options |= {} if group is None else command._given(group)
    return command._build(options)[0]


def test_without_options_the_settings_are_the_sandboxs_own() -> None:
    """The command line's defaults are those of the sandbox."""
    groups = (command.World(), command.Played(), command.Unknowns())
    options: dict[str, Any] = {}
    for group in groups:
        options |= command._given(group)
    assert command._build(options)[0] == Settings() == parsed()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--gateway", "cometapi"], {"gateway": "cometapi"}),
        (["--answers", "task", "--created", "video"], {"answers": "task", "created": "video"}),
        (["--errors", "nested", "--words", "odd"], {"errors": "nested", "words": "odd"}),
        (["--spelling", "seconds", "--spelling", "text-times"], {"spellings": {"seconds", "text-times"}}),
        (["--gateway", "chainhub", "--empty-spelling"], {"gateway": "chainhub", "spellings": ()}),
        (["--no-list"], {"lists": False}),
        (["--gateway", "ezmodel", "--list", "--external-ids"], {"gateway": "ezmodel", "lists": True, "find_external_ids": True}),
        (["--no-external-ids"], {"find_external_ids": False}),
        (["--query-path", "lip-sync", "--one-key"], {"query_path": "lip-sync", "one_key": True}),
        (["--gateway", "cometapi", "--no-one-key"], {"gateway": "cometapi", "one_key": False}),
        (["--numbers", "texts"], {"numbers": "texts"}),
        (["--volume-field", "original_sound_volume"], {"volume_field": "original_sound_volume"}),
        (["--duplicates", "return-old", "--list-order", "shuffled"], {"duplicates": "return-old", "list_order": "shuffled"}),
        (["--list-delay", "3", "--size-counted", "encoded"], {"list_delay": 3.0, "size_counted": "encoded"}),
        (["--no-face-is-empty", "--charge-no-face"], {"no_face_is_empty": True, "charge_no_face": True}),
        (["--identify-takes-slot", "--refuse-early"], {"identify_takes_slot": True, "refuse_early": True}),
        (["--refuse-unknown-fields", "--refuse-audio", "m4a"], {"refuse_unknown_fields": True, "refused_audio": {"m4a"}}),
        (["--callback-secret", "whsec_YQ==", "--callback-copies", "2"], {"callback_secret": "whsec_YQ==", "callback_copies": 2}),
        (["--callback-reorder", "--task-sigma", "0"], {"callback_reorder": True, "task_sigma": 0.0}),
        (["--session-lifetime", "60", "--result-url-lifetime", "5"], {"session_lifetime": 60.0, "result_url_lifetime": 5.0}),
        (["--api-key", "a", "--api-key", "b", "--stand-in"], {"api_keys": {"a", "b"}, "stand_in": True}),
        (["--identify-seconds", "0", "--speech-seconds", "0"], {"identify_seconds": 0.0, "speech_seconds": 0.0}),
    ],
)  # fmt: skip
def test_each_option_is_a_setting(arguments: list[str], expected: dict[str, Any]) -> None:
    """Each switch of the sandbox can be thrown from the command line, and throws nothing else."""
    assert parsed(*arguments) == Settings(**expected)


@pytest.mark.parametrize(
    ("group", "name", "kind"),
    [
        (command.Played, "gateway", Gateway), (command.Played, "answers", Answers),
        (command.Played, "created", Answers), (command.Played, "errors", Errors),
        (command.Played, "words", Words), (command.Played, "query_path", QueryPath),
        (command.Played, "numbers", Numbers), (command.Played, "volume_field", VolumeField),
        (command.Unknowns, "duplicates", Duplicates), (command.Unknowns, "list_order", ListOrder),
        (command.Unknowns, "size_counted", SizeCounted),
    ],
)  # fmt: skip
def test_the_words_of_the_options_are_the_sandboxs(group: type, name: str, kind: type[Enum]) -> None:
    """The command line offers what the sandbox knows, all of it."""
    assert {name for name in _words(cyclopts.utils.resolve_annotated(_annotation(group, name)))} == {
        each.value for each in kind
    }


def test_the_spellings_of_the_options_are_the_sandboxs() -> None:
    """Each spelling is offered."""
    assert set(get_args(command.SpellingName)) == {each.value for each in Spelling}
