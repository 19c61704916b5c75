from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from kling_lipsync._report import BEGINNING

from ..report.telling import Page
from .driving import SAMPLES, Line, World, fault, process, served


def read(path: Path) -> Page:
    """A page from a file."""
    return Page(path.read_text("ascii"))


def test_a_batch_in_which_everything_happened(line: Line) -> None:
    """One page beside the journal: jobs, units, a bar for each task, and what to do about the rest."""
    (line.folder / "blind.toml").write_text('base_url = "https://x"\n[prices]\nlip_sync = 0.5\n')
    with served(find_external_ids=False) as world:
        late = f"late,{world.media('one-face.mp4')},{SAMPLES / 'speech.wav'},7000\n"
        fine = "".join(f"k{n},{world.media('one-face.mp4')},{SAMPLES / 'speech.wav'},\n" for n in range(4))
        path = line.manifest(f"key,video_url,audio_file,sound_insert_ms\n{late}{fine}")
        fault(world, "drop", "create", when="before", count=1)
        fault(world, "stuck", "create", count=1)
        fault(world, "fail", "create", count=1, message=f"<i>no</i> {world.media('x.mp4')}?sig=1234")
        fault(world, "502", "results")
        run = line.run(world, path, "--gateway", "blind.toml", "--task-timeout", "3", "--download", "out")
        assert run.status == 4
    before = (line.folder / "jobs.csv.journal").read_bytes()
    ended = line("report", "jobs.csv.journal")
    assert (ended.status, ended.out, ended.err) == (0, "jobs.csv.journal.html\n", "")
    assert (line.folder / "jobs.csv.journal").read_bytes() == before
    page = read(line.folder / "jobs.csv.journal.html")
    assert sorted(bar.attributes["class"] for bar in page.all("rect")) == [
        *("failed", "in_doubt", "running", "succeeded"),
    ]
    assert page.all("h2")[0].words == "5 jobs"
    assert [mark.attributes["class"] for mark in page.all("i")][-5:] == [
        *("in_doubt", "failed", "succeeded", "invalid", "running"),
    ]
    words = [cell.words for cell in page.all("td")]
    whys, nexts = words[2::4], words[3::4]
    assert "--retry-in-doubt" in nexts[0]
    assert "--retry-failed" in nexts[1]
    assert "--download" in nexts[2]
    assert whys[1].startswith("the task failed: <i>no</i> http://127.0.0.1:")
    assert "give sound_insert_ms <= " in whys[3]
    assert not any("sig=1234" in element.words for element in page.elements)
    assert "<i>no</i>" not in (line.folder / "jobs.csv.journal.html").read_text()
    assert world.url not in page.text.replace(f"{world.url}/\N{HORIZONTAL ELLIPSIS}", "")


def test_a_run_that_is_at_work(line: Line) -> None:
    """The page of a journal in use says so, shows what runs as running, and disturbs nothing."""
    with served(task_seconds=2000.0) as world:
        path = line.jobs(world, 2)
        with process(line.folder, "run", path, "--base-url", world.url, "-v", KLING_API_KEY="secret-key") as started:
            assert started.stderr is not None
            for _ in range(2):
                next(text for text in started.stderr if "TaskCreated" in text)
            assert line("report", "jobs.csv.journal", "-o", "now.html").status == 0
    page = read(line.folder / "now.html")
    assert "UTC, still at work" in page.text
    assert [bar.attributes["class"] for bar in page.all("rect")] == ["running", "running"]
    assert not page.all("table")


def test_where_the_page_goes(line: Line, world: World) -> None:
    """To stdout, to a file of any name; an older page gives way, and nothing is left beside it."""
    line.run(world, line.jobs(world, 1))
    shown = line("report", "jobs.csv.journal", "-o", "-")
    assert shown.status == 0
    assert not list(line.folder.glob("*.html"))
    assert Page(shown.out).all("rect")
    (line.folder / "r.html").write_text(f"{BEGINNING} of yesterday")
    for _ in range(2):
        told = line("report", "jobs.csv.journal", "--output", "r.html")
        assert (told.status, told.out) == (0, "r.html\n")
    assert (line.folder / "r.html").read_text() == shown.out
    assert sorted(each.name for each in line.folder.iterdir() if each.name.startswith(".")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
def test_no_other_file_is_written_over(line: Line, world: World) -> None:
    """A manifest, the journal itself, a pipe, a folder: refused in one line, and left as they are."""
    path = line.jobs(world, 1)
    line.run(world, path)
    kept = {each: each.read_bytes() for each in (path, line.folder / "jobs.csv.journal")}
    os.mkfifo("pipe")
    for place in ("jobs.csv", "jobs.csv.journal", "pipe"):
        ended = line("report", "jobs.csv.journal", "-o", place)
        assert (ended.status, ended.out) == (2, "")
        assert f"--output {place}: it holds something else: name another file" in ended.err
        assert ended.err.count("\n") == 1
    assert {each: each.read_bytes() for each in kept} == kept
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)
    for place, told in ((".", "it is a folder: name a file"), ("none/r.html", "there is no folder none")):
        ended = line("report", "jobs.csv.journal", "-o", place)
        assert (ended.status, ended.out) == (2, "")
        assert told in ended.err


@pytest.mark.parametrize(
    ("journal", "told"),
    [("none.journal", "there is no journal"), ("jobs.csv", "jobs.csv"), ("none/x", "there is no folder")],
)
def test_what_is_no_journal(line: Line, journal: str, told: str) -> None:
    """Status 2 and one line; no page is made."""
    line.manifest("key,video_url\n")
    ended = line("report", journal)
    assert (ended.status, ended.out) == (2, "")
    assert told in ended.err
    assert ended.err.count("\n") == 1
    assert [each.name for each in line.folder.iterdir()] == ["jobs.csv"]


def test_a_disk_that_refuses(line: Line, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that cannot be written whole is not there at all, and an older one stays."""
    line.run(world, line.jobs(world, 1))
    old = f"{BEGINNING} of yesterday"
    (line.folder / "r.html").write_text(old)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    ended = line("report", "jobs.csv.journal", "-o", "r.html")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == "kling-lipsync: --output r.html: No space left on device\n"
    assert (line.folder / "r.html").read_text() == old
    assert not list(line.folder.glob(".r.html*"))
