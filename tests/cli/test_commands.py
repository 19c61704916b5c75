from __future__ import annotations

import re
import signal
import urllib.request
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import av
import pytest
from attrs import evolve

from kling_lipsync.cli import demo as demo_command

from .driving import SAMPLES, Line, World, process


def rows(line: Line, world: World) -> Path:
    """A manifest of one job that can be run and one that cannot."""
    return line.manifest(
        "key,video_url,audio_file,sound_insert_ms\n"
        f"good,{world.media('one-face.mp4')},{SAMPLES / 'speech.wav'},\n"
        f"late,{world.media('one-face.mp4')},{SAMPLES / 'speech.wav'},7000\n"
    )


def test_check_in_json(line: Line, world: World) -> None:
    """Each row's line has the documented names; nothing is sent to Kling; status 1 as one would be refused."""
    ended = line("check", rows(line, world), "--json", "--base-url", world.url)
    assert ended.status == 1
    good, late = ended.lines
    assert list(good) == [
        *("key", "verdict", "problems", "plan", "sound_duration_ms", "video_duration_ms", "worst_case_units"),
    ]
    assert (good["key"], good["video_duration_ms"], good["worst_case_units"]) == ("good", 8000, 1.05)
    assert good["verdict"] in ("pass", "unknown")
    assert good["plan"].keys() == {"sound_start_ms", "sound_end_ms", "sound_insert_ms"}
    assert (late["verdict"], late["plan"]) == ("fail", None)
    assert {problem["verdict"] for problem in late["problems"]} <= {"fail", "unknown"}
    assert world.stats["requests"].keys() <= {"media"}


def test_check_as_a_table(line: Line, shared: World) -> None:
    """The table has a row for each job and says below it what is wrong; the sums are on stderr."""
    ended = line("check", rows(line, shared), "--base-url", shared.url)
    assert re.search(r"^late +fail", ended.out, re.MULTILINE)
    assert re.search(r"^    fail: .*7000", ended.out, re.MULTILINE)
    assert "at most 1.05 units" in ended.err
    assert "at 5 running tasks" in ended.err


def test_check_says_where_doubt_is_possible(line: Line, world: World) -> None:
    """A gateway that can show neither lists nor external ids is named as such before anything is sent."""
    shown = line("check", rows(line, world), "--base-url", world.url)
    hidden = line("check", rows(line, world), "--gateway", "chainhub", "--base-url", world.url)
    assert "stays in doubt" not in shown.err
    assert "should the answer to a create get lost, its job stays in doubt" in hidden.err


def test_check_takes_off_what_is_paid(line: Line, world: World) -> None:
    """What the journal has paid already is not counted again."""
    path = line.jobs(world, 3)
    line.run(world, path, "--limit", "1")
    ended = line("check", path, "--base-url", world.url)
    assert ended.status == 0
    assert "at most 3.15 units, 2.1 units of them still to be paid" in ended.err


def test_prices_can_be_given(line: Line, shared: World) -> None:
    """A gateway's own prices come from a file, in TOML or in JSON."""
    path = line.jobs(shared, 1)
    (line.folder / "prices.toml").write_text("lip_sync = 1\nidentify = 0")
    (line.folder / "prices.json").write_text('{"lip_sync": "1", "identify": 0}')
    for name in ("prices.toml", "prices.json"):
        (row,) = line("check", path, "--json", "--base-url", shared.url, "--prices", name).lines
        assert row["worst_case_units"] == 2


def test_status(line: Line, world: World) -> None:
    """A journal in numbers, as text and as one JSON object."""
    line.run(world, rows(line, world))
    (told,) = line("status", "jobs.csv.journal", "--json").lines
    assert told["jobs"] == {"succeeded": 1, "failed": 0, "invalid": 1, "in_doubt": 0, "running": 0, "not_started": 0}
    spent = Decimal(str(told["units_spent"]))
    assert (spent, told["units_reserved"], told["running_tasks"]) == (Decimal("1.05"), 0, 0)
    text = line("status", "jobs.csv.journal").out
    assert "2 jobs" in text
    assert "spent 1.05 units, reserved 0 units, in doubt 0 units" in text


