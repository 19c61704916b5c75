"""What several measurements share: the sounds, the sandbox of a batch, and how full its slots were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

import kling_lipsync
from benchmarks import _child
from benchmarks._chaos_world import world

SOUND = str(Path(kling_lipsync.__file__).parent / "sandbox" / "samples" / "speech.wav")
FILES = frozenset({"media", "results"})


@frozen(kw_only=True)
class Batch:
    """What one contender did with a batch: ``requests`` to the API by endpoint, ``cpu`` in ms a job."""

    jobs: int
    utilisation: float
    requests: Mapping[str, int]
    cpu: float
    spent: _child.Spent

    @property
    def requests_a_job(self) -> float:
        """Requests to the API by jobs."""
        return sum(self.requests.values()) / self.jobs


def batch(target: str, *, jobs: int, slots: int, sandbox: Mapping[str, Any], **arguments: Any) -> Batch:  # noqa: ANN401 - the contender's
    """Runs a contender in a process of its own, against a fresh sandbox in another."""
    with world(**{"slots": slots, "task_sigma": 0.4, **sandbox}) as served:
        spent = _child.run(target, url=served.url, jobs=jobs, slots=slots, **{"sound": SOUND, **arguments})
        return Batch(
            jobs=jobs,
            utilisation=utilisation(served.tasks(), slots),
            requests=api_requests(served.stats()),
            cpu=spent.cpu * 1000 / jobs,
            spent=spent,
        )


def api_requests(stats: Mapping[str, Any]) -> dict[str, int]:
    """The requests that cost a place in the API's pace: all but those for files."""
    return {name: count for name, count in stats["requests"].items() if name not in FILES}


def utilisation(tasks: Sequence[Mapping[str, Any]], slots: int) -> float:
    """Slot-seconds with a running task by all slot-seconds, from the first create until no job waits any more."""
    spans = [(task["created_at"], task["updated_at"]) for task in tasks]
    begin, end = min(span[0] for span in spans), max(span[0] for span in spans)
    used = sum(max(0, min(stop, end) - start) for start, stop in spans)
    return float(used / (slots * max(1, end - begin)))
