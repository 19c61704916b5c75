"""The house's chores: ``nox -s tests`` runs lint, types and tests; ``nox -s bench`` measures."""

from __future__ import annotations

import nox

nox.options.sessions = ["tests"]
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"


def _group(name: str) -> tuple[str, ...]:
    """The requirements of a dependency group, its own groups included."""
    return nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), name)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and the rules of ruff."""
    session.install(*_group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy --strict over the package, the tests and the benchmarks."""
    session.install("-e", ".[all]", *_group("types"))
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Lint, types, and every test."""
    session.install("-e", ".[all]", *_group("dev"), "nox")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("pytest", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmarks, side by side with their baselines; without options, the figures and the chart of the README."""
    session.install("-e", ".[all]", *_group("bench"))
    kept = ("--json", "benchmarks/figures.json", "--chart", "benchmarks/figures.svg")
    session.run("python", "-m", "benchmarks", *(session.posargs or kept))
