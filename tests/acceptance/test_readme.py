"""The README does what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from kling_lipsync._workflow.state import TRANSITIONS

from .conftest import SAMPLES, Served, environment

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def script(url: str) -> str:
    """The README's script, on rows of the test's own."""
    found = re.search(r"```python\n(import asyncio.*?)```", README, re.DOTALL)
    assert found is not None
    rows = [("anna", f"{url}/media/one-face.mp4", "speech.mp3"), ("both", f"{url}/media/two-faces.mp4", "speech.mp3")]
    return re.sub(r"^rows = .*$", f"rows = {rows!r}", found[1], flags=re.MULTILINE)


def test_the_script_of_the_readme_runs_as_it_stands_and_resumes(serve: Callable[..., Served], tmp_path: Path) -> None:
    """Run once, it brings two videos to disk; run again, it asks Kling for nothing."""
    served = serve("--speed", "200")
    shutil.copy(SAMPLES / "speech.mp3", tmp_path)
    (tmp_path / "script.py").write_text(script(served.url))
    env = environment(KLING_API_KEY="readme-key", KLING_BASE_URL=served.url)

    def run() -> list[str]:
        done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.stderr == ""
        return sorted(done.stdout.splitlines())

    first = run()
    requests = served.stats()["requests"]
    assert first == ["anna succeeded out/anna.mp4 None", "both succeeded out/both.mp4 None"]
    assert run() == first
    assert served.stats()["requests"] == requests
    assert (tmp_path / "out" / "anna.mp4").stat().st_size > 10_000


def test_the_diagram_of_the_readme_is_drawn_from_the_table() -> None:
    """The picture of a job's way is the table of transitions, row by row."""
    assert diagram() in README, f"put this into the README:\n{diagram()}"


def diagram() -> str:
    """The table of transitions as Mermaid draws it; ways back for later runs are left out."""
    drawn: dict[tuple[str, str], list[str]] = {}
    for (step, row), target in TRANSITIONS.items():
        if target is not step:
            drawn.setdefault((step.name, target.name), []).append(row)
    lines = [f"    {step} --> {target}: {' / '.join(rows)}" for (step, target), rows in drawn.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> CHECK", *lines, "    DONE --> [*]", "```"])
