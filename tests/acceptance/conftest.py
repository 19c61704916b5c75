"""Whole programs in processes of their own, over real sockets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

SAMPLES = Path(__file__).parents[2] / "kling_lipsync" / "sandbox" / "samples"


@frozen
class Served:
    """A sandbox in a process of its own."""

    url: str

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    def post(self, path: str, body: Any) -> None:
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data=data, headers=headers)  # noqa: S310 - loopback
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310 - loopback

    def stats(self) -> dict[str, Any]:
        return dict(self.get("/sandbox/stats"))

    def video(self, name: str = "one-face.mp4") -> str:
        return f"{self.url}/media/{name}"


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Starts sandboxes with the command line's options; they end with the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str) -> Served:
        command = [sys.executable, "-m", "kling_lipsync.cli", "sandbox", "--port", "0", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603
        processes.append(process)
        assert process.stdout is not None
        return Served(process.stdout.readline().strip())

    yield start
    for process in processes:
        process.terminate()
    for process in processes:
        process.communicate(timeout=30)


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without anything of Kling's, and with ``variables``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KLING_", "COMETAPI_"))}
    return {**kept, "COLUMNS": "200", **variables}


def cli(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """``kling-lipsync`` with ``arguments``, in the folder ``cwd``."""
    command = [sys.executable, "-m", "kling_lipsync.cli", *arguments]
    env = environment(**{"KLING_API_KEY": "acceptance-key", **variables})
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
