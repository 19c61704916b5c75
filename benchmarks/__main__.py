"""A batch through the coordinator and through the script by hand, each against a fresh sandbox in its own process."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SOUND = Path(__file__).parents[1] / "kling_lipsync" / "sandbox" / "samples" / "speech.wav"
CONTENDERS = ("ours", "baseline")
SPEED = 120.0
"""Tasks of 240 s take 2 s, identify takes 0.5 s."""

IDENTIFY_SECONDS = 60.0


def main() -> None:
    """The table on stdout, and the figures as JSON where asked for."""
    options = arguments()
    if options.contender:
        run_contender(options)
        return
    rows = {name: measure(name, options) for name in CONTENDERS}
    print(f"{options.jobs} jobs, {options.slots} slots, a look every {options.interval} s")
    columns = list(rows[CONTENDERS[0]])
    print("  ".join(["".ljust(9), *(column.rjust(len(column)) for column in columns)]))
    for name, figures in rows.items():
        print("  ".join([name.ljust(9), *(f"{figures[column]:.3f}".rjust(len(column)) for column in columns)]))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--slots", type=int, default=20)
    parser.add_argument("--interval", type=float, default=0.1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_contender(options: argparse.Namespace) -> None:
    """One contender, in the process that is measured."""
    contender = importlib.import_module(f"benchmarks.{options.contender}")
    asyncio.run(contender.main(options.url, options.jobs, options.slots, options.interval, SOUND))


def measure(name: str, options: argparse.Namespace) -> dict[str, float]:
    """The figures of one contender."""
    with sandbox(options.slots) as url:
        command = [sys.executable, "-m", "benchmarks", "--contender", name, "--url", url]
        command += ["--jobs", str(options.jobs), "--slots", str(options.slots), "--interval", str(options.interval)]
        begun = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, "KLING_API_KEY": "bench"})  # noqa: S603
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - begun
        if status:
            raise SystemExit(f"{name} failed")
        stats, tasks = get(f"{url}/sandbox/stats"), get(f"{url}/sandbox/tasks")
    requests = sum(count for endpoint, count in stats["requests"].items() if endpoint not in ("media", "results"))
    return {
        "utilisation": utilisation(tasks, options.slots),
        "requests a job": requests / options.jobs,
        "CPU ms a job": (usage.ru_utime + usage.ru_stime) * 1000 / options.jobs,
        "seconds": elapsed,
    }


def utilisation(tasks: list[Mapping[str, Any]], slots: int) -> float:
    """Slot-seconds with a running task by all slot-seconds, from the first create until no job waits any more."""
    spans = [(task["created_at"], task["updated_at"]) for task in tasks]
    begin, end = min(span[0] for span in spans), max(span[0] for span in spans)
    used = sum(max(0, min(stop, end) - start) for start, stop in spans)
    return used / (slots * (end - begin))


@contextlib.contextmanager
def sandbox(slots: int) -> Iterator[str]:
    """The address of a fresh sandbox in a process of its own."""
    command = [sys.executable, "-m", "kling_lipsync.cli", "sandbox", "--port", "0", "--slots", str(slots)]
    command += ["--speed", str(SPEED), "--identify-seconds", str(IDENTIFY_SECONDS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def get(url: str) -> Any:  # noqa: ANN401 - JSON
    """What the sandbox tells."""
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - loopback
        return json.load(answer)


if __name__ == "__main__":
    main()
