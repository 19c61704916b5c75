from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from .driving import Line, World, served


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    """A sandbox on a real socket, for all tests of a module that leave it as it is."""
    with served() as world:
        yield world


@pytest.fixture
def world() -> Iterator[World]:
    """A sandbox of one test's own, on a real socket."""
    with served() as world:
        yield world


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Line]:
    """The command line in this process: in a folder of its own, with a key, and without the user's environment."""
    for name in ("KLING_GATEWAY", "KLING_BASE_URL", "KLING_ACCESS_KEY", "KLING_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KLING_API_KEY", "secret-key")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    before = list(logging.getLogger("kling_lipsync").handlers)
    line = Line(tmp_path, capsys)
    yield line
    logger = logging.getLogger("kling_lipsync")
    for handler in set(logger.handlers) - set(before):
        logger.removeHandler(handler)
        handler.close()
    assert "secret-key" not in line.told, "the key was shown"
