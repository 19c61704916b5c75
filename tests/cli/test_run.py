from __future__ import annotations

import json
import shlex
import signal
import sqlite3
from pathlib import Path

import pytest

from .driving import SAMPLES, Line, World, fault, process, served


def results(path: Path) -> dict[str, dict[str, object]]:
    """The results by key; a key stands there once."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({line["key"] for line in lines}) == len(lines)
    return {line["key"]: line for line in lines}


def test_a_batch_from_beginning_to_end(line: Line, shared: World) -> None:
    """All succeed: status 0, results and files are there, stdout is empty, stderr begins with the journal's state."""
    ended = line.run(shared, line.jobs(shared), "--results", "r.jsonl", "--download", "out")
    assert (ended.status, ended.out) == (0, "")
    assert ended.err.splitlines()[0].endswith("jobs.csv.journal: new")
    assert ended.err.splitlines()[-1].startswith("kling-lipsync: 2/2 jobs, 2 succeeded, 0 slots held, 2.05 units")
    kept = results(line.folder / "r.jsonl")
    assert kept.keys() == {"k0", "k1"}
    assert all(Path(str(row["file"])).stat().st_size > 10_000 for row in kept.values())
    assert sorted(path.name for path in (line.folder / "out").iterdir()) == ["k0.mp4", "k1.mp4"]


def test_running_again_touches_nothing_that_is_done(line: Line, world: World) -> None:
    """A second run buys nothing, says how far it is, and writes the same results."""
    path = line.jobs(world)
    line.run(world, path, "--results", "r.jsonl")
    bought = world.stats["tasks"]
    again = line.run(world, path, "--results", "again.jsonl")
    assert again.status == 0
    assert again.err.splitlines()[0].endswith("jobs.csv.journal: 2 succeeded, 2.05 units spent")
    assert world.stats["tasks"] == bought == 2
    assert results(line.folder / "again.jsonl").keys() == {"k0", "k1"}


def test_results_are_fetched_by_a_later_run(line: Line, world: World) -> None:
    """A folder given afterwards gets the files of jobs that ended before, and nothing is bought again."""
    path = line.jobs(world)
    assert line.run(world, path).status == 0
    assert line.run(world, path, "--download", "out").status == 0
    assert len(list((line.folder / "out").iterdir())) == 2
    assert world.stats["tasks"] == 2


def test_some_that_do_not_succeed(line: Line, shared: World) -> None:
    """A refused job is one line on stderr and status 1; the others are run."""
    path = line.manifest(
        "key,video_url,audio_file\n"
        f"good,{shared.media('one-face.mp4')},{SAMPLES / 'speech.wav'}\n"
        f"bad,{shared.media('one-face.mp4')},{SAMPLES / 'short.wav'}\n"
        f"gone,{shared.media('one-face.mp4')},none.wav\n"
    )
    ended = line.run(shared, path, "--results", "r.jsonl")
    assert ended.status == 1
    assert "kling-lipsync: job 'bad': invalid: " in ended.err
    assert "kling-lipsync: job 'gone': invalid: there is no file" in ended.err
    kept = results(line.folder / "r.jsonl")
    assert {key: row["status"] for key, row in kept.items()} == {
        "good": "succeeded",
        "bad": "invalid",
        "gone": "invalid",
    }


def test_limit_and_only(line: Line, world: World) -> None:
    """A part of the manifest can be run by number and by key; the results show what the journal has of all of it."""
    path = line.jobs(world, 4)
    assert line.run(world, path, "--limit", "1").status == 0
    ended = line.run(world, path, "--only", "k2", "--only", "k3", "--results", "r.jsonl")
    assert ended.status == 0
    assert "2/2 jobs" in ended.err
    assert results(line.folder / "r.jsonl").keys() == {"k0", "k2", "k3"}
    assert world.stats["tasks"] == 3


