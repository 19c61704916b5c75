"""How long the package takes to import, beside the libraries that it stands on."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from benchmarks._figures import Aim, Figure, Size

OURS = "from kling_lipsync import Coordinator, KlingClient, Job"
BESIDE = "import httpx, cattrs, anyio"
ROUNDS = {Size.QUICK: 3, Size.USUAL: 25, Size.FULL: 101}


def measure(size: Size) -> list[Figure]:
    """Processor time of each import in a fresh interpreter, the start of which is not counted; they take turns."""
    seen: dict[str, list[float]] = {OURS: [], BESIDE: []}
    for _ in range(ROUNDS[size]):
        for line, times in seen.items():
            times.append(_milliseconds(line))
    ours, beside = median(seen[OURS]), median(seen[BESIDE])
    aim = Aim(text="≤ 1.5 times httpx, cattrs, anyio", value=ours / beside, most=1.5)
    return [
        Figure(
            name="import, CPU ms: Coordinator, KlingClient, Job", ours=ours, floor={"httpx, cattrs…": beside}, aim=aim
        )
    ]


def _milliseconds(line: str) -> float:
    code = f"import time; begun = time.process_time(); {line}; print((time.process_time() - begun) * 1000)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return float(answer.stdout)
