from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from kling_lipsync._journal import plain_outcome
from kling_lipsync.errors import ConfigurationError, ErrorRecord
from kling_lipsync.events import Outcome
from kling_lipsync.manifest import Plain, ResultsFile
from kling_lipsync.models import Face, Interval, Plan, Problem, Status, Task, TaskStatus, Verdict

pytestmark = pytest.mark.anyio


async def of(outcomes: Iterable[Outcome] = ()) -> AsyncIterator[Plain]:
    """The outcomes that a journal would give."""
    for outcome in outcomes:
        yield plain_outcome(outcome)


def names(folder: Path) -> list[str]:
    """The files of a folder."""
    return [entry.name for entry in folder.iterdir()]


def lines(path: Path) -> list[dict[str, object]]:
    """The file's lines, read."""
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_every_field_of_a_line(tmp_path: Path) -> None:
    """A line has exactly the documented names, in their order, with numbers as numbers."""
    task = Task(
        task_id="t1",
        status=TaskStatus.SUCCEED,
        video_url="https://x/r.mp4",
        watermark_url="https://x/w.mp4",
        video_duration_ms=8000,
    )
    outcome = Outcome(
        key="ä",
        status=Status.SUCCEEDED,
        attempts=2,
        task=task,
        task_id="t1",
        external_task_id="k-1",
        face=Face(face_id="0", interval=Interval(0, 8000)),
        plan=Plan(0, 4000, 500),
        file=Path("out/a.mp4"),
        elapsed=12.5,
        units=Decimal("1.05"),
        meta={"take": "7"},
    )
    path = tmp_path / "results.jsonl"
    async with ResultsFile(path, of()) as results:
        results.append(outcome)
        assert path.read_text() == (
            '{"key": "ä", "status": "succeeded", "attempts": 2, "task_id": "t1", "external_task_id": "k-1", '
            '"face_id": "0", "plan": {"sound_start_ms": 0, "sound_end_ms": 4000, "sound_insert_ms": 500}, '
            '"video_url": "https://x/r.mp4", "watermark_url": "https://x/w.mp4", "file": "out/a.mp4", '
            '"video_duration_ms": 8000, "elapsed_s": 12.5, "units": 1.05, "units_in_doubt": 0, '
            '"meta": {"take": "7"}, "error": null}\n'
        )


async def test_an_error_with_its_problems(tmp_path: Path) -> None:
    """A refused job's line says what is wrong, rule by rule."""
    record = ErrorRecord(
        type="InvalidJob",
        message="the sound is too short",
        problems=(Problem("sound-length", "1200 ms, at least 2000 ms", Verdict.FAIL),),
    )
    path = tmp_path / "results.jsonl"
    async with ResultsFile(path, of()) as results:
        results.append(Outcome(key="a", status=Status.INVALID, record=record))
    (line,) = lines(path)
    assert line["plan"] is None
    assert line["error"] == {
        "type": "InvalidJob",
        "code": None,
        "message": "the sound is too short",
        "request_id": None,
        "problems": [{"rule": "sound-length", "verdict": "fail", "message": "1200 ms, at least 2000 ms"}],
    }


async def test_rebuilt_appended_compacted(tmp_path: Path) -> None:
    """The file starts as the journal stands, grows as jobs end, and has one line for each job in the end."""
    path = tmp_path / "results.jsonl"
    path.write_text('{"key": "old", "status": "running"}\n')
    before = [
        Outcome(key="a", status=Status.RUNNING),
        Outcome(key="b", status=Status.SUCCEEDED),
        Outcome(key="c", status=Status.NOT_STARTED),
    ]
    async with ResultsFile(path, of(before)) as results:
        assert [line["key"] for line in lines(path)] == ["a", "b"]
        results.append(Outcome(key="a", status=Status.SUCCEEDED))
        results.append(Outcome(key="c", status=Status.NOT_STARTED))
        assert [(line["key"], line["status"]) for line in lines(path)] == [
            ("a", "running"),
            ("b", "succeeded"),
            ("a", "succeeded"),
        ]
    assert [(line["key"], line["status"]) for line in lines(path)] == [("b", "succeeded"), ("a", "succeeded")]
    assert names(tmp_path) == ["results.jsonl"]


async def test_what_has_not_grown_is_not_written_again(tmp_path: Path) -> None:
    """Where no job ended, the file is left as it was rebuilt; one appended line has it compacted."""
    path = tmp_path / "results.jsonl"
    before = [Outcome(key="a", status=Status.RUNNING), Outcome(key="b", status=Status.SUCCEEDED)]
    async with ResultsFile(path, of(before)) as results:
        rebuilt = path.stat().st_ino
        results.append(Outcome(key="c", status=Status.NOT_STARTED))
    assert path.stat().st_ino == rebuilt
    async with ResultsFile(path, of(before)) as results:
        results.append(Outcome(key="a", status=Status.RUNNING))
    assert [line["key"] for line in lines(path)] == ["b", "a"]


