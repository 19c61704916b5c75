"""The repository held to its own promises: who may import whom, what the root exports, where wire names stand."""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import kling_lipsync

PACKAGE = Path(kling_lipsync.__file__).parent
TREE = {path: ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}

LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(names.split())
    for names in (
        "_version",
        "models",
        "policies",
        "errors",
        "_later",
        "events",
        "abc",
        "_tasks _protocol",
        "gateways",
        "_transport _media _checks _journal faces",
        "client",
        "_workflow",
        "coordinator",
        "callbacks manifest _report testing",
        "cli",
    )
)
"""From the lowest to the highest; the rooms of one layer never import each other."""

UP_ONLY_FOR_SANDBOX = frozenset({"testing", "cli"})


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """The rooms of this package that a file imports anywhere in it, under TYPE_CHECKING too."""
    parts = ("kling_lipsync", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(TREE[path]):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "kling_lipsync" else [module]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("kling_lipsync."))


def level(room: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if room in rooms)


FILES = sorted(path for path in TREE if room_of(path) not in ("__init__", "__main__"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_strictly_downward(path: Path) -> None:
    """A room imports only rooms of lower layers; the sandbox imports nothing of the package, and only two import it."""
    room = room_of(path)
    for imported in imports_of(path):
        if imported == room:
            continue
        if room == "sandbox":
            pytest.fail(f"the sandbox imports {imported}")
        if imported == "sandbox":
            assert room in UP_ONLY_FOR_SANDBOX, f"{room} imports the sandbox"
        else:
            assert level(imported) < level(room), f"{room} imports {imported}, which is not below it"


def test_the_root_exports_a_sorted_list_of_names_that_exist() -> None:
    """``__all__`` is sorted, short, complete, and of the errors names only the root."""
    names = kling_lipsync.__all__
    assert names == sorted(names)
    assert len(names) <= 35
    assert all(hasattr(kling_lipsync, name) for name in names)
    errors = {name for name in names if isinstance(getattr(kling_lipsync, name), type)} & set(
        vars(kling_lipsync.errors)
    )
    assert {name for name in errors if issubclass(getattr(kling_lipsync, name), Exception)} == {"KlingError"}


def test_the_package_says_that_it_is_typed_and_every_module_imports() -> None:
    """Type checkers find ``py.typed``; nothing breaks on import."""
    assert (PACKAGE / "py.typed").exists()
    for module in pkgutil.walk_packages([str(PACKAGE)], "kling_lipsync."):
        if not module.name.endswith((".__main__", ".remake")):
            __import__(module.name)


def test_every_error_answers_its_two_questions() -> None:
    """Each class of the tree says whether it may pass by itself and whether Kling may have acted."""
    transient = {"NotSent", "AnswerLost", "RateLimited", "SlotsFull", "ServerError", "DownloadError"}
    acted = {"AnswerLost", "ServerError", "ProtocolError"}
    kinds = [kind for kind in vars(kling_lipsync.errors).values() if isinstance(kind, type)]
    named = {kind.__name__: kind for kind in kinds if issubclass(kind, kling_lipsync.KlingError)}
    assert {name for name, kind in named.items() if kind.transient} == transient
    assert {name for name, kind in named.items() if kind.may_have_acted} == acted
