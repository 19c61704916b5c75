"""What a table of rules is made of: each row has a name, says whom it concerns, and judges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from attrs import field, frozen

from ..errors import InvalidJob
from ..models import Problem, Verdict

Subject = TypeVar("Subject")


@frozen
class Finding:
    """What a rule has to say against its subject."""

    message: str
    verdict: Verdict = Verdict.FAIL


def unknown(message: str) -> Finding:
    """The finding of a rule that could not be checked."""
    return Finding(message, Verdict.UNKNOWN)


def everyone(_subject: object) -> bool:
    """Whom a rule concerns, unless its row says otherwise."""
    return True


@frozen
class Rule(Generic[Subject]):
    """One row: ``judge`` gives ``None`` where the subject passes; it is asked only where the rule ``concerns`` it."""

    name: str
    judge: Callable[[Subject], Finding | None]
    concerns: Callable[[Subject], bool] = field(default=everyone, kw_only=True)


def judge_all(rules: Iterable[Rule[Subject]], subject: Subject) -> tuple[Problem, ...]:
    """What the rules have to say against the subject, in the order of the table."""
    findings = ((rule.name, rule.judge(subject)) for rule in rules if rule.concerns(subject))
    return tuple(Problem(name, found.message, found.verdict) for name, found in findings if found)


def refusal(problems: Iterable[Problem]) -> InvalidJob:
    """The error for a job that breaks rules; what could not be checked is left out."""
    failed = tuple(problem for problem in problems if problem.verdict is Verdict.FAIL)
    return InvalidJob("; ".join(problem.message for problem in failed), failed)
