from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chaos import VARIANTS, Chaos, endure


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "late-lists"])
def test_a_batch_that_is_killed_again_and_again_pays_every_job_once(variant: str, tmp_path: Path) -> None:
    """Runs that are killed at random moments, answers that are lost: every job succeeds, none is bought twice or lost,
    never more run than may, none is left in doubt, and no answer that came is doubted.
    """
    chaos = Chaos(jobs=60, slots=10, kills=8, seed=4)
    ordeal = endure(chaos, variant, tmp_path)
    assert ordeal.broken(chaos) == [], ordeal.said