def test_a_changed_job_is_refused_before_anything_is_sent(line: Line, world: World) -> None:
    """A key that comes back with another sound after it was paid is listed: status 2."""
    path = line.jobs(world)
    line.run(world, path)
    requests = world.stats["requests"]
    path.write_text(path.read_text().replace("speech.wav", "speech.mp3"))
    ended = line.run(world, path, "--results", "r.jsonl")
    assert ended.status == 2
    assert "2 jobs are running, in doubt or done" in ended.err
    assert "'k0', 'k1'" in ended.err
    assert world.stats["requests"] == requests
    assert not (line.folder / "r.jsonl").exists()


def test_an_account_fault_stops_the_batch(line: Line, world: World) -> None:
    """An empty pack stops everything at once, with status 3 and the reason."""
    fault(world, "1102", "create")
    ended = line.run(world, line.jobs(world, 30))
    assert ended.status == 3
    assert "kling-lipsync: stopped: " in ended.err
    assert "code 1102" in ended.err
    assert world.stats["tasks"] == 0


def test_the_budget_stops_the_batch(line: Line, world: World) -> None:
    """No task is bought that the budget might not pay, in the journal's whole life."""
    path = line.jobs(world, 4)
    ended = line.run(world, path, "--budget", "2.1")
    assert ended.status == 3
    assert world.stats["tasks"] == 2
    assert line.run(world, path, "--budget", "2.1").status == 3
    assert world.stats["tasks"] == 2


def test_too_many_failures_stop_the_batch(line: Line, world: World) -> None:
    """The batch is left alone after as many failures as were allowed."""
    fault(world, "fail", "create", message="no good")
    ended = line.run(world, line.jobs(world, 30), "--max-failures", "2", "--running-tasks", "1")
    assert ended.status == 3
    assert "no good" in ended.err
    assert world.stats["tasks"] < 30


def test_failed_jobs_are_tried_again_when_asked(line: Line, world: World) -> None:
    """A failure stays one until --retry-failed, which makes a second attempt."""
    fault(world, "fail", "create", message="no good", count=1)
    path = line.jobs(world, 1)
    assert line.run(world, path).status == 1
    assert line.run(world, path).status == 1
    assert world.stats["tasks"] == 1
    assert line.run(world, path, "--retry-failed", "--results", "r.jsonl").status == 0
    assert results(line.folder / "r.jsonl")["k0"]["attempts"] == 2


def test_jobs_in_doubt(line: Line) -> None:
    """Where nobody can tell whether a task was made: status 4 and the units in doubt, until it is decided."""
    (line.folder / "blind.toml").write_text('base_url = "https://x"\n[prices]\nlip_sync = 0.5\n')
    with served(find_external_ids=False, duplicates="refuse") as world:
        fault(world, "drop", "create", when="before", count=1)
        path = line.jobs(world, 1)
        first = line.run(world, path, "--gateway", "blind.toml", "--results", "r.jsonl")
        assert first.status == 4
        assert results(line.folder / "r.jsonl")["k0"]["units_in_doubt"] == 1
        told = line("status", "jobs.csv.journal", "--json").lines[0]
        assert (told["jobs"]["in_doubt"], told["units_in_doubt"]) == (1, 1)
        assert line.run(world, path, "--gateway", "blind.toml").status == 4
        assert world.stats["tasks"] == 0
        decided = line.run(world, path, "--gateway", "blind.toml", "--retry-in-doubt")
        assert decided.status == 0
        assert ", 0 slots held, " in decided.err.splitlines()[-1]
        assert world.stats["tasks"] == 1


def test_a_download_that_fails_is_not_success(line: Line, world: World) -> None:
    """A result that is paid but not fetched makes status 1, and the next run fetches it."""
    rule = fault(world, "502", "results")
    path = line.jobs(world, 1)
    first = line.run(world, path, "--download", "out")
    assert first.status == 1
    assert "1 not fetched" in first.err
    rule.count = 0
    assert line.run(world, path, "--download", "out").status == 0
    assert world.stats["tasks"] == 1


def test_a_wait_that_ends_leaves_the_job_running(line: Line, world: World) -> None:
    """After the task's time limit the job is running, not failed, and goes on with the next run."""
    world.sandbox.faults.clear()
    rule = fault(world, "stuck", "create", count=1)
    path = line.jobs(world, 1)
    ended = line.run(world, path, "--task-timeout", "0.5", "--results", "r.jsonl")
    assert ended.status == 1
    assert results(line.folder / "r.jsonl")["k0"]["status"] == "running"
    assert rule.struck == 1


