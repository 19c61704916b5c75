from __future__ import annotations

from pathlib import Path

import pytest

from kling_lipsync.cli._single import state_folder
from kling_lipsync.errors import ConfigurationError

from .driving import QUICK_PACE, SAMPLES, Ended, Line, World


def one(line: Line, world: World, *options: object, audio: object = SAMPLES / "speech.wav") -> Ended:
    """Runs one job on a sample."""
    media = ("--video", world.media("one-face.mp4"), "--audio", audio)
    return line("run", *media, "--base-url", world.url, *QUICK_PACE, *options)


def test_one_job(line: Line, world: World) -> None:
    """One job writes its file where it was asked for, and the file's name to stdout."""
    ended = one(line, world, "-o", "out/one.mp4")
    assert ended.status == 0
    assert ended.out == f"{line.folder / 'out' / 'one.mp4'}\n"
    assert (line.folder / "out" / "one.mp4").stat().st_size > 10_000


def test_the_same_line_never_pays_twice(line: Line, world: World) -> None:
    """The same inputs are the same job: a second run fetches what was bought, into another file too."""
    one(line, world, "-o", "one.mp4")
    assert one(line, world, "-o", "one.mp4").status == 0
    second = one(line, world, "-o", "two.mp4")
    assert second.out == f"{line.folder / 'two.mp4'}\n"
    assert (line.folder / "one.mp4").read_bytes() == (line.folder / "two.mp4").read_bytes()
    assert world.stats["tasks"] == 1


def test_again_pays_again(line: Line, world: World) -> None:
    """--again makes a new job of the same inputs, each time."""
    for bought in (1, 2, 3):
        assert one(line, world, "--again", "-o", "one.mp4").status == 0
        assert world.stats["tasks"] == bought


def test_again_goes_on_with_what_has_not_ended(line: Line, world: World) -> None:
    """--again after an interruption goes on with the job that was left, instead of buying a third."""
    one(line, world, "-o", "one.mp4")
    world.sandbox.faults.add_json({"kind": "stuck", "endpoint": "create", "count": 1})
    assert one(line, world, "--again", "--task-timeout", "0.5").status == 1
    assert one(line, world, "--again", "--task-timeout", "0.5").status == 1
    assert world.stats["tasks"] == 2


def test_other_inputs_are_another_job(line: Line, world: World) -> None:
    """Another setting, another sound, and another content under the same name, are jobs of their own."""
    sound = line.folder / "sound.wav"
    sound.write_bytes((SAMPLES / "speech.wav").read_bytes())
    names = {one(line, world, audio=sound).out, one(line, world, "--sound-insert-ms", "100", audio=sound).out}
    sound.write_bytes((SAMPLES / "speech.mp3").read_bytes())
    names.add(one(line, world, audio=sound).out)
    assert len(names) == 3
    assert all(Path(name.strip()).is_file() for name in names)
    assert world.stats["tasks"] == 3


def test_a_text(line: Line, world: World) -> None:
    """A text is spoken, and becomes a job's sound; speak alone gives an id to use."""
    text = "The quick brown fox jumps over the lazy dog."
    voice = ("--voice-id", "oversea_male1", "--voice-language", "en")
    media = ("--video", world.media("one-face.mp4"), "--base-url", world.url, *QUICK_PACE)
    assert line("run", *media, "--text", text, *voice, "-o", "a.mp4").status == 0
    (spoken,) = line("speak", text, *voice, "--base-url", world.url).lines
    length = ("--sound-end-ms", spoken["duration_ms"] - 40)
    assert line("run", *media, "--audio-id", spoken["audio_id"], *length, "-o", "b.mp4").status == 0
    assert (line.folder / "b.mp4").is_file()


def test_a_refused_job(line: Line, shared: World) -> None:
    """A job that is refused says why, writes nothing to stdout, and ends with status 1."""
    ended = one(line, shared, audio=SAMPLES / "short.wav")
    assert (ended.status, ended.out) == (1, "")
    assert ": invalid: " in ended.err


def test_where_single_jobs_are_journalled(tmp_path: Path) -> None:
    """The state folder is the platform's, for the user alone; where there can be none it says so."""
    folder = state_folder({"XDG_STATE_HOME": str(tmp_path)}, "linux")
    assert folder == tmp_path / "kling-lipsync"
    assert folder.stat().st_mode & 0o077 == 0
    assert state_folder({"LOCALAPPDATA": str(tmp_path / "local")}, "win32") == tmp_path / "local" / "kling-lipsync"
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="--journal"):
        state_folder({"XDG_STATE_HOME": str(tmp_path / "file")}, "linux")
