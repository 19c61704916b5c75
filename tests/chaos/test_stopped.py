from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from benchmarks._chaos_world import world

from .conftest import UNGUARDED, make_batch
from .lives import Life, until


def test_a_process_that_sleeps_between_intent_and_create_keeps_its_job(tmp_path: Path) -> None:
    """A stopped process is not a dead one: another run leaves its job alone, and one create leaves when it wakes."""
    with world(**UNGUARDED, task_seconds=0.2) as sandbox:
        batch = make_batch(sandbox, tmp_path, jobs=2)
        sleeper = Life(url=sandbox.url, journal=str(batch.journal)).started("stop_before_the_create")
        _, status = os.waitpid(sleeper.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        other = batch.start(stderr=subprocess.PIPE)
        until(lambda: other.poll() is not None or sandbox.stats()["tasks"] == 1)  # refused, or done with the other job
        os.kill(sleeper.pid, signal.SIGCONT)
        said, _ = sleeper.communicate(timeout=30)
        other.communicate(timeout=30)
        assert '"succeeded"' in said
        assert batch.finish()[0] == 0
        stats = sandbox.stats()
    assert (stats["tasks"], stats["bought_twice"]) == (2, [])
