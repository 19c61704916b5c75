from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

ROOM = Path(__file__).parents[2] / "kling_lipsync" / "sandbox"


def _imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            names.add(node.module or "")
    return names


def test_the_sandbox_imports_nothing_else_of_the_package() -> None:
    """It is an independent reading of the API: a wrong field name cannot be wrong in both and pass."""
    for path in ROOM.glob("*.py"):
        ours = {name for name in _imported(path) if name.split(".")[0] == "kling_lipsync"}
        assert {name for name in ours if not name.startswith("kling_lipsync.sandbox")} == set(), path.name


@pytest.mark.parametrize("missing", ["av", "httptools", "starlette", "uvicorn"])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Importing the room without one of its libraries says what to install."""
    for name in [name for name in sys.modules if name.startswith("kling_lipsync.sandbox")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"pip install 'kling-lipsync\[sandbox\]'"):
        importlib.import_module("kling_lipsync.sandbox")
