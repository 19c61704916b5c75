"""What earlier runs have done is found out once, before anything is sent; what is finished gets no turn again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kling_lipsync.coordinator import Coordinator
from kling_lipsync.events import Outcome
from kling_lipsync.manifest import ResultsFile

from .driving import SAMPLES, Line, World, fault
from .test_run import results


@pytest.fixture
def appended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that were appended to results."""
    keys: list[str] = []
    append = ResultsFile.append

    def watched(self: ResultsFile, outcome: Outcome) -> None:
        keys.append(outcome.key)
        append(self, outcome)

    monkeypatch.setattr(ResultsFile, "append", watched)
    return keys


def test_a_job_that_did_not_change_is_not_appended_again(line: Line, world: World, appended: list[str]) -> None:
    """Finished jobs stand in the results from the start; those that ended in this run alone are added."""
    path = line.jobs(world, 2)
    assert line.run(world, path, "--results", "r.jsonl").status == 0
    assert sorted(appended) == ["k0", "k1"]
    before = results(Path("r.jsonl"))
    line.jobs(world, 3)
    ended = line.run(world, path, "--results", "r.jsonl")
    assert ended.status == 0
    assert ended.err.splitlines()[-1].startswith("kling-lipsync: 3/3 jobs, 3 succeeded")
    assert appended[2:] == ["k2"]
    after = results(Path("r.jsonl"))
    assert after.keys() == {"k0", "k1", "k2"}
    for key in before:
        seconds = after[key].pop("elapsed_s"), before[key].pop("elapsed_s")
        assert seconds[0] == pytest.approx(seconds[1], abs=0.1)
        assert after[key] == before[key]


def test_finished_jobs_are_not_handed_over(line: Line, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs that get a turn are those that need one."""
    path = line.jobs(world, 4)
    assert line.run(world, path, "--only", "k1", "--only", "k2").status == 0
    given: list[str] = []
    as_completed = Coordinator.as_completed

    def watched(self: Coordinator, jobs: object) -> object:
        taken = list(jobs)  # type: ignore[call-overload]
        given.extend(job.key for job in taken)
        return as_completed(self, taken)

    monkeypatch.setattr(Coordinator, "as_completed", watched)
    assert line.run(world, path, "--limit", "3").status == 0
    assert given == ["k0"]
    assert line.run(world, path).status == 0
    assert given == ["k0", "k3"]
    assert line.run(world, path).status == 0
    assert given == ["k0", "k3"]


def test_columns_that_are_passed_through_are_those_of_now(line: Line, world: World) -> None:
    """A finished job's line has the meta columns as the manifest has them, not as they were when it was paid; so it is
    for jobs that are not chosen.
    """
    rows = [f"{key},{world.media('one-face.mp4')},{SAMPLES / 'speech.wav'}" for key in ("a", "b")]
    path = line.manifest("key,video_url,audio_file,meta_take\n" + "".join(f"{row},1\n" for row in rows))
    assert line.run(world, path).status == 0
    path.write_text(path.read_text().replace(",1\n", ",2\n"))
    assert line.run(world, path, "--only", "a", "--results", "r.jsonl").status == 0
    assert [row["meta"] for row in results(Path("r.jsonl")).values()] == [{"take": "2"}, {"take": "2"}]
    assert world.stats["tasks"] == 2


def test_a_run_that_dies_leaves_a_whole_view(line: Line, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first job ends, the file has a line already for each job that was begun before, and no other is left
    beside it.
    """
    path = line.jobs(world, 2)
    assert line.run(world, path).status == 0
    line.jobs(world, 3)
    found: list[object] = []
    append = ResultsFile.append

    def watched(self: ResultsFile, outcome: Outcome) -> None:
        found.append((set(results(self.path)), [entry.name for entry in line.folder.glob("*r.jsonl*")]))
        append(self, outcome)

    monkeypatch.setattr(ResultsFile, "append", watched)
    assert line.run(world, path, "--results", "r.jsonl").status == 0
    assert found == [({"k0", "k1"}, ["r.jsonl"])]


def test_a_changed_job_leaves_the_results_as_they_were(line: Line, world: World) -> None:
    """A refused manifest replaces nothing, and a change of a job that is not chosen does not matter."""
    path = line.jobs(world)
    assert line.run(world, path, "--results", "r.jsonl").status == 0
    before = Path("r.jsonl").read_bytes()
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], lines[2].replace("speech.wav", "speech.mp3")]))
    assert line.run(world, path, "--results", "r.jsonl").status == 2
    assert Path("r.jsonl").read_bytes() == before
    assert line.run(world, path, "--results", "r.jsonl", "--only", "k0").status == 0


def test_a_result_that_was_not_fetched_is_told_of_again(line: Line, world: World) -> None:
    """Without a folder for it, too: the job is done, and is still told as not fetched."""
    path = line.jobs(world, 1)
    fault(world, "502", "results")
    assert line.run(world, path, "--download", "out").status == 1
    ended = line.run(world, path, "--results", "r.jsonl")
    assert ended.status == 1
    assert "job 'k0': succeeded, but not fetched: " in ended.err
    assert results(Path("r.jsonl"))["k0"]["error"] is not None


def test_one_job_lists_all_of_its_journal(line: Line, world: World) -> None:
    """The results of single jobs on one journal have them all."""
    one = ("run", "--video", world.media("one-face.mp4"), "--base-url", world.url, "--journal", "j", "--results", "r")
    for sound in ("speech.wav", "speech.mp3"):
        assert line(*one, "--audio", SAMPLES / sound, "-o", f"{sound}.mp4", "--poll-interval", "0.1").status == 0
    assert [json.loads(row)["status"] for row in Path("r").read_text().splitlines()] == ["succeeded"] * 2
