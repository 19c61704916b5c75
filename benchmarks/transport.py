"""What a request costs by the package's transport, beside bare HTTP libraries that send the same."""

from __future__ import annotations

from statistics import median

from benchmarks import _child, floor
from benchmarks._chaos_world import world
from benchmarks._figures import Aim, Figure, Size, Skipped
from benchmarks._measured import SOUND

ROUNDS = {Size.QUICK: 1, Size.USUAL: 5, Size.FULL: 9}
COUNTS = {Size.QUICK: 10, Size.USUAL: 300, Size.FULL: 300}
IN_FLIGHT = 20
BESIDE = "httpx2"


def measure(size: Size) -> list[Figure]:
    """Processor time a request: of a batch's requests, and of looks alone. Raises ``Skipped`` without httpx2."""
    if BESIDE not in floor.installed():
        raise Skipped(f"{BESIDE} is not installed: it comes with the group 'bench'")
    count = COUNTS[size]
    return [
        _figure("a batch's requests", size, {"identifies": count, "creates": count, "looks": count}),
        _figure("reads of a page", size, {"identifies": 0, "creates": 0, "looks": 3 * count}),
    ]


def _figure(what: str, size: Size, counts: dict[str, int]) -> Figure:
    cost = _costs(ROUNDS[size], counts)
    ours = cost.pop("ours")
    aim = Aim(text=f"≤ 1.5 times {BESIDE}", value=ours / cost[BESIDE], most=1.5)
    return Figure(name=f"CPU a request of the transport, ms: {what}", ours=ours, floor=cost, aim=aim)


def _costs(rounds: int, counts: dict[str, int]) -> dict[str, float]:
    """The median of all rounds, in ms a request, of each library; they take turns."""
    costs: dict[str, list[float]] = {library: [] for library in ("ours", *floor.installed())}
    with world(slots=10**6, identify_seconds=0.0, speed=1e6) as served:
        for _ in range(rounds):
            for library, seen in costs.items():
                arguments = {"url": served.url, "in_flight": IN_FLIGHT, "sound": SOUND, "counts": counts}
                spent = _child.run("floor:send_all", library=library, **arguments)
                seen.append(spent.result * 1000 / sum(counts.values()))
    return {library: median(seen) for library, seen in costs.items()}