async def test_a_line_is_the_same_rebuilt_and_appended(tmp_path: Path) -> None:
    """Whether a job ended in this run or in an earlier one makes no difference to its line."""
    record = ErrorRecord(type="TaskFailed", message="no", code=7, request_id="r", problems=(Problem("rule", "why"),))
    task = Task(task_id="t", status=TaskStatus.FAILED, message="no")
    outcome = Outcome(key="a", status=Status.FAILED, task=task, units_in_doubt=Decimal("1E+1"), record=record)
    rebuilt, appended = tmp_path / "rebuilt.jsonl", tmp_path / "appended.jsonl"
    async with ResultsFile(rebuilt, of([outcome])):
        pass
    async with ResultsFile(appended, of()) as results:
        results.append(outcome)
    assert rebuilt.read_text() == appended.read_text()
    (line,) = lines(rebuilt)
    assert (line["units"], line["units_in_doubt"], line["meta"]) == (0, 10, {})
    assert line["error"] == {
        "type": "TaskFailed",
        "code": 7,
        "message": "no",
        "request_id": "r",
        "problems": [{"rule": "rule", "verdict": "fail", "message": "why"}],
    }


async def test_lines_stand_when_the_run_breaks_off(tmp_path: Path) -> None:
    """What was appended before an error is still there."""
    path = tmp_path / "results.jsonl"

    async def run() -> None:
        async with ResultsFile(path, of()) as results:
            results.append(Outcome(key="a", status=Status.SUCCEEDED))
            raise RuntimeError("broken off")

    with pytest.raises(RuntimeError, match="broken off"):
        await run()
    assert [line["key"] for line in lines(path)] == ["a"]


async def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    """Naming the manifest as the results' file by mistake does not destroy it."""
    path = tmp_path / "jobs.csv"
    path.write_text("key,video_url\n")
    with pytest.raises(ConfigurationError, match="holds no results"):
        async with ResultsFile(path, of()):
            pass
    assert path.read_text() == "key,video_url\n"


async def test_a_manifest_in_jsonl_is_left_alone(tmp_path: Path) -> None:
    """A manifest's line begins with a key too, and is told from a result."""
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"key": "a", "video_url": "https://x/v"}\n')
    with pytest.raises(ConfigurationError, match="holds no results"):
        async with ResultsFile(path, of()):
            pass
    assert "video_url" in path.read_text()


async def test_a_broken_rebuild_leaves_the_old_file(tmp_path: Path) -> None:
    """Results are replaced whole or not at all."""

    async def breaks() -> AsyncIterator[Plain]:
        yield {"key": "new", "status": "succeeded"}
        raise RuntimeError("the journal failed")

    path = tmp_path / "results.jsonl"
    async with ResultsFile(path, of([Outcome(key="old", status=Status.SUCCEEDED)])):
        pass
    with pytest.raises(RuntimeError, match="the journal failed"):
        async with ResultsFile(path, breaks()):
            pass
    assert [line["key"] for line in lines(path)] == ["old"]
    assert names(tmp_path) == ["results.jsonl"]


async def test_no_such_folder(tmp_path: Path) -> None:
    """A results file that cannot be written is told before anything runs."""
    with pytest.raises(ConfigurationError, match="cannot be written"):
        async with ResultsFile(tmp_path / "none" / "results.jsonl", of()):
            pass


async def test_half_a_line_is_dropped(tmp_path: Path) -> None:
    """What a full disk left of a line, in the middle of a character at that, does not keep the rest from its place."""
    path = tmp_path / "results.jsonl"
    async with ResultsFile(path, of()) as results:
        results.append(Outcome(key="a", status=Status.RUNNING))
        with path.open("ab") as file:
            file.write('{"key": "ä'.encode()[:-1] + b"\n")
        results.append(Outcome(key="a", status=Status.SUCCEEDED))
    assert [(line["key"], line["status"]) for line in lines(path)] == [("a", "succeeded")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
async def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """A line that finds no room is told as what it is, when the file is closed as well."""
    path = tmp_path / "results.jsonl"
    results = ResultsFile(path, of())
    await results.__aenter__()
    assert results._file is not None
    results._file.close()
    path.unlink()
    path.symlink_to("/dev/full")
    results._file = path.open("a", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be written: No space left"):
        results.append(Outcome(key="a", status=Status.SUCCEEDED))
    with pytest.raises(ConfigurationError, match="cannot be written: No space left"):
        await results.__aexit__(None, None, None)
