"""Failures on demand: which request, how often, before or after the sandbox has acted."""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import Enum
from typing import Any

from attrs import asdict, define, field
from attrs.validators import ge, in_, instance_of, le, optional

from kling_lipsync.sandbox.refusals import REFUSALS, wrong

KINDS = {
    **{str(code): f"answers Kling's code {code}" for code in REFUSALS},
    "502": "answers a proxy's HTML page with HTTP 502",
    "429": "answers HTTP 429 without a code of Kling's",
    "html": "answers an HTML page with HTTP 200",
    "drop": "closes the connection without a byte of an answer",
    "cut": "closes the connection after half of the answer",
    "stall": "answers after ``seconds``",
    "fail": "the task that this create makes will fail with ``message``",
    "stuck": "the task that this create makes will stay in processing for ever",
}
"""Every kind of fault, with what it does."""

ENDPOINTS = (
    "identify", "create", "query", "list", "tts", "costs",
    "one_step_create", "one_step_query", "one_step_list", "media", "results", "*",
)  # fmt: skip
"""The names by which faults and statistics call the endpoints; ``*`` is any of them."""


class When(Enum):
    """Whether a fault strikes before the request is carried out, or after it was."""

    BEFORE = "before"
    AFTER = "after"


class Stage(Enum):
    """The four moments at which a request asks whether a fault strikes."""

    BEFORE = "before acting"
    TASK = "when a task is made"
    AFTER = "after acting"
    SENDING = "while the answer is sent"


@define
class Fault:
    """One rule: strikes the requests to ``endpoint`` with ``probability``, at most ``count`` times.

    Before that it lets ``skip`` of them pass. `KINDS` lists what ``kind`` may be; ``seconds`` is for a stall,
    ``message`` and ``retry_after`` (seconds) are for the answer. A field with a wrong value raises ValueError or
    TypeError.
    """

    kind: str = field(validator=in_(KINDS))
    endpoint: str = field(default="*", validator=in_(ENDPOINTS))
    when: When = field(kw_only=True, default=When.BEFORE, converter=When)
    probability: float = field(kw_only=True, default=1.0, validator=[instance_of(int | float), ge(0), le(1)])
    count: int | None = field(kw_only=True, default=None, validator=optional([instance_of(int), ge(0)]))
    skip: int = field(kw_only=True, default=0, validator=[instance_of(int), ge(0)])
    seconds: float = field(kw_only=True, default=60.0, validator=[instance_of(int | float), ge(0)])
    retry_after: float | None = field(kw_only=True, default=None, validator=optional(instance_of(int | float)))
    message: str | None = field(kw_only=True, default=None, validator=optional(instance_of(str)))
    struck: int = field(default=0, init=False)

    @property
    def stage(self) -> Stage:
        """When this fault asks to strike."""
        if self.kind in {"fail", "stuck"}:
            return Stage.TASK
        if self.kind == "cut":
            return Stage.SENDING
        return Stage.BEFORE if self.when is When.BEFORE else Stage.AFTER

    def as_dict(self) -> dict[str, Any]:
        """The rule and how often it struck, for JSON."""
        return asdict(self, value_serializer=lambda _, __, value: value.value if isinstance(value, When) else value)


@define
class Faults:
    """The rules in force. The first that fits a request strikes."""

    seed: int = 0
    rules: list[Fault] = field(factory=list, init=False)
    _chance: random.Random = field(init=False, repr=False)

    @_chance.default
    def _seeded(self) -> random.Random:
        return random.Random(self.seed)  # noqa: S311 - it picks requests, it keeps no secrets

    def add(self, fault: Fault) -> Fault:
        """Puts a rule in force."""
        self.rules.append(fault)
        return fault

    def add_json(self, rules: object) -> list[Fault]:
        """Puts one rule or a list of rules in force, as JSON has them.

        Raises:
            Refused: 1201 for a rule that is not one.
        """
        faults = [_from_json(rule) for rule in (rules if isinstance(rules, list) else [rules])]
        self.rules += faults
        return faults

    def clear(self) -> None:
        """No more faults."""
        self.rules.clear()

    def draw(self, endpoint: str, stage: Stage) -> Fault | None:
        """The fault that strikes this request at this moment, if any."""
        fitting = (rule for rule in self.rules if rule.stage is stage and rule.endpoint in (endpoint, "*"))
        return next((rule for rule in fitting if self._strikes(rule)), None)

    def _strikes(self, fault: Fault) -> bool:
        if fault.count is not None and fault.struck >= fault.count:
            return False
        if fault.skip > 0:
            fault.skip -= 1
            return False
        if fault.probability < 1 and self._chance.random() >= fault.probability:
            return False
        fault.struck += 1
        return True


def _from_json(rule: object) -> Fault:
    if not isinstance(rule, Mapping):
        raise wrong("a fault is an object with a kind, one of " + ", ".join(KINDS))
    try:
        return Fault(**rule)
    except (ValueError, TypeError) as error:
        raise wrong(f"fault: {error.args[0]}") from error
