from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks._chaos_world import world

from .conftest import ACCOUNT, UNGUARDED
from .lives import Life

HOUR = 3600.0


@pytest.mark.parametrize(
    ("found_by_id", "clock", "clock_afterwards"),
    [(True, 0.0, 0.0), (False, 0.0, HOUR), (False, HOUR, -HOUR)],
)
def test_a_death_at_any_commit_is_made_up_for(
    found_by_id: bool, clock: float, clock_afterwards: float, tmp_path: Path
) -> None:
    """Killed before or after any commit of its life, its clock set by hours meanwhile, the next run of a job ends with
    success, and there is exactly one task.
    """
    settings: dict[str, Any] = {"find_external_ids": found_by_id, "list_delay": 0.2, "task_seconds": 0.1}
    with world(**UNGUARDED, **ACCOUNT, **settings) as sandbox:
        life = Life(
            url=sandbox.url,
            journal=str(tmp_path / "journal"),
            clock=clock,
            clock_afterwards=clock_afterwards,
            signed=True,
        )
        lives = life.told("die_at_every_commit")
        tasks = {task["task_id"]: task["task_info"]["external_task_id"] for task in sandbox.tasks()}
    assert {(each["status"], each["error"]) for each in lives} == {("succeeded", "None")}
    assert [tasks.get(each["task_id"]) for each in lives] == [each["external_task_id"] for each in lives]
    assert set(Counter(tasks.values()).values()) == {1}
    # It died at every stage: unknown, known, about to pay, paid and watched, done.
    assert {each["found"] for each in lives} == {None, "not_started", "in_doubt", "running", "succeeded"}
