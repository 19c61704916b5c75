"""Strict reading of one JSON object: each value has its type, or the refusal names the field."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from attrs import field, frozen

from kling_lipsync.sandbox.dialect import Numbers
from kling_lipsync.sandbox.refusals import Refused, wrong

T = TypeVar("T")

WHOLE = re.compile(r"-?[0-9]{1,16}")
DECIMAL = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,16})?")


def parse_json(body: bytes) -> object:
    """The JSON value that a request's body holds.

    Raises:
        Refused: 1200.
    """
    try:
        value: object = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(1200, "The request body is not valid JSON") from error
    return value


def parse_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object that a request's body holds.

    Raises:
        Refused: 1200.
    """
    value = parse_json(body)
    if not isinstance(value, Mapping):
        raise Refused(1200, "The request body must be a JSON object")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def is_web_url(value: str) -> bool:
    """Whether this is an http(s) address with a host."""
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


@frozen
class Fields:
    """The fields of one object. Null, and an empty text, count as absent; ``path`` is where the object stands.

    ``numbers`` says whether texts count as numbers.
    """

    values: Mapping[str, Any]
    path: str = ""
    numbers: Numbers = Numbers.NUMBERS
    read: set[str] = field(factory=set, init=False, eq=False)
    """Which fields somebody asked for."""

    def label(self, name: str) -> str:
        """The field's name as a refusal says it."""
        return f"{self.path}.{name}" if self.path else name

    def unknown(self) -> list[str]:
        """The labels of fields that nobody asked for."""
        return sorted(self.label(name) for name in self.values if name not in self.read)

    def text(self, name: str, most: int | None = None) -> str:
        """A text, ``""`` where it is absent."""
        value = self._typed(name, "a string", str)
        if most is not None and len(value or "") > most:
            raise wrong(f"{self.label(name)}: must not be longer than {most} characters")
        return value or ""

    def required_text(self, name: str, most: int | None = None) -> str:
        """A text that must be there."""
        value = self.text(name, most)
        if not value:
            raise wrong(f"{self.label(name)}: must not be empty")
        return value

    def url(self, name: str) -> str:
        """An http(s) address, ``""`` where it is absent."""
        value = self.text(name)
        if value and not is_web_url(value):
            raise wrong(f"{self.label(name)}: must be an http or https URL")
        return value

    def required_int(self, name: str, low: int | None = None) -> int:
        """A whole number that must be there."""
        digits = self._digits(name, WHOLE)
        if digits is None and self.numbers is Numbers.TEXTS:
            raise wrong(f"{self.label(name)}: must be a string of digits")
        value = self._typed(name, "an integer", int) if digits is None else int(digits)
        if value is None:
            raise wrong(f"{self.label(name)}: must not be null")
        if low is not None and value < low:
            raise wrong(f"{self.label(name)}: must be greater than or equal to {low}")
        return value

    def number(self, name: str, default: float, low: float, high: float, *, shown: str = "") -> float:
        """A number between two bounds, both allowed; ``shown`` is its name in refusals where that is another one."""
        digits = self._digits(name, DECIMAL)
        value = self._typed(name, "a number", (int, float)) if digits is None else float(digits)
        number = default if value is None else value
        if number < low:
            raise wrong(f"{self.label(shown or name)}: must be greater than or equal to {low}")
        if number > high:
            raise wrong(f"{self.label(shown or name)}: must be less than or equal to {high}")
        return float(number)

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of some words."""
        value = self.text(name) or default
        if value not in allowed:
            raise wrong(f"{self.label(name)}: must be one of {', '.join(allowed)}")
        return value

    def flag(self, name: str) -> bool:
        """True or false; false where it is absent."""
        return bool(self._typed(name, "a boolean", bool))

    def object(self, name: str) -> Fields | None:
        """An object within this one."""
        value = self._typed(name, "an object", dict)
        return None if value is None else Fields(value, self.label(name), self.numbers)

    def only_object(self, name: str) -> Fields:
        """The object that is alone in an array."""
        value = self._typed(name, "an array", list)
        if not value:
            raise wrong(f"{self.label(name)}: must not be empty")
        if len(value) > 1:
            raise wrong(f"{self.label(name)}: only one element is supported")
        if not isinstance(value[0], Mapping):
            raise wrong(f"{self.label(name)}[0]: must be an object")
        return Fields(value[0], f"{self.label(name)}[0]", self.numbers)

    def one_of(self, one: str, other: str) -> str:
        """The name of that one of two fields which is there.

        Raises:
            Refused: 1201, where both are or neither is.
        """
        here, there = self.text(one), self.text(other)
        if here and there:
            raise wrong(f"{self.label(one)} and {self.label(other)} are mutually exclusive")
        if not here and not there:
            raise wrong(f"{self.label(one)} or {self.label(other)} is required")
        return one if here else other

    def _digits(self, name: str, form: re.Pattern[str]) -> str | None:
        """A number that was written as a text, where that is understood."""
        self.read.add(name)
        value = self.values.get(name)
        if self.numbers is Numbers.NUMBERS or not isinstance(value, str):
            return None
        return value if form.fullmatch(value) else None

    def _typed(self, name: str, what: str, kinds: type[T] | tuple[type[T], ...]) -> T | None:
        self.read.add(name)
        value = self.values.get(name)
        if value is None:
            return None
        # Python takes a bool for an int.
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            raise wrong(f"{self.label(name)}: must be {what}")
        return value
