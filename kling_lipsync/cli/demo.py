"""``kling-lipsync demo``: a small batch, from faces to finished videos, against a sandbox on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import anyio.abc
from attrs import frozen

from .._journal import peek
from .._tasks import task_group
from ..client import KlingClient
from ..coordinator import Coordinator
from ..errors import ConfigurationError
from ..events import Outcome
from ..models import Audio, Job, Speech, Status, Video
from ..policies import Limits, PollPolicy
from ._console import say, say_table, tell
from ._exits import Exit
from ._interrupts import interruptible
from ._options import Output
from ._places import refuse_folder, write_whole
from ._progress import shown
from ._tally import Tally, in_words, units
from .report import page_of

_SPEED = 60.0
_SLOTS = 3


@frozen
class _Example:
    """A job of the demo, what it shows, and how it is expected to end."""

    shows: str
    job: Job
    expected: Status = Status.SUCCEEDED


async def demo(*, out: Path = Path("demo-out"), output: Output = Output()) -> int:
    """Runs a small batch against a sandbox on this machine: real files, real requests, no account, no cost.

    Writes result videos, a journal and its report (report.html) to --out, and a table of outcomes to stdout. Exit
    status: 0 when every outcome is the expected one.

    Parameters
    ----------
    out
        The folder for result videos; default: demo-out.
    """
    output.set_up()
    folder = _fresh_folder(out)
    status: int = Exit.UNSUCCESSFUL
    async with interruptible() as interruption, task_group() as group:
        url, samples = await group.start(_serve)
        examples = _examples(url, samples)
        output.note(f"a sandbox of Kling with {_SLOTS} slots runs at {url}; time passes {_SPEED:g} times as fast")
        status = await _run(url, examples, folder, output)
        group.cancel_scope.cancel()
    return interruption.exit or status


def _fresh_folder(out: Path) -> Path:
    """The folder itself, or a numbered one inside it where it was used before: every demo is a batch of its own."""
    refuse_folder("--out", out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        return _unused(out)
    except OSError as error:
        raise ConfigurationError(f"--out {out}: {error.strerror}") from error


def _unused(out: Path) -> Path:
    folder, number = out, 1
    while (folder / "demo.journal").exists():
        number += 1
        folder = out / f"run-{number}"
    folder.mkdir(exist_ok=True)
    return folder


async def _serve(*, task_status: anyio.abc.TaskStatus[tuple[str, Path]]) -> None:
    try:
        from .. import sandbox
    except ImportError as error:
        raise ConfigurationError(str(error)) from error
    samples = Path(sandbox.__file__).with_name("samples")
    with sandbox.Sandbox(sandbox.Settings(speed=_SPEED, slots=_SLOTS)) as served:
        await sandbox.serve(served, started=lambda url: task_status.started((url, samples)))


def _examples(url: str, samples: Path) -> Sequence[_Example]:
    one_face = Video.from_url(f"{url}/media/one-face.mp4")
    two_faces = Video.from_url(f"{url}/media/two-faces.mp4")
    wav, mp3, m4a = (Audio.from_file(samples / f"speech.{kind}") for kind in ("wav", "mp3", "m4a"))
    return [
        _Example("a wav file, on the longest face", Job(key="first", video=one_face, audio=wav)),
        _Example(
            "an mp3 in the middle, the original sound turned down",
            Job(key="middle", video=one_face, audio=mp3, sound_insert_ms=2000, original_audio_volume=0.3),
        ),
        _Example("the second face by start time", Job(key="second", video=two_faces, audio=mp3, face="index:1")),
        _Example(
            "the face seen at 6 s; a watermarked version is asked for as well",
            Job(key="watermarked", video=two_faces, audio=m4a, face="at:6000", watermark=True),
        ),
        _Example(
            "a sound by its URL", Job(key="by-url", video=two_faces, audio=Audio.from_url(f"{url}/media/speech.m4a"))
        ),
        _Example("a text, spoken first", Job(key="spoken", video=two_faces, audio=_TEXT, sound_insert_ms=500)),
        _Example(
            "refused here: the sound would run past the end of the video",
            Job(key="too-late", video=one_face, audio=wav, sound_insert_ms=5000),
            Status.INVALID,
        ),
    ]


_TEXT = Speech("The quick brown fox jumps over the lazy dog, and then it goes home.", "oversea_male1", language="en")


async def _run(url: str, examples: Sequence[_Example], folder: Path, output: Output) -> int:
    tally = Tally(total=len(examples), began=anyio.current_time())
    outcomes: dict[str, Outcome] = {}
    async with (
        KlingClient("official", api_key="demo", base_url=url) as client,
        Coordinator(
            client,
            journal=folder / "demo.journal",
            download_to=folder,
            limits=Limits(requests_per_second=50),
            poll=PollPolicy(interval=0.5),
            on_event=tally.observe,
        ) as coordinator,
        shown(tally, output.mode),
        coordinator.as_completed([example.job for example in examples]) as ended,
    ):
        async for outcome in ended:
            tally.add(outcome)
            outcomes[outcome.key] = outcome
            output.note(f"{outcome.key}: {in_words(outcome.status)} ({tally.done}/{tally.total})")
    page = folder / "report.html"
    write_whole("--out", page, await page_of(await peek(folder / "demo.journal"), "demo"))
    return _told(examples, outcomes, folder, page)


def _told(examples: Sequence[_Example], outcomes: Mapping[str, Outcome], folder: Path, page: Path) -> int:
    rows = [_row(example, outcomes[example.job.key]) for example in examples]
    say_table(("JOB", "OUTCOME", "FACE", "SOUND", "UNITS", "FILE", "SHOWS"), rows)
    for example in examples:
        outcome = outcomes[example.job.key]
        if outcome.error is not None:
            say(f"{outcome.key}: {outcome.error}")
    surprises = [e.job.key for e in examples if not _is_expected(e, outcomes[e.job.key])]
    if surprises:
        tell(f"not as expected: {', '.join(surprises)}")
        return Exit.UNSUCCESSFUL
    say(f"every outcome is the expected one; the videos lie in {folder}, the report is {page}")
    return Exit.SUCCEEDED


def _is_expected(example: _Example, outcome: Outcome) -> bool:
    fetched = outcome.file is not None and outcome.file.is_file()
    return outcome.status is example.expected and fetched == (example.expected is Status.SUCCEEDED)


def _row(example: _Example, outcome: Outcome) -> Sequence[str]:
    plan = outcome.plan
    return (
        outcome.key,
        in_words(outcome.status),
        f"id:{outcome.face.face_id}" if outcome.face else "-",
        f"{plan.sound_start_ms}-{plan.sound_end_ms} ms at {plan.sound_insert_ms} ms" if plan else "-",
        units(outcome.units).removesuffix(" units"),
        outcome.file.name if outcome.file else "-",
        example.shows,
    )
