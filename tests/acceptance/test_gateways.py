"""A batch through the command line for each gateway, and for each way of answering that is known of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import SAMPLES, Served, cli

SPEED = ("--speed", "2000")
KEYS = {"cometapi": "COMETAPI_KEY"}

DIALECTS: dict[str, tuple[str, ...]] = {
    "official": ("--gateway", "official"),
    "official-cn": ("--gateway", "official-cn"),
    "cometapi": ("--gateway", "cometapi"),
    "cometapi whose query knows lip-sync only": ("--gateway", "cometapi", "--query-path", "lip-sync"),
    "chainhub": ("--gateway", "chainhub"),
    "yuto": ("--gateway", "yuto"),
    "ezmodel": ("--gateway", "ezmodel"),
    "ezmodel in a task's envelope": ("--gateway", "ezmodel", "--answers", "task"),
    "ezmodel, created in Kling's": ("--gateway", "ezmodel", "--answers", "task", "--created", "kling"),
    "video objects": ("--gateway", "chainhub", "--answers", "video"),
    "other words": ("--gateway", "chainhub", "--words", "newer"),
    "odd words": ("--gateway", "official", "--words", "odd"),
    "lean and late": ("--gateway", "official", "--spelling", "lean", "--list-delay", "1"),
    "texts for numbers": ("--gateway", "official", "--spelling", "text-times", "--spelling", "text-code"),
    "faces in a list": ("--gateway", "official", "--spelling", "face-list", "--spelling", "seconds"),
    "success as a word": ("--gateway", "official", "--spelling", "success-code", "--list-order", "oldest-first"),
}


def run(served: Served, folder: Path, gateway: str) -> tuple[int, list[dict[str, Any]], str]:
    """A batch of two jobs through the gateway: exit status, results, stderr."""
    shutil.copy(SAMPLES / "speech.mp3", folder)
    prefix = "" if gateway.startswith("official") else "/kling"
    rows = [f"{key},{served.video()},speech.mp3" for key in ("a", "b")]
    (folder / "jobs.csv").write_text("\n".join(["key,video_url,audio_file", *rows]))
    done = cli(
        *("run", "jobs.csv", "--gateway", gateway, "--base-url", served.url + prefix, "--download", "out"),
        *("--poll-interval", "0.1", "--reconcile-grace", "1", "--results", "results.jsonl"),
        cwd=folder,
        **{KEYS.get(gateway, "KLING_API_KEY"): "a-key"},
    )
    lines = (folder / "results.jsonl").read_text().splitlines() if (folder / "results.jsonl").exists() else []
    return done.returncode, [json.loads(line) for line in lines], done.stderr


@pytest.mark.parametrize("options", DIALECTS.values(), ids=DIALECTS.keys())
def test_a_batch_in_each_dialect(serve: Callable[..., Served], tmp_path: Path, options: tuple[str, ...]) -> None:
    """Whatever the gateway's spelling, two jobs succeed, two tasks are bought, two videos come to disk."""
    served = serve(*SPEED, *options)
    status, results, stderr = run(served, tmp_path, options[1])
    assert status == 0, stderr
    assert [line["status"] for line in results] == ["succeeded"] * 2
    assert all((tmp_path / line["file"]).stat().st_size > 10_000 for line in results)
    stats = served.stats()
    assert stats["tasks"] == 2
    assert stats["leaked_keys"] == 0


@pytest.mark.parametrize("shape", ["kling", "kling-200", "openai", "openai-bare", "nested", "wrapped", "numeric"])
def test_a_refusal_in_each_shape(serve: Callable[..., Served], tmp_path: Path, shape: str) -> None:
    """A content refusal fails its jobs with the reason, however the gateway words it; nothing is in doubt."""
    served = serve(*SPEED, "--gateway", "chainhub", "--errors", shape)
    served.post("/sandbox/faults", {"kind": "1301", "endpoint": "create"})
    status, results, stderr = run(served, tmp_path, "chainhub")
    assert status == 1, stderr
    assert {line["status"] for line in results} == {"failed"}
    assert {line["error"]["type"] for line in results} <= {"ContentRejected", "InvalidRequest"}
    assert {line["units_in_doubt"] for line in results} == {0}
