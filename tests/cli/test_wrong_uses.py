"""What a new user does wrong: told in a line, with the right status, before money is spent wherever that can be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kling_lipsync.client import KlingClient
from kling_lipsync.errors import AnswerLost

from .driving import SAMPLES, Line, World, fault, process, served

needs_full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here is always full")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "jobs.csv", "--download", "jobs.csv"), "--download jobs.csv: jobs.csv is no folder"),
        (("run", "jobs.csv", "--download", "jobs.csv/x"), "jobs.csv is no folder: name another"),
        (("run", "jobs.csv", "--results", "none/r.jsonl"), "--results none/r.jsonl: there is no folder none"),
        (("run", "jobs.csv", "--results", ""), "--results .: it is a folder: name a file"),
        (("run", "jobs.csv", "--running-tasks", "1.5"), "--running-tasks"),
        (("run", "jobs.csv", "--limit", "0"), "--limit. Give a number above 0"),
        (("run", "jobs.csv", "--limit", "-3"), "--limit. Give a number above 0"),
        (("run", "jobs.csv", "--gateway", "chainhub", "--budget", "5"), "give them by --prices FILE"),
        (("run", "--video", "https://x/v", "--audio", "s.wav", "-o", "."), "--output .: it is a folder: name a file"),
        (("run", "--video", "https://x/v", "--audio", "s.wav", "-o", "s.wav/o"), "s.wav is no folder: name another"),
        (("faces", "--video", "clip.mp4"), "Kling takes no uploads"),
        (("faces", "--video", ""), "Kling takes no uploads"),
        (("faces", "jobs.csv", "--sheet", "none/x.html"), "--sheet none/x.html: there is no folder none"),
        (("faces", "jobs.csv", "--sheet", "."), "--sheet .: it is a folder: name a file"),
        (("speak", "hi", "--voice-id", "oversea_male1", "--voice-speed", "nan"), "the speed of the voice is nan"),
        (("speak", " ", "--voice-id", "oversea_male1"), "the text to be spoken is empty"),
        (("speak", "hi"), "(see: kling-lipsync speak --help)"),
        (("voices", "en"), "too many arguments: 'en' (see: kling-lipsync voices --help)"),
        (("demo", "--out", "jobs.csv"), "--out jobs.csv: jobs.csv is no folder"),
        (("sandbox", "--port", "99999"), "--port 99999: give 0 to 65535"),
        (("sandbox", "--port", "-1"), "--port -1: give 0 to 65535"),
    ],
)
def test_told_before_any_call(line: Line, shared: World, arguments: tuple[str, ...], told: str) -> None:
    """Status 2 and one line; nothing was sent, no journal was made."""
    line.jobs(shared, 1)
    (line.folder / "s.wav").write_bytes((SAMPLES / "speech.wav").read_bytes())
    before = dict(shared.stats)
    gateway = () if "--gateway" in arguments else ("--base-url", shared.url)
    takes_gateway = arguments[0] in ("run", "faces", "speak") and "(see:" not in told
    ended = line(*arguments, *(gateway if takes_gateway else ()))
    assert (ended.status, ended.out) == (2, ""), ended.err
    assert told in ended.err
    assert ended.err.count("\n") == 1
    assert dict(shared.stats) == before
    assert not list(line.folder.glob("*.journal"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("option", [("--download", "locked"), ("--results", "locked/r"), ("--journal", "locked/j")])
def test_a_folder_that_may_not_be_written(line: Line, world: World, option: tuple[str, str]) -> None:
    """Permissions are looked at before anything is paid."""
    (line.folder / "locked").mkdir(mode=0o555)
    ended = line.run(world, line.jobs(world, 1), *option)
    assert ended.status == 2
    assert "permissions" in ended.err or "Permission denied" in ended.err
    assert world.stats["tasks"] == 0


def test_speech_that_may_have_been_charged(line: Line, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost answer says that money may have been spent; a refusal does not."""
    speak = ("speak", "hello", "--voice-id", "oversea_male1", "--voice-language", "en", "--base-url", world.url)
    fault(world, "1201", "tts", count=1)
    assert "charged" not in line(*speak).err

    async def answer_lost(*_: object) -> None:
        raise AnswerLost("the connection was closed before an answer came")

    monkeypatch.setattr(KlingClient, "speak", answer_lost)  # the real thing repeats for long
    lost = line(*speak)
    assert lost.status == 1
    assert "may have been spoken and charged" in lost.err