def test_a_journal_of_another_kind_is_left_alone(line: Line, world: World) -> None:
    """A file that is no journal is told with status 2, and stays as it is."""
    path = line.jobs(world)
    before = path.read_bytes()
    assert line.run(world, path, "--journal", "jobs.csv").status == 2
    assert path.read_bytes() == before


def test_a_journal_that_breaks_stops_the_batch(line: Line, world: World) -> None:
    """Once jobs were begun, a journal that cannot be written any more is a stop, not a wrong configuration."""
    path = line.jobs(world, 30)
    assert line.run(world, path, "--limit", "1").status == 0
    with sqlite3.connect("jobs.csv.journal") as connection:
        connection.execute("create trigger broken before insert on events begin select raise(abort, 'broken'); end")
    connection.close()
    ended = line.run(world, path)
    assert ended.status == 3
    assert "kling-lipsync: stopped: " in ended.err
    assert world.stats["tasks"] == 1


def test_the_log_goes_where_it_is_wanted(line: Line, world: World) -> None:
    """-v tells each fact on stderr, --log-file keeps all of it, --quiet leaves stderr empty."""
    path = line.jobs(world, 1)
    loud = line.run(world, path, "-v", "--log-file", "log.txt")
    assert "INFO job k0: TaskEnded" in loud.err
    assert "INFO job k0: TaskEnded" in (line.folder / "log.txt").read_text()
    assert line.run(world, path, "--quiet").err == ""


@pytest.mark.parametrize("mode", ["bars", "lines", "none"])
def test_progress_stays_off_stdout(line: Line, shared: World, mode: str) -> None:
    """However progress is shown, it is on stderr."""
    ended = line.run(shared, line.jobs(shared, 2), "--progress", mode)
    assert (ended.status, ended.out) == (0, "")
    assert ("\N{BOX DRAWINGS HEAVY HORIZONTAL}" in ended.err) is (mode == "bars")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_and_gone_on_with(line: Line, number: signal.Signals, status: int) -> None:
    """Ctrl-C and SIGTERM leave a journal and results that the printed command goes on with; nothing is paid twice."""
    with served(task_seconds=2000.0) as world:
        path = line.jobs(world, 3)
        command = ["run", path, "--base-url", world.url, "--results", "r.jsonl", "--poll-interval", "0.1", "-v"]
        with process(line.folder, *command, KLING_API_KEY="k") as started:
            assert started.stderr is not None
            told = next(text for text in started.stderr if "TaskCreated" in text)
            started.send_signal(number)
            told = started.stderr.read()
            assert started.wait(30) == status
        resume = told.splitlines()[-1]
        assert resume.startswith("kling-lipsync: to go on: kling-lipsync run ")
        assert "Traceback" not in told
        with process(line.folder, *shlex.split(resume)[5:], KLING_API_KEY="k") as again:
            _, told = again.communicate(timeout=60)
        assert again.returncode == 0, told
        assert results(line.folder / "r.jsonl").keys() == {"k0", "k1", "k2"}
        assert world.stats["tasks"] == 3
        assert world.stats["bought_twice"] == []


def test_a_manifest_that_an_earlier_process_is_running(line: Line) -> None:
    """A second run of a running manifest waits for the first one's jobs, and ends with them; each is bought once."""
    with served(task_seconds=3_000.0) as world:
        path = line.jobs(world, 2)
        with process(line.folder, "run", path, "--base-url", world.url, "-v", KLING_API_KEY="secret-key") as started:
            assert started.stderr is not None
            next(text for text in started.stderr if "TaskCreated" in text)
            assert line("status", "jobs.csv.journal", "--json").lines[0]["running_tasks"] >= 1
            ended = line.run(world, path, "--results", "second.jsonl")
            started.communicate(timeout=30)
            assert (started.returncode, ended.status) == (0, 0)
        assert {key: line["status"] for key, line in results(line.folder / "second.jsonl").items()} == {
            "k0": "succeeded",
            "k1": "succeeded",
        }
        assert world.stats["tasks"] == 2
