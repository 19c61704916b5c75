from __future__ import annotations

from pathlib import Path

import pytest

from kling_lipsync._journal import peek
from kling_lipsync._report import read_batch
from kling_lipsync.abc import JournalReader
from kling_lipsync.errors import ErrorRecord
from kling_lipsync.events import (
    CreateRefused,
    CreateUnanswered,
    FetchFailed,
    JobRefused,
    Outcome,
    ResultFetched,
    StepFailed,
)
from kling_lipsync.models import Status

from ..journal.facts import CHECKED, CREATED, DOUBT, LOST, ended, intended, opened, write
from ..journal.facts import begun as begun_in

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000.0
"""The time that the journal's clock shows in these tests."""

REFUSED = ErrorRecord(type="ContentRejected", message="not allowed", code=1301)


async def test_each_trouble_says_what_to_do_the_most_pressing_first(tmp_path: Path) -> None:
    """What a run takes up by itself is told from what needs an option; what succeeded is in no trouble."""
    path = tmp_path / "jobs.db"
    async with opened(path) as journal:
        refused = JobRefused(error=REFUSED)
        for key, status, record, events in (
            ("watched", Status.RUNNING, None, (intended(), CREATED)),
            ("invalid", Status.INVALID, REFUSED, (CHECKED, refused)),
            ("step", Status.FAILED, LOST, (CHECKED, StepFailed(error=LOST))),
            ("refused", Status.FAILED, REFUSED, (CHECKED, intended(), CreateRefused(error=REFUSED))),
            ("fine", Status.SUCCEEDED, None, (intended(), CREATED, ended(), ResultFetched(file=Path("a"), size=1))),
            ("not wanted", Status.SUCCEEDED, None, (intended(), CREATED, ended())),
            ("unfetched", Status.SUCCEEDED, LOST, (intended(), CREATED, ended(), FetchFailed(error=LOST))),
            ("lost", Status.IN_DOUBT, LOST, (intended(), CreateUnanswered(error=LOST), DOUBT)),
            ("untouched", Status.NOT_STARTED, None, (CHECKED,)),
        ):
            claim = (await journal.admit(key, "")).claim
            for version, event in enumerate(events):
                outcome = Outcome(key=key, status=status, record=record, file=Path("a") if key == "fine" else None)
                await journal.append(claim, event, after=version, outcome=outcome)
    batch = await read_batch(await peek(path), now=NOW)
    assert [(trouble.key, trouble.next.partition(":")[0]) for trouble in batch.troubles] == [
        ("lost", "Run it again"),
        ("step", "Run it again"),
        ("refused", "Run it with --retry-failed"),
        ("unfetched", "It is paid"),
        ("invalid", "Change what the error names, and run it again; no task was paid."),
        ("watched", "Run it again"),
    ]
    assert (batch.troubled, batch.at_work) == (6, False)
    assert batch.troubles[2].error == "not allowed (code 1301)"
    assert batch.bars is not None
    assert {bar.key: bar.status for bar in batch.bars} == {
        "watched": Status.RUNNING,
        "fine": Status.SUCCEEDED,
        "not wanted": Status.SUCCEEDED,
        "unfetched": Status.SUCCEEDED,
        "lost": Status.IN_DOUBT,
    }


async def test_a_journal_at_work_is_drawn_up_to_now(tmp_path: Path) -> None:
    """What a living process works on is running and in no trouble; once it is gone, an intent is in doubt."""
    path = tmp_path / "jobs.db"
    async with opened(path) as journal:
        await begun_in(journal, "asked", intended(), status=Status.IN_DOUBT)
        await begun_in(journal, "runs", intended(), CREATED)
        alive = await read_batch(await peek(path), now=NOW + 300)
    assert alive.bars is not None
    assert [(bar.key, bar.status, bar.ended) for bar in alive.bars] == [
        ("asked", Status.RUNNING, NOW + 300),
        ("runs", Status.RUNNING, NOW + 300),
    ]
    assert (alive.at_work, alive.troubled, alive.totals.jobs) == (True, 0, {Status.RUNNING: 2})
    dead = await read_batch(await peek(path), now=NOW + 300)
    assert dead.bars is not None
    assert [(bar.key, bar.status, bar.ended) for bar in dead.bars] == [
        ("asked", Status.IN_DOUBT, NOW),
        ("runs", Status.RUNNING, NOW),
    ]
    assert (dead.at_work, dead.troubled) == (False, 2)


async def test_what_is_written_meanwhile_is_left_out(tmp_path: Path) -> None:
    """The numbers and the picture are of one moment, over several pages of events."""
    path = tmp_path / "jobs.db"
    async with opened(path, inline=True) as journal:
        claim = await begun_in(journal, "a", intended(), CREATED)
        for number in range(400):
            await begun_in(journal, f"k{number}", intended(), CREATED, ended(), status=Status.SUCCEEDED)

        class Late:
            """The journal, to which an end is written as soon as its totals have been told."""

            def __getattr__(self, name: str) -> object:
                return getattr(view, name)

            async def totals(self) -> object:
                told = await view.totals()
                await write(journal, claim, ended(), after=2, status=Status.SUCCEEDED)
                return told

        view = await peek(path, inline=True)
        late: JournalReader = Late()  # type: ignore[assignment]
        batch = await read_batch(late, now=NOW)
    assert batch.figures.ended == 400
    assert batch.totals.jobs == {Status.RUNNING: 1, Status.SUCCEEDED: 400}
    assert batch.bars is None
