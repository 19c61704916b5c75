"""The main job, as a user runs it: processes, sockets, real media."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from .conftest import SAMPLES, Served, cli

RESULT_KEYS = [
    *(
        "key",
        "status",
        "attempts",
        "task_id",
        "external_task_id",
        "face_id",
        "plan",
        "video_url",
        "watermark_url",
        "file",
    ),
    *("video_duration_ms", "elapsed_s", "units", "units_in_doubt", "meta", "error"),
]


def lengths(path: Path) -> tuple[float, float]:
    """Seconds of picture and of sound, counted in decoded frames."""
    with av.open(path) as container:
        picture = sum(1 for _ in container.decode(video=0)) / float(container.streams.video[0].average_rate or 1)
    with av.open(path) as container:
        sound = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    return picture, sound


def test_the_demo_makes_videos_of_the_sources_length_and_refuses_one_job(tmp_path: Path) -> None:
    """Without an account: every outcome as expected, a picture and a sound in each file, one refusal that says what
    to change.
    """
    done = cli("demo", "--out", "made", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = {path.stem: lengths(path) for path in (tmp_path / "made").glob("*.mp4")}
    assert len(made) >= 4
    sources = {"first": 8.0, "second": 12.0}
    for name, seconds in sources.items():
        assert made[name] == pytest.approx((seconds, seconds), abs=0.1)
    assert "give sound_insert_ms <=" in done.stdout


def test_fifty_jobs_on_five_slots_and_a_second_run_that_does_nothing(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    """All succeed, never more than five run by the sandbox's count; run again, nothing is asked of Kling."""
    served = serve("--speed", "600", "--slots", "5")
    shutil.copy(SAMPLES / "speech.mp3", tmp_path)
    with (tmp_path / "jobs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["key", "video_url", "audio_file", "meta_row"])
        rows.writerows([f"job-{n}", served.video(), "speech.mp3", n] for n in range(50))
    pace = ("--poll-interval", "0.1", "--requests-per-second", "100")  # tasks take half a second here
    options = ("--base-url", served.url, "--running-tasks", "5", *pace, "--results", "results.jsonl")
    first = cli("run", "jobs.csv", *options, "--download", "out", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "jobs.csv.journal: new" in first.stderr.splitlines()[0]
    assert len(list((tmp_path / "out").glob("*.mp4"))) == 50
    stats = served.stats()
    assert (stats["tasks"], stats["max_running"], stats["identify_calls"]) == (50, 5, 1)
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["status"] for line in lines] == ["succeeded"] * 50
    assert all(list(line) == RESULT_KEYS for line in lines)
    assert {line["key"]: line["meta"] for line in lines}["job-7"] == {"row": "7"}

    second = cli("run", "jobs.csv", *options, "--download", "out", cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert served.stats()["requests"] == stats["requests"]
