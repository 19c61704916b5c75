"""A function in a process of its own: what it returns, and what the process spent on it."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from attrs import frozen

MIB = 1024 * 1024


class Failed(Exception):
    """The process failed; what it wrote to stderr has been seen."""


@frozen(kw_only=True)
class Spent:
    """``cpu`` and ``seconds`` of the call alone, imports and start not counted; ``peak`` of the process, in MB."""

    result: Any
    cpu: float
    seconds: float
    peak: float


def run(target: str, **arguments: Any) -> Spent:  # noqa: ANN401 - what JSON can say
    """Calls ``module:function`` of this folder with ``arguments``, in a fresh interpreter.

    Raises ``Failed``.
    """
    command = [sys.executable, "-m", __name__, target, json.dumps(arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - this file
    if done.returncode:
        raise Failed(f"{target} failed with {done.returncode}")
    return Spent(**json.loads(done.stdout))


def run_all(targets: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Spent]:
    """The same of several at once, as many as there are processors: for what does not measure time."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda each: run(each[0], **each[1]), targets))


def peak_memory() -> float:
    """The most memory that this process has held, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage tells the parent's peak as well, where that was higher when it forked
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024 / MIB
    import resource  # which Windows lacks

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB


def _main(target: str, arguments: Mapping[str, Any]) -> None:
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(f"benchmarks.{module}"), name)
    begun, cpu = time.perf_counter(), time.process_time()
    result = function(**arguments)
    spent = {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - begun, "peak": peak_memory()}
    print(json.dumps({"result": result, **spent}))


if __name__ == "__main__":
    _main(sys.argv[1], json.loads(sys.argv[2]))
