"""How much memory a batch holds at its peak: many jobs beside few, and large sounds beside small ones."""

from __future__ import annotations

import tempfile
import wave
from pathlib import Path

import anyio

from benchmarks import _child, ours
from benchmarks._chaos_world import world
from benchmarks._figures import Aim, Figure, Size
from benchmarks._measured import SOUND, batch
from kling_lipsync import KlingClient, Limits

SLOTS = 50
FAST = {"task_seconds": 0.2, "identify_seconds": 0.05}
FEW = {Size.QUICK: 20, Size.USUAL: 1000, Size.FULL: 1000}
MANY = {Size.QUICK: 60, Size.USUAL: 20_000, Size.FULL: 100_000}
CREATES = 50
LARGE = 5 * _child.MIB


def measure(size: Size) -> list[Figure]:
    """Peaks in MB, each of a process of its own, against a sandbox in another."""
    few, many = (_peak(counts[size]) for counts in (FEW, MANY))
    small, large = _peak_with(Path(SOUND)), _peak_with_large_sound()
    names = f"{MANY[size]:,} jobs beside {FEW[size]:,}"
    growth = Aim(text="≤ 1.15 times", value=many / few, most=1.15)
    return [
        Figure(name=f"peak memory, MB: {FEW[size]:,} jobs", ours=few),
        Figure(name=f"peak memory, MB: {MANY[size]:,} jobs", ours=many, aim=Aim(text="< 150", value=many, most=150)),
        Figure(name=f"peak memory: {names}, times", ours=many / few, aim=growth),
        Figure(
            name=f"{CREATES} creates at once: MB above that, with sounds of 5 MB",
            ours=large - small,
            aim=Aim(text="< 40", value=large - small, most=40),
        ),
    ]


def _peak(jobs: int) -> float:
    """All that the coordinator does by default, a look into each video among it."""
    done = batch("ours:over_http", jobs=jobs, slots=SLOTS, sandbox=FAST, interval=0.1, remote=True)
    return done.spent.peak


def _peak_with_large_sound() -> float:
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.wav"
        write_sound(sound, LARGE)
        return _peak_with(sound)


def _peak_with(sound: Path) -> float:
    """All creates on their way at once: each is prepared before the first identify has ended, and answered late."""
    stall = {"kind": "stall", "endpoint": "create", "when": "after", "seconds": 1.0}
    settings = {"slots": CREATES, "identify_seconds": 1.0, "task_seconds": 0.2}
    with world(faults=[stall], **settings) as served:
        return _child.run("memory:create_at_once", url=served.url, creates=CREATES, sound=str(sound)).peak


def write_sound(path: Path, length: int) -> None:
    """A sound file of ``length`` bytes, of silence."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(48_000)
        sound.writeframes(bytes(length - 44))


def create_at_once(url: str, creates: int, sound: str) -> None:
    """A batch whose jobs are all created at the same time."""

    async def main() -> None:
        limits = Limits(running_tasks=creates, requests_per_second=None, prepared_ahead=creates)
        async with KlingClient(api_key="bench", base_url=url) as client:
            wanted = ours.jobs_on(url, creates, Path(sound))
            with tempfile.TemporaryDirectory() as folder:
                journal = Path(folder) / "jobs.db"
                await ours.run(client, wanted, slots=creates, interval=0.2, limits=limits, journal=journal)

    anyio.run(main)
