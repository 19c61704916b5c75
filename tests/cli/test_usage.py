from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kling_lipsync.cli import _app

from .driving import Line, World, process

GOOD = "key,video_url,audio_url\na,https://example.com/v.mp4,https://example.com/s.mp3\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nope",), 'Unknown command "nope"'),
        (("run",), "give a manifest (.csv or .jsonl), or --video"),
        (("run", "jobs.csv", "--nope"), "Unknown option: --nope"),
        (("run", "jobs.csv", "--budget", "abc"), "--budget: 'abc' is no amount of units"),
        (("run", "jobs.csv", "--budget", "nan"), "--budget: 'nan' is no amount of units"),
        (("run", "jobs.csv", "--budget", "0"), "--budget. Give a number above 0"),
        (("run", "jobs.csv", "--running-tasks", "0"), "--running-tasks. Give a number above 0"),
        (("run", "jobs.csv", "--poll-interval", "inf"), "--poll-interval. Give a number above 0"),
        (("run", "jobs.csv", "--task-timeout", "nan"), "--task-timeout. Give a number above 0"),
        (("run", "jobs.csv", "--progress", "loud"), "--progress"),
        (("run", "jobs.csv", "--gateway", "nope"), "there is no gateway 'nope': choose one of official"),
        (("run", "jobs.csv", "--gateway", "custom"), "--base-url or KLING_BASE_URL"),
        (("run", "jobs.csv", "--base-url", "http://example.com"), "plain http would send the key"),
        (("run", "jobs.csv", "--only", "b"), "--only: jobs.csv has no job 'b'"),
        (("run", "jobs.csv", "-o", "x.mp4", "--again"), "--output, --again: only with one job"),
        (
            ("run", "--video", "https://x/v", "--download", "d", "--limit", "3"),
            "--download, --limit: only with a manifest",
        ),
        (("run", "--audio", "a.mp3"), "one job needs one of --video or --video-id"),
        (("run", "--video", "https://x/v"), "one job needs one of --audio, --audio-id or --text"),
        (("run", "--video", "https://x/v", "--text", "hi"), "--text needs a --voice-id"),
        (("run", "--video", "https://x/v", "--audio", "none.mp3"), "--audio none.mp3: No such file"),
        (("run", "none.csv"), "none.csv: no such file"),
        (("run", "jobs.csv", "--log-file", "none/log"), "--log-file none/log: No such file"),
        (("run", "jobs.csv", "--prices", "none.toml"), "--prices none.toml: No such file"),
        (("check", "none.csv"), "none.csv: no such file"),
        (("check", "jobs.csv", "--journal", "none.journal"), "there is no journal"),
        (("status", "none.journal"), "there is no journal"),
        (("status", "jobs.csv"), "jobs.csv"),
        (("faces",), "give either a manifest or --video"),
        (("faces", "jobs.csv", "--video", "https://x/v"), "give either a manifest or --video"),
        (("sandbox", "--host", "0.0.0.0"), "the sandbox is for this machine only"),  # noqa: S104 - it is refused
        (("sandbox", "--media", "none"), "--media none: not a folder"),
        (("voices", "--language", "fr"), "--language"),
    ],
)
def test_what_cannot_work_is_one_line_and_status_2(line: Line, arguments: tuple[str, ...], told: str) -> None:
    """Wrong usage and configuration say in one line on stderr what is wrong; stdout stays empty."""
    line.manifest(GOOD)
    ended = line(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert told in ended.err
    assert ended.err.startswith("kling-lipsync: ")
    assert ended.err.count("\n") == 1


def test_a_missing_key_names_every_variable(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials nothing starts, and the user learns which variables were tried."""
    monkeypatch.delenv("KLING_API_KEY")
    ended = line("run", line.manifest(GOOD), "--gateway", "cometapi")
    assert ended.status == 2
    assert "COMETAPI_KEY" in ended.err
    assert "KLING_API_KEY" in ended.err
    assert [path.name for path in line.folder.iterdir()] == ["jobs.csv"]


def test_a_wrong_manifest_is_told_whole(line: Line) -> None:
    """Each wrong line is told before any call, and no journal is made."""
    ended = line("run", line.manifest(GOOD + "a,https://x/v,https://x/s\nb,,\n"))
    assert ended.status == 2
    assert ended.err.splitlines() == [
        "kling-lipsync: " + str(line.folder / "jobs.csv") + ": 3 problems; nothing was sent",
        "  line 3: key 'a' stands on line 2 already",
        "  line 4: no video: give one of video_url, video_id",
        "  line 4: no sound: give one of audio_file, audio_url, audio_id, text",
    ]
    assert [path.name for path in line.folder.iterdir()] == ["jobs.csv"]


@pytest.mark.parametrize("content", ["", "lip_sync = 'dear'", "lip_sync = -1", "tts = 1", "lip_sync = inf", "x"])
def test_wrong_prices(line: Line, content: str) -> None:
    """Prices that are none are told with their file."""
    (line.folder / "prices.toml").write_text(content)
    ended = line("check", line.manifest(GOOD), "--prices", "prices.toml", "--no-remote")
    assert ended.status == 2
    assert ended.err.startswith("kling-lipsync: --prices prices.toml: ")


def test_help_goes_to_stdout(line: Line) -> None:
    """Each command explains its options, and help is no error."""
    for command in ("demo", "run", "check", "faces", "status", "voices", "speak", "doctor", "sandbox"):
        ended = line(command, "--help")
        assert ended.status == 0
        assert f"Usage: kling-lipsync {command}" in ended.out
        assert ended.err == ""
    assert "Exit status: 0" in line("--help").out


def test_voices_are_listed(line: Line) -> None:
    """Voices come as a table or as JSON lines, of one language or of both."""
    table = line("voices", "--language", "en").out.splitlines()
    assert table[0].split() == ["VOICE", "LANGUAGE", "NAME"]
    assert {row["voice_language"] for row in line("voices", "--json").lines} == {"zh", "en"}
    assert len(table) - 1 == len(line("voices", "--json", "--language", "en").lines)


def test_an_unexpected_error_is_one_line(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of our own is one line too; -v shows where it is."""

    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("by\nnothing")

    monkeypatch.setattr(_app, "app", broken)
    short, long = line("status", "x"), line("status", "x", "-v")
    assert (short.status, long.status) == (1, 1)
    assert short.err.startswith("kling-lipsync: unexpected ZeroDivisionError: by nothing; run it with -v")
    assert short.err.count("\n") == 1
    assert "Traceback" in long.err


def test_control_characters_do_not_reach_the_terminal(line: Line) -> None:
    """A manifest cannot command the terminal that its messages are shown on."""
    content = GOOD.replace("\na,", "\n\x1b[2Ja,")
    ended = line("check", line.manifest(content), "--no-remote")
    assert "\x1b" not in ended.out + ended.err
    assert r"\x1b[2Ja" in ended.out


def test_the_installed_command(tmp_path: Path) -> None:
    """The console script runs the same program, and passes its status on."""
    script = Path(sys.executable).with_name("kling-lipsync")
    ended = subprocess.run([script, "run", "none.csv"], capture_output=True, text=True, cwd=tmp_path, check=False)  # noqa: S603 - our own command
    assert (ended.returncode, ended.stdout) == (2, "")


def test_without_the_extra(tmp_path: Path) -> None:
    """Where the command line's libraries are missing, one line says which extra brings them."""
    program = "import sys; sys.modules['cyclopts'] = None; from kling_lipsync.cli import main; main()"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)  # noqa: S603 - our own command
    assert ended.returncode == 2
    assert ended.stderr == "kling-lipsync: the command line needs the extra: pip install 'kling-lipsync[cli]'\n"


def test_a_reader_that_leaves_early(tmp_path: Path, shared: World) -> None:
    """``kling-lipsync … | head -1`` ends without a traceback."""
    (tmp_path / "jobs.csv").write_text("key,video_id,audio_id\n" + "".join(f"{n},v,s\n" for n in range(20_000)))
    with process(tmp_path, "check", "jobs.csv", "--no-remote", "--quiet") as started:
        assert started.stdout is not None
        assert started.stderr is not None
        assert started.stdout.readline().startswith("KEY")
        started.stdout.close()
        assert started.wait(60) == 1
        assert started.stderr.read() == ""
