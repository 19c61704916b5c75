"""How soon an outcome is handed out once Kling's callback has come, while the next look is far away."""

from __future__ import annotations

from statistics import median

from benchmarks import _child
from benchmarks._figures import Aim, Figure, Size, Skipped

JOBS = {Size.QUICK: 3, Size.USUAL: 50, Size.FULL: 200}


def measure(size: Size) -> list[Figure]:
    """Milliseconds from a callback's arrival to its outcome. Raises ``Skipped`` where nothing receives callbacks."""
    try:
        from kling_lipsync.callbacks import CallbackReceiver  # noqa: F401 - whether it can be had
    except ImportError as error:
        raise Skipped(str(error)) from error
    delays = sorted(_child.run("callbacks:delays", jobs=JOBS[size]).result)
    worst = delays[-1]
    name = "callback received to outcome handed out, ms"
    return [
        Figure(name=f"{name}: median of {len(delays)}", ours=median(delays)),
        Figure(name=f"{name}: longest", ours=worst, aim=Aim(text="< 50", value=worst, most=50)),
    ]
