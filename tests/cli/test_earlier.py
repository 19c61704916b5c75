"""A journal that is not the one of the results: nothing is paid again in silence, and no trace is written over."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from kling_lipsync.cli._earlier import keep_trace, kept
from kling_lipsync.errors import ConfigurationError

from .driving import Line, World
from .test_run import results


@pytest.fixture
def paid(line: Line, world: World) -> Path:
    """A manifest whose two jobs were paid, with their results in r.jsonl and without their journal."""
    path = line.jobs(world)
    assert line.run(world, path, "--results", "r.jsonl").status == 0
    Path("jobs.csv.journal").rename("kept.journal")
    return path


def test_a_lost_journal_is_refused_before_any_call(line: Line, world: World, paid: Path) -> None:
    """Results that list paid jobs of which the journal knows nothing: one line, status 2, no request."""
    requests, before = world.stats["requests"], Path("r.jsonl").read_bytes()
    ended = line.run(world, paid, "--results", "r.jsonl")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("kling-lipsync: r.jsonl lists 2 paid jobs that the journal ")
    assert "jobs.csv.journal does not know: 'k0', 'k1';" in ended.err or "'k1', 'k0'" in ended.err
    assert all(word in ended.err for word in ("--journal FILE", "--results FILE", "--new-journal"))
    assert ended.err.count("\n") == 1
    assert world.stats["requests"] == requests
    assert Path("r.jsonl").read_bytes() == before
    assert not Path("jobs.csv.journal").exists()


def test_the_journal_of_that_run_goes_on(line: Line, world: World, paid: Path) -> None:
    """With its own journal the batch is found done, and nothing is bought."""
    assert line.run(world, paid, "--results", "r.jsonl", "--journal", "kept.journal").status == 0
    assert world.stats["tasks"] == 2


def test_a_journal_of_other_jobs_is_refused(line: Line, world: World, paid: Path) -> None:
    """One job that the journal does not know is enough, also where the manifest does not have it."""
    other = line.manifest(paid.read_text().replace("k1", "k2"), "other.csv")
    assert line.run(world, other, "--journal", "other.journal").status == 0
    tasks = world.stats["tasks"]
    ended = line.run(world, other, "--journal", "other.journal", "--results", "r.jsonl")
    assert ended.status == 2
    assert "r.jsonl lists a paid job that the journal other.journal does not know: 'k1';" in ended.err
    assert world.stats["tasks"] == tasks


def test_a_restored_journal_adopts_what_it_does_not_know(line: Line, world: World) -> None:
    """Tasks that bear the mark of this very journal are found in the list again: nothing is bought, and the results
    are whole afterwards.
    """
    path = line.jobs(world, 3)
    assert line.run(world, path, "--results", "r.jsonl", "--only", "k0").status == 0
    backup = Path("jobs.csv.journal").read_bytes()
    assert line.run(world, path, "--results", "r.jsonl").status == 0
    Path("jobs.csv.journal").write_bytes(backup)
    ended = line.run(world, path, "--results", "r.jsonl")
    assert (ended.status, world.stats["tasks"], world.stats["bought_twice"]) == (0, 3, [])
    assert "a copy is kept as r.jsonl.1" in ended.err
    assert results(Path("r.jsonl")).keys() == {"k0", "k1", "k2"}


def test_a_restored_journal_is_refused_where_nothing_can_be_adopted(line: Line, world: World) -> None:
    """A gateway without a list cannot show what the restored journal does not know: it is as lost."""
    path = line.jobs(world, 2)
    assert line.run(world, path, "--results", "r.jsonl", "--only", "k0").status == 0
    backup = Path("jobs.csv.journal").read_bytes()
    assert line.run(world, path, "--results", "r.jsonl").status == 0
    Path("jobs.csv.journal").write_bytes(backup)
    journal = Path("jobs.csv.journal")

    async def look(adopts: bool) -> Path | None:
        view = await kept(journal)
        return await keep_trace(Path("r.jsonl"), journal, view, new_journal=False, adopts=adopts)

    with pytest.raises(ConfigurationError, match="'k1'"):
        anyio.run(look, False)
    assert anyio.run(look, True) == Path("r.jsonl.1")


def test_paid_again_only_when_asked(line: Line, world: World, paid: Path) -> None:
    """--new-journal goes on, keeps the old results beside the new ones and says so; the next run needs it no more."""
    before = Path("r.jsonl").read_bytes()
    ended = line.run(world, paid, "--results", "r.jsonl", "--new-journal")
    assert ended.status == 0
    assert "a copy is kept as r.jsonl.1" in ended.err
    assert Path("r.jsonl.1").read_bytes() == before
    assert results(Path("r.jsonl")).keys() == {"k0", "k1"}
    assert line.run(world, paid, "--results", "r.jsonl").status == 0
    assert line.run(world, paid, "--results", "r.jsonl", "--new-journal").status == 0
    assert not Path("r.jsonl.2").exists()
    assert world.stats["tasks"] == 4


def test_what_was_not_paid_may_be_lost(line: Line, world: World) -> None:
    """Results of jobs that failed or were refused hold nothing that could be paid twice; a later line counts."""
    lines = (
        '{"key": "k0", "status": "running"}',
        '{"key": "k1", "status": "invalid"}',
        '{"key": "k0", "status": "failed"}',
    )
    Path("r.jsonl").write_text("\n".join(lines) + '\n{"key": "k9", "stat')
    ended = line.run(world, line.jobs(world), "--results", "r.jsonl")
    assert ended.status == 0, ended.err
    assert not Path("r.jsonl.1").exists()


def test_a_later_line_counts_however_far_behind(line: Line, world: World) -> None:
    """A job whose paid state stands on an early page and its failure on a later one is not paid."""
    first, filler = '{"key": "k0", "status": "running"}\n', '{"key": "x", "status": "failed"}\n'
    Path("r.jsonl").write_text(first + filler * 1200 + first.replace("running", "failed"))
    assert line.run(world, line.jobs(world), "--results", "r.jsonl").status == 0


@pytest.mark.parametrize("option", [("--results", "none/r.jsonl"), ("--results", "."), ("--results", "jobs.csv")])
def test_results_that_cannot_be_written_are_told_first(line: Line, world: World, option: tuple[str, str]) -> None:
    """No folder, a folder, another file: status 2 before any call, and no journal is made."""
    ended = line.run(world, line.jobs(world), *option)
    assert ended.status == 2
    assert ended.err.count("\n") == 1
    assert world.stats["requests"] == {}
    assert not Path("jobs.csv.journal").exists()


def test_an_empty_journal_is_none(line: Line, world: World) -> None:
    """An empty file, which a killed process may leave, is a journal that knows nothing."""
    path = line.jobs(world, 1)
    Path("jobs.csv.journal").touch()
    assert line("check", path, "--no-remote").status == 0
    Path("r.jsonl").write_text('{"key": "k0", "status": "succeeded"}\n')
    assert line.run(world, path, "--results", "r.jsonl").status == 2
    Path("r.jsonl").unlink()
    assert line.run(world, path, "--results", "r.jsonl").status == 0


def test_many_unknown_jobs_are_one_line(line: Line, world: World) -> None:
    """Of many jobs the first are named, long keys are cut, and control characters are written out."""
    keys = [f"\\u001b[2J{n}" + "x" * 1000 for n in range(3000)]
    Path("r.jsonl").write_text("".join(f'{{"key": "{key}", "status": "in_doubt"}}\n' for key in keys))
    ended = line.run(world, line.jobs(world), "--results", "r.jsonl")
    assert ended.status == 2
    assert "lists 3000 paid jobs" in ended.err
    assert "and 2995 more" in ended.err
    assert "\x1b" not in ended.err
    assert len(ended.err) < 1200
