"""A batch in real time: how full the slots are, and what it costs, beside the script that looks as often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks import _child, floor
from benchmarks._chaos_world import world
from benchmarks._figures import Aim, Figure, Size
from benchmarks._measured import SOUND, batch

SLOTS = 20
INTERVAL = 0.1
WORLD = {"task_seconds": 2.0, "identify_seconds": 0.5}
JOBS = {Size.QUICK: 10, Size.USUAL: 400, Size.FULL: 400}
LOOKING = "looking into each video's header"
QUICK_WORLD = {"task_seconds": 0.5, "identify_seconds": 0.1}


def measure(size: Size) -> list[Figure]:
    """Utilisation, requests and processor time of a batch."""
    jobs, slots = JOBS[size], SLOTS
    sandbox = QUICK_WORLD if size is Size.QUICK else WORLD
    ours, script, looking = (
        batch(target, jobs=jobs, slots=slots, sandbox=sandbox, interval=INTERVAL, **arguments)
        for target, arguments in (
            ("ours:over_http", {}),
            ("baseline:over_http", {}),
            ("ours:over_http", {"remote": True}),
        )
    )
    full = Aim(text="≥ 0.96", value=ours.utilisation, least=0.96)
    cheap = Aim(text="≤ 1/4 of the script's", value=ours.cpu / script.cpu, most=0.25)
    name = f"{jobs} jobs, {slots} slots, real time"
    return [
        Figure(name=f"utilisation: {name}", ours=ours.utilisation, script=script.utilisation, aim=full),
        Figure(name=f"utilisation: {name}, {LOOKING}", ours=looking.utilisation),
        Figure(name=f"API requests a job: {name}", ours=ours.requests_a_job, script=script.requests_a_job),
        Figure(
            name=f"CPU a job, ms: {name}",
            ours=ours.cpu,
            script=script.cpu,
            floor=_floor(jobs, slots, sandbox),
            aim=cheap,
        ),
        Figure(name=f"CPU a job, ms: {name}, {LOOKING}", ours=looking.cpu),
    ]


def _floor(jobs: int, slots: int, sandbox: Mapping[str, Any]) -> dict[str, float]:
    """CPU a job, in ms, of the same requests in the same rhythm by bare libraries."""
    costs = {}
    for library in floor.installed():
        with world(slots=slots, task_sigma=0.4, **sandbox) as served:
            arguments = {"url": served.url, "jobs": jobs, "slots": slots, "interval": INTERVAL, "sound": SOUND}
            costs[library] = _child.run("rhythm:send_in_rhythm", library=library, **arguments).result * 1000 / jobs
    return costs
