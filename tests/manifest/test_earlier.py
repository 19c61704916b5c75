from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from kling_lipsync.errors import ConfigurationError
from kling_lipsync.manifest import Listed, keep_beside, listed

LINE = '{{"key": "{}", "status": "{}"}}\n'


def test_what_is_paid(tmp_path: Path) -> None:
    """A job that succeeded, runs or is in doubt is paid, or may be; one that failed or was refused has nothing."""
    path = tmp_path / "r.jsonl"
    words = ("succeeded", "running", "in_doubt", "failed", "invalid", "some-new-word")
    path.write_text("".join(LINE.format(word, word) for word in words))
    assert [job.key for job in listed(path) if job.paid] == ["succeeded", "running", "in_doubt"]
    assert [job.key for job in listed(path)] == list(words)


@pytest.mark.parametrize(
    "broken",
    [
        b'{"key": "b", "sta',
        b"\xff\xfe\x00",
        b"\x00" * 4096,
        b"[" * 100_000,
        b"5",
        b'"status"',
        b'{"key": 7, "status": "running"}',
        b'{"key": "b", "status": ["running"]}',
        b'{"key": "b", "status": "succeeded", "x": "' + b"x" * 1024 * 1024 + b'"}',
        b'{"key": "b", "x": ' + b"9" * 5000 + b"}",
    ],
)
def test_lines_that_are_no_results_are_passed_over(tmp_path: Path, broken: bytes) -> None:
    """Half a line, as a killed process leaves it, and hostile ones neither stop the reading nor list anything."""
    path = tmp_path / "r.jsonl"
    good = LINE.format("a", "running").encode()
    path.write_bytes(good + broken + b"\n" + good + broken)
    assert list(listed(path)) == [Listed("a", True), Listed("a", True)]


@pytest.mark.parametrize(
    "content", [b"key,video_url\n", b'{"key": "a", "video_url": "x"}\n', b"5\n", b"[" * 10**6, b"\n"]
)
def test_a_file_that_holds_something_else(tmp_path: Path, content: bytes) -> None:
    """A file whose first line is no result is another program's: it is refused, whatever its line is."""
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="holds no results"):
        list(listed(path))


def test_nothing_is_listed(tmp_path: Path) -> None:
    """A missing file and an empty one list nothing; a folder cannot be read."""
    (tmp_path / "empty").touch()
    assert list(listed(tmp_path / "empty")) == list(listed(tmp_path / "none")) == []
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        list(listed(tmp_path))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Results are read a line at a time."""
    path = tmp_path / "r.jsonl"
    with path.open("w") as file:
        file.writelines(f'{{"key": "k{n}", "status": "succeeded", "x": "{"x" * 1000}"}}\n' for n in range(5_000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in listed(path)) == 5_000
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def test_copies_are_kept_beside(tmp_path: Path) -> None:
    """Each copy has a name of its own, and none is written over."""
    path = tmp_path / "r.jsonl"
    for content in ("first", "second"):
        path.write_text(content)
        keep_beside(path)
    assert (tmp_path / "r.jsonl.1").read_text() == "first"
    assert (tmp_path / "r.jsonl.2").read_text() == "second"
    assert path.read_text() == "second"


def test_a_copy_that_cannot_be_made(tmp_path: Path) -> None:
    """Where no copy can be kept, that is told and nothing goes on."""
    with pytest.raises(ConfigurationError, match="no copy can be kept"):
        keep_beside(tmp_path / "none" / "r.jsonl")
