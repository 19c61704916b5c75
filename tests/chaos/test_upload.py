from __future__ import annotations

import wave
from pathlib import Path

from benchmarks._chaos_batch import events_of
from benchmarks._chaos_world import world
from kling_lipsync.events import CreateNotTaken, CreateUnanswered

from .conftest import UNGUARDED, make_batch

LARGEST_SOUND = 5 * 1024 * 1024


def five_megabytes(path: Path) -> Path:
    """A sound as large as Kling takes, much larger than what the network buffers."""
    with wave.open(str(path), "wb") as sound:
        sound.setparams((2, 2, 48_000, 0, "NONE", ""))
        sound.writeframes(bytes(LARGEST_SOUND // 4 * 4 - 4096))
    return path


def test_a_refusal_in_the_midst_of_an_upload_is_read_and_not_doubted(tmp_path: Path) -> None:
    """1303 that comes while five megabytes are still being sent is an answer: the job waits for a slot, nothing is
    looked for, and every job is bought once.
    """
    with world(**{**UNGUARDED, "slots": 1}, refuse_early=True, task_seconds=0.5) as sandbox:
        batch = make_batch(sandbox, tmp_path, jobs=4, slots=4, sound=five_megabytes(tmp_path / "long.wav"))
        status, said = batch.finish("--fit")
        stats = sandbox.stats()
    kinds = [type(event) for event in events_of(batch.journal)]
    assert status == 0, said
    assert (stats["tasks"], stats["bought_twice"]) == (4, [])
    assert stats["refusals"]["1303"] == kinds.count(CreateNotTaken) > 0
    assert kinds.count(CreateUnanswered) == 0
