from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

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
        ("--gateway cometapi", {"gateway": "cometapi"}),
        ("--answers task --created video", {"answers": "task", "created": "video"}),
        ("--errors nested --words odd", {"errors": "nested", "words": "odd"}),
        ("--spelling seconds --spelling text-times", {"spellings": {"seconds", "text-times"}}),
        ("--gateway chainhub --empty-spelling", {"gateway": "chainhub", "spellings": ()}),
        ("--no-list", {"lists": False}),
        ("--gateway ezmodel --list --external-ids", {"gateway": "ezmodel", "lists": True, "find_external_ids": True}),
        ("--no-external-ids", {"find_external_ids": False}),
        ("--query-path lip-sync --one-key", {"query_path": "lip-sync", "one_key": True}),
        ("--gateway cometapi --no-one-key", {"gateway": "cometapi", "one_key": False}),
        ("--numbers texts", {"numbers": "texts"}),
        ("--volume-field original_sound_volume", {"volume_field": "original_sound_volume"}),
        ("--duplicates return-old --list-order shuffled", {"duplicates": "return-old", "list_order": "shuffled"}),
        ("--list-delay 3 --size-counted encoded", {"list_delay": 3.0, "size_counted": "encoded"}),
        ("--no-face-is-empty --charge-no-face", {"no_face_is_empty": True, "charge_no_face": True}),
        ("--identify-takes-slot --refuse-early", {"identify_takes_slot": True, "refuse_early": True}),
        ("--refuse-unknown-fields --refuse-audio m4a", {"refuse_unknown_fields": True, "refused_audio": {"m4a"}}),
        ("--callback-secret whsec_YQ== --callback-copies 2", {"callback_secret": "whsec_YQ==", "callback_copies": 2}),
        ("--callback-reorder --task-sigma 0", {"callback_reorder": True, "task_sigma": 0.0}),
        ("--session-lifetime 60 --result-url-lifetime 5", {"session_lifetime": 60.0, "result_url_lifetime": 5.0}),
        ("--api-key a --api-key b --stand-in", {"api_keys": {"a", "b"}, "stand_in": True}),
        ("--identify-seconds 0 --speech-seconds 0", {"identify_seconds": 0.0, "speech_seconds": 0.0}),
    ],
)  # fmt: skip
def test_each_option_is_a_setting(arguments: str, expected: dict[str, Any]) -> None:
    """Each switch of the sandbox can be thrown from the command line, and throws nothing else."""
    assert parsed(*arguments.split()) == Settings(**expected)


@pytest.mark.parametrize(
    ("group", "name", "kind"),
    [
        (command.Played, "gateway", Gateway), (command.Played, "answers", Answers),
        (command.Played, "created", Answers), (command.Played, "errors", Errors),
        (command.Played, "words", Words), (command.Played, "query_path", QueryPath),
        (command.Played, "numbers", Numbers), (command.Played, "volume_field", VolumeField),
        (command.Unknowns, "duplicates", Duplicates), (command.Unknowns, "list_order", ListOrder),
        (command.Unknowns, "size_counted", SizeCounted), (command.Played, "spellings", Spelling),
    ],
)  # fmt: skip
def test_the_words_of_the_options_are_the_sandboxs(group: type, name: str, kind: type[Enum]) -> None:
    """The command line offers what the sandbox knows, all of it."""
    hint = get_type_hints(group, vars(command))[name]
    assert set(_words(hint)) == {each.value for each in kind}


def _words(hint: Any) -> Iterator[str]:
    """The words within a type."""
    for part in get_args(hint):
        yield from [part] if isinstance(part, str) else _words(part)


@pytest.mark.parametrize(
    "arguments", [["--gateway", "other"], ["--spelling", "fancy"], ["--callback-copies", "0"], ["--slots", "-1"]]
)
def test_wrong_words_are_refused_by_the_command_line(arguments: list[str]) -> None:
    """Before anything starts."""
    with pytest.raises(cyclopts.CycloptsError):
        parsed(*arguments)


@pytest.mark.parametrize("arguments", [["--task-sigma", "-1"], ["--list-delay", "-2"]])
def test_wrong_settings_are_wrong_usage(arguments: list[str]) -> None:
    """What the sandbox itself refuses is told as a wrong option."""
    with pytest.raises(ConfigurationError, match="must be >= 0"):
        parsed(*arguments)


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own; it is killed if it has not ended with the block."""
    line = [sys.executable, "-m", "kling_lipsync.cli", "sandbox", "--port", "0", *arguments]
    with subprocess.Popen(  # noqa: S603 - our own command
        line, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def test_a_gateway_with_faults_as_a_server(tmp_path: Path) -> None:
    """The gateway is served, begins with the faults of the file, and clients are told its own base URL."""
    (tmp_path / "faults.json").write_text(json.dumps([{"kind": "5001", "endpoint": "query", "count": 1}]))
    options = ("--gateway", "chainhub", "--errors", "numeric", "--faults", "faults.json")
    with running(tmp_path, *options) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        url = started.stdout.readline().strip()
        headers = {"authorization": "Bearer k"}
        answers = [httpx.get(f"{url}/kling{CREATE}/1", headers=headers) for _ in range(2)]
        started.send_signal(signal.SIGINT)
        assert started.wait(30) == 130
        told = started.stderr.read()
    assert [answer.json()["code"] for answer in answers] == [503, 404]
    assert f"KLING_GATEWAY=chainhub KLING_BASE_URL={url}/kling " in told


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "No such file"), ("{", "Expecting"), ('[{"kind": "flood"}]', "flood"), ('"502"', "a fault is an object")],
)
@pytest.mark.anyio
async def test_wrong_faults_are_wrong_usage(tmp_path: Path, content: str | None, told: str) -> None:
    """A file that is not there or holds no faults is told with its name, and nothing is served."""
    path = tmp_path / "faults.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match="--faults") as caught:
        await command.sandbox(port=0, faults=path)
    assert told in str(caught.value)
