"""A batch that is killed again and again, against a sandbox that loses answers: is every job paid exactly once?

``python -m benchmarks.chaos`` prints a row for each variant, and exits with 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import asdict, define, evolve, frozen

from benchmarks._chaos_batch import Audit, Batch, audit
from benchmarks._chaos_world import world

FAULTS: Sequence[Mapping[str, Any]] = (
    {"kind": "stall", "endpoint": "create", "when": "before", "probability": 0.3, "seconds": 0.3},
    {"kind": "drop", "endpoint": "create", "when": "after", "probability": 0.1},
    {"kind": "stall", "endpoint": "create", "when": "after", "probability": 0.3, "seconds": 0.3},
)
"""What happens to creates: some are acted on late, so that the client may be dead by then; some lose their answer after
the sandbox has taken the task; some are answered late.
"""

UNGUARDED: Mapping[str, Any] = {"duplicates": "allow", "slots": 1000, "speed": 1.0, "identify_seconds": 0.2}
"""The sandbox itself neither refuses a second task of one external id nor one too many: only the client is there to."""

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "late-lists": {"list_delay": 2.0},
    "no-lookup": {"list_delay": 2.0, "find_external_ids": False},
    "together": {"list_delay": 2.0},
}
"""What the sandbox shows of its tasks: all at once; late in its list; late, and not by external id either; late, to
three processes that work on one journal together.
"""

PROCESSES: Mapping[str, int] = {"together": 3}
"""How many work on the journal at a time, where it is not one."""

LATEST_KILL = 0.25
"""Seconds, at most, from the moment that was chosen for a kill to the kill."""


@frozen(kw_only=True)
class Chaos:
    """What is to be done to a batch, repeatable by ``seed`` as far as the machine is."""

    jobs: int = 500
    slots: int = 20
    kills: int = 30
    seed: int = 0
    task_seconds: float = 1.0


@frozen(kw_only=True)
class Ordeal:
    """How a batch came through; ``exit`` is the exit status of its last run, ``said`` what that run told."""

    kills: int
    audit: Audit
    seconds: float
    exit: int
    said: str

    def broken(self, chaos: Chaos) -> list[str]:
        """The promises that were not kept."""
        promises = {
            f"all {chaos.jobs} jobs succeed": self.audit.succeeded == chaos.jobs,
            "no job is created twice": self.audit.created_twice == 0,
            "no job is lost": self.audit.lost == 0,
            f"never more than {chaos.slots} tasks run": self.audit.max_running <= chaos.slots,
            "no job is left in doubt": self.audit.in_doubt == 0,
            "no create is doubted without need": self.audit.needless == 0,
            f"the batch was killed {chaos.kills} times": self.kills == chaos.kills,
            f"the last run ends with 0, not {self.exit}": self.exit == 0,
        }
        return [promise for promise, kept in promises.items() if not kept]


def endure(chaos: Chaos, variant: str, folder: Path) -> Ordeal:
    """Runs a batch below ``folder``, kills it as often as asked, and lets the last run come to its end."""
    settings = {**UNGUARDED, "task_seconds": chaos.task_seconds, "seed": chaos.seed, **VARIANTS[variant]}
    begun = time.perf_counter()
    with world(faults=FAULTS, **settings) as sandbox:
        batch = Batch(world=sandbox, folder=folder, jobs=chaos.jobs, slots=chaos.slots)
        batch.write()
        with Crew.of(batch, PROCESSES.get(variant, 1)) as crew:
            kills = sum(crew.kill_one(number, at, delay) for number, (at, delay) in enumerate(_moments(chaos)))
            results = folder / "results.jsonl"
            status, said = batch.finish("--results", str(results))
            status = max(status, crew.finish())
        checked = audit(batch, results)
    return Ordeal(kills=kills, audit=checked, seconds=time.perf_counter() - begun, exit=status, said=said)


def _moments(chaos: Chaos) -> list[tuple[int, float]]:
    """When to kill: once so many tasks were bought, and so many seconds later; some kills strike a run at its start."""
    chance = random.Random(chaos.seed)  # noqa: S311 - moments, no secrets
    bought = sorted(chance.choices(range(chaos.jobs), k=chaos.kills))
    return [(tasks, chance.uniform(0, LATEST_KILL)) for tasks in bought]


@define
class Crew:
    """Processes that run one batch together; whoever of them has ended is replaced before the next kill."""

    batch: Batch
    processes: list[subprocess.Popen[str] | None]

    @classmethod
    @contextmanager
    def of(cls, batch: Batch, size: int) -> Iterator[Crew]:
        """A crew of which nobody is left behind."""
        crew = cls(batch, [None] * size)
        try:
            yield crew
        finally:
            for process in crew._living():
                process.kill()
                process.communicate()

    def kill_one(self, number: int, tasks: int, delay: float) -> bool:
        """Kills one of them ``delay`` seconds after so many tasks were bought; ``False`` where it had ended by then."""
        self.processes = [
            process if process is not None and process.poll() is None else self.batch.start()
            for process in self.processes
        ]
        victim = self._living()[number % len(self.processes)]
        while victim.poll() is None and self.batch.world.stats()["tasks"] < tasks:
            time.sleep(0.03)
        try:
            victim.communicate(timeout=delay)
        except subprocess.TimeoutExpired:
            victim.kill()
            victim.communicate()
            return True
        return False

    def finish(self) -> int:
        """Waits for those that are left; the highest exit status of those that were not killed."""
        left = [process for process in self._living() if process.poll() is None]
        return max((process.wait(timeout=60) for process in left), default=0)

    def _living(self) -> list[subprocess.Popen[str]]:
        return [process for process in self.processes if process is not None]


def row(variant: str, chaos: Chaos, ordeal: Ordeal) -> dict[str, str]:
    """The figures of one variant, by their column."""
    figures = {"jobs": chaos.jobs, "kills": ordeal.kills, **asdict(ordeal.audit), "seconds": f"{ordeal.seconds:.0f}"}
    return {"variant": variant, **{name.replace("_", " "): str(value) for name, value in figures.items()}}


def show(rows: list[dict[str, str]]) -> None:
    """Prints the table."""
    widths = {name: max(len(name), *(len(each[name]) for each in rows)) for name in rows[0]}
    for cells in ({name: name for name in widths}, *rows):
        print("  ".join(cells[name].rjust(width) for name, width in widths.items()))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    for name in ("kills", "jobs", "slots", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Chaos(), name))
    parser.add_argument("--variant", choices=[*VARIANTS, "all"], default="all")
    return parser.parse_args()


def main() -> None:
    """The table on stdout; what was not kept on stderr."""
    options = arguments()
    chaos = evolve(Chaos(), jobs=options.jobs, slots=options.slots, kills=options.kills, seed=options.seed)
    rows, broken = [], False
    for variant in VARIANTS if options.variant == "all" else [options.variant]:
        with tempfile.TemporaryDirectory() as folder:
            ordeal = endure(chaos, variant, Path(folder))
        rows.append(row(variant, chaos, ordeal))
        for promise in ordeal.broken(chaos):
            broken = True
            print(f"{variant}: broken: {promise}\n{ordeal.said}", file=sys.stderr)
    show(rows)
    raise SystemExit(broken)


if __name__ == "__main__":
    main()