class _Page(HTMLParser):
    """Collects what a page shows, and refuses what would fetch or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe")
        self.images += [value or "" for name, value in attrs if tag == "img" and name == "src"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_faces_and_their_sheet(line: Line, world: World) -> None:
    """Each video's faces are found once; the sheet holds their pictures and needs nothing else."""
    path = line.manifest(
        "key,video_url,audio_id\n"
        + "".join(f"{n},{world.media('two-faces.mp4')}?signature={n},s\n" for n in range(3))
        + f"x,{world.media('one-face.mp4')},s\n"
    )
    ended = line("faces", path, "--sheet", "faces.html", "--base-url", world.url)
    assert ended.status == 0
    assert [row.split()[1] for row in ended.out.splitlines()[1:]] == ["index:0", "index:1", "index:0"]
    page = _Page()
    page.feed((line.folder / "faces.html").read_text())
    assert len(page.images) == 3
    assert all(image.startswith("data:image/jpeg;base64,") for image in page.images)
    assert "4000\N{EN DASH}12020 ms" in page.text
    again = line("faces", path, "--base-url", world.url)
    assert again.out == ended.out
    assert world.stats["requests"]["identify"] == 2


def test_faces_of_a_video_that_cannot_be_fetched(line: Line, world: World) -> None:
    """A video that Kling refuses is a row without a face and a line on stderr; the sheet shows it: status 1."""
    ended = line("faces", "--video", world.media("none<b>.mp4"), "--sheet", "f.html", "--base-url", world.url)
    assert ended.status == 1
    assert "none" in ended.out.splitlines()[1]
    assert "1201" in ended.err
    assert "<b>" not in (line.folder / "f.html").read_text()


def test_faces_with_an_account_fault(line: Line, world: World) -> None:
    """An account fault ends the look at once: status 3."""
    world.sandbox.faults.add_json({"kind": "1102", "endpoint": "identify"})
    ended = line("faces", line.jobs(world, 1), "--base-url", world.url)
    assert ended.status == 3
    assert "1102" in ended.err


def test_the_demo(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo needs no account, ignores the environment's, and ends as expected, as often as it is run."""
    monkeypatch.setenv("KLING_BASE_URL", "https://example.com")
    monkeypatch.delenv("KLING_API_KEY")
    monkeypatch.setattr(demo_command, "_SPEED", 1000.0)
    monkeypatch.setattr(demo_command, "_SLOTS", 9)
    first = line("demo")
    assert first.status == 0, first.out + first.err
    assert re.search(r"^too-late +invalid", first.out, re.MULTILINE)
    assert "give sound_insert_ms <= " in first.out
    videos = sorted((line.folder / "demo-out").glob("*.mp4"))
    assert len(videos) == 6
    for video in videos:
        with av.open(video) as opened:
            assert {stream.type for stream in opened.streams} == {"video", "audio"}
    assert f"the report is {Path('demo-out', 'report.html')}" in first.out
    page = _Page()
    page.feed((line.folder / "demo-out" / "report.html").read_text())
    assert "7 jobs" in page.text
    assert "too-late" in page.text
    second = line("demo", "--quiet")
    assert (second.status, second.err) == (0, "")
    assert len(list((line.folder / "demo-out" / "run-2").glob("*.mp4"))) == 6


def test_a_demo_that_surprises(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outcome that is not the expected one is named, with status 1."""
    monkeypatch.setattr(demo_command, "_SPEED", 1000.0)
    examples = demo_command._examples

    def surprising(url: str, samples: Path) -> list[demo_command._Example]:
        first, *_, last = examples(url, samples)
        return [evolve(first, job=evolve(first.job, face="index:9")), last]

    monkeypatch.setattr(demo_command, "_examples", surprising)
    ended = line("demo")
    assert ended.status == 1
    assert ended.err.splitlines()[-1] == "kling-lipsync: not as expected: first"


def test_the_sandbox_as_a_server(tmp_path: Path) -> None:
    """The first line of stdout is the address; it serves until it is interrupted, with status 130."""
    (tmp_path / "own.txt").write_text("hello")
    with process(tmp_path, "sandbox", "--port", "0", "--media", ".", "--api-key", "k") as started:
        assert started.stdout is not None
        assert started.stderr is not None
        url = started.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/media/own.txt", timeout=10) as answer:  # noqa: S310 - our own server
            assert answer.read() == b"hello"
        started.send_signal(signal.SIGINT)
        assert started.wait(30) == 130
        assert started.stdout.read() == ""
        assert "Traceback" not in started.stderr.read()


def test_a_port_that_is_taken(line: Line, shared: World) -> None:
    """An address that is in use is told with status 2."""
    port = shared.url.rpartition(":")[2]
    ended = line("sandbox", "--port", port)
    assert (ended.status, ended.out) == (2, "")
    assert f"127.0.0.1:{port} cannot be listened on" in ended.err
