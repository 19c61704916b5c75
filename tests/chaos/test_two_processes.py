from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks._chaos_batch import audit
from benchmarks._chaos_world import world

from .conftest import UNGUARDED, make_batch

PACE = 25.0
"""Requests per second, less than either run alone would send."""


def test_two_runs_of_one_batch_share_its_slots_its_pace_and_its_jobs(tmp_path: Path) -> None:
    """Two processes on one journal are together bound by what each is told: ten slots, one pace; each job is bought
    once.
    """
    with world(**UNGUARDED, task_seconds=0.3) as sandbox:
        batch = make_batch(sandbox, tmp_path, jobs=60, slots=10, requests_per_second=PACE)
        runs = [batch.start("--results", str(tmp_path / f"{name}.jsonl"), stderr=subprocess.PIPE) for name in "ab"]
        said = [run.communicate(timeout=60)[1] for run in runs]
        assert [run.returncode for run in runs] == [0, 0], said
        arrivals = sandbox.arrivals()
        results = tmp_path / "results.jsonl"
        assert batch.finish("--results", str(results))[0] == 0
        found = audit(batch, results)
    assert (found.succeeded, found.created_twice, found.lost, found.in_doubt) == (60, 0, 0, 0)
    assert found.max_running <= 10
    # Departures come evenly; arrivals may be a little closer together at both ends.
    assert (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) <= PACE * 1.05
