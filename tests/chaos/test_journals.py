from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from attrs import evolve

from benchmarks._chaos_batch import Batch
from benchmarks._chaos_world import world

from .conftest import UNGUARDED, make_batch
from .lives import until


def kill_midway(batch: Batch) -> None:
    """Leaves a journal with some tasks bought and some not."""
    process = batch.start()
    until(lambda: batch.world.stats()["tasks"] >= batch.jobs // 2)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("duplicates", ["refuse", "return-old"])
def test_a_copied_journal_buys_nothing_twice(duplicates: str, tmp_path: Path) -> None:
    """What the original bought after it was copied is found by the copy under the same external ids, not bought
    again.
    """
    with world(**{**UNGUARDED, "duplicates": duplicates}, task_seconds=0.5) as sandbox:
        batch = make_batch(sandbox, tmp_path / "original", slots=2)
        kill_midway(batch)
        shutil.copytree(batch.folder, tmp_path / "copy")
        assert batch.finish()[0] == 0
        copy = evolve(batch, folder=tmp_path / "copy")
        status, said = copy.finish()
        stats = sandbox.stats()
    assert status == 0, said
    assert (stats["tasks"], stats["bought_twice"]) == (batch.jobs, [])


def test_another_account_does_not_get_a_journal_with_open_jobs(tmp_path: Path) -> None:
    """With another key the run is refused before anything is sent; with its own key the batch comes to its end."""
    with world(**UNGUARDED, task_seconds=1.0) as sandbox:
        batch = make_batch(sandbox, tmp_path, slots=3)
        kill_midway(batch)
        accounts = sandbox.stats()["accounts"]
        status, said = evolve(batch, key="somebody-else").finish()
        assert status == 2
        assert "belongs to the account" in said
        assert sandbox.stats()["accounts"].keys() == accounts.keys()
        assert batch.finish()[0] == 0
        stats = sandbox.stats()
    assert (stats["tasks"], stats["bought_twice"]) == (batch.jobs, [])