def test_what_is_spent_reserved_and_in_doubt_is_told_at_the_end(line: Line) -> None:
    """The last line of run, the first of the next one, check and status all say it, doubt apart."""
    (line.folder / "blind.toml").write_text('base_url = "https://x"\n[prices]\nlip_sync = 0.5\n')
    with served(find_external_ids=False) as world:
        path = line.jobs(world, 2)
        fault(world, "drop", "create", when="before", count=1)
        fault(world, "stuck", "create", count=1)
        blind = (path, "--gateway", "blind.toml")
        first = line.run(world, *blind, "--task-timeout", "0.5")
        assert first.status == 4
        assert first.err.splitlines()[-1].endswith("0.05 units spent, 1 units reserved, 1 units in doubt")
        again = line.run(world, *blind, "--task-timeout", "0.5")
        assert again.err.splitlines()[0].endswith("0.05 units spent, 1 units reserved, 1 units in doubt")
        checked = line("check", *blind, "--base-url", world.url)
        assert "journal so far: 0.05 units spent, 1 units reserved, 1 units in doubt" in checked.err
        assert "spent 0.05 units, reserved 1 units, in doubt 1 units" in line("status", "jobs.csv.journal").out


def test_a_result_that_is_paid_but_not_fetched_says_so(line: Line, world: World) -> None:
    """The line of a job whose download failed does not read as plain success."""
    fault(world, "502", "results")
    ended = line.run(world, line.jobs(world, 1), "--download", "out")
    assert "job 'k0': succeeded, but not fetched: " in ended.err


@needs_full_disk
def test_results_that_find_no_room_stop_the_batch(line: Line, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once jobs were begun it is a stop, not a wrong configuration, and what was spent is told."""
    from kling_lipsync.manifest import ResultsFile

    def full(self: ResultsFile, outcome: object) -> None:
        assert self._file is not None
        self._file.close()
        self._file = Path("/dev/full").open("a")  # noqa: SIM115 - the results close it
        append(self, outcome)  # type: ignore[arg-type]

    append = ResultsFile.append
    monkeypatch.setattr(ResultsFile, "append", full)
    ended = line.run(world, line.jobs(world, 1), "--results", "r.jsonl")
    assert ended.status == 3
    assert "stopped: r.jsonl: the results cannot be written: No space left on device" in ended.err
    assert "1.05 units spent" in ended.err.splitlines()[-1]


def command(*arguments: object) -> list[str]:
    """The command line in a process of its own."""
    return [sys.executable, "-m", "kling_lipsync.cli", *map(str, arguments)]


@needs_full_disk
def test_stdout_without_room() -> None:
    """A full disk behind stdout is one line."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command("voices"), stdout=full, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own command
    assert ended.returncode == 1
    assert ended.stderr == "kling-lipsync: stdout cannot be written: No space left on device\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize(("closed", "status"), [("1>&-", 0), ("2>&-", 0), ("0<&- 1>&- 2>&-", 0)])
def test_streams_that_the_caller_closed(line: Line, world: World, closed: str, status: int) -> None:
    """A run without one of its streams does its work, and opens no file under the stream's number."""
    run = command("run", line.jobs(world, 1), "--base-url", world.url, "--poll-interval", "0.1")
    ended = subprocess.run(  # noqa: S603 - our own command
        ["/bin/sh", "-c", f'"$@" {closed}', "sh", *run], cwd=line.folder, check=False, timeout=60
    )
    assert ended.returncode == status
    assert world.stats["tasks"] == 1


def test_a_second_interrupt_ends_at_once(line: Line) -> None:
    """Ctrl-C twice: status 130 without a traceback, and without waiting for the answer on its way."""
    with served(task_seconds=2000.0) as world:
        path = line.jobs(world, 1)
        fault(world, "stall", "create", seconds=8)
        with process(line.folder, "run", path, "--base-url", world.url, "-v", KLING_API_KEY="secret-key") as started:
            assert started.stderr is not None
            next(text for text in started.stderr if "CreateIntended" in text)
            started.send_signal(signal.SIGINT)
            next(text for text in started.stderr if "once more to stop at once" in text)
            started.send_signal(signal.SIGINT)
            told = started.stderr.read()
            assert started.wait(20) == 130, told
        assert "Traceback" not in told
        assert "stopped at once; the same command goes on" in told
        assert "TaskCreated" not in told
