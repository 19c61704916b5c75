"""Events, outcomes and face sessions as JSON text, and units of money as whole millionths.

What is left out of the text has its default: a default is part of the format. The ``raw`` answers of Kling are never
written, so that no body and no signed secret enters the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal, DecimalException
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from attrs import fields_dict, has
from cattrs import Converter
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from ..errors import JournalError
from ..events import EVENTS, Event, Outcome
from ..models import FaceSession

T = TypeVar("T")

COLUMNS = frozenset(fields_dict(Event))
"""The fields of an event that have columns of their own."""

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_RAW = frozenset({"raw"})
_MILLION = Decimal(1_000_000)
_MOST = 10**15
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, ForbiddenExtraKeysError)


@cache
def _converter() -> Converter:
    converter = Converter(omit_if_default=True, forbid_extra_keys=True, detailed_validation=False)
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, lambda text, _: Decimal(text))
    converter.register_unstructure_hook(Path, str)
    converter.register_structure_hook(Path, lambda text, _: Path(text))
    converter.register_unstructure_hook_factory(has, lambda kind: _writer(converter, kind))
    converter.register_structure_hook_factory(has, lambda kind: _reader(converter, kind))
    converter.register_structure_hook_factory(_is_optional, lambda kind: _optional_reader(converter, kind))
    return converter


def _writer(converter: Converter, kind: type[Any]) -> Callable[[Any], dict[str, Any]]:
    unwritten = _RAW | (COLUMNS if issubclass(kind, Event) else frozenset())
    return make_dict_unstructure_fn(kind, converter, _cattrs_omit_if_default=True, **_omitted(kind, unwritten))


def _reader(converter: Converter, kind: type[Any]) -> Callable[[Any, Any], Any]:
    strict: dict[str, Any] = {"_cattrs_forbid_extra_keys": True, "_cattrs_detailed_validation": False}
    return make_dict_structure_fn(kind, converter, **strict, **_omitted(kind, _RAW))


def _is_optional(kind: Any) -> bool:  # noqa: ANN401 - whatever an annotation may say
    return get_origin(kind) in (Union, UnionType) and len(get_args(kind)) == 2 and NoneType in get_args(kind)


def _optional_reader(converter: Converter, kind: Any) -> Callable[[Any, Any], Any]:  # noqa: ANN401 - as above
    # What an optional field holds is looked up once, and not, as cattrs does it, for each value.
    inner = next(each for each in get_args(kind) if each is not NoneType)
    if inner is str:
        return lambda value, _: value
    structure = converter.get_structure_hook(inner)
    return lambda value, _: None if value is None else structure(value, inner)


def _omitted(kind: type[Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: override(omit=True) for name in names & fields_dict(kind).keys()}


def _encode(value: object) -> str:
    try:
        return _ENCODER.encode(_converter().unstructure(value))
    except (TypeError, ValueError) as error:
        raise JournalError(f"the journal cannot keep a {type(value).__name__}: {error}") from error


def _decode(text: str, kind: type[T], **columns: object) -> T:
    try:
        return _converter().structure({**json.loads(text), **columns}, kind)
    except _UNREADABLE as error:
        raise JournalError(
            f"the journal holds a {kind.__name__} that this version of kling_lipsync cannot read "
            f"({type(error).__name__}: {error}): use the version that wrote it"
        ) from error


def encode_event(event: Event) -> str:
    """The facts of ``event`` but for those that have columns. Raises ``JournalError`` for what JSON cannot say."""
    return _encode(event)


def decode_event(kind: str, facts: str, **columns: object) -> Event:
    """The event again, ``columns`` being its ``seq``, ``key``, ``version``, ``attempt`` and ``at``.

    Raises ``JournalError`` for a kind or a field that this version does not know.
    """
    if kind not in EVENTS:
        raise JournalError(
            f"the journal holds a {kind}, which this version of kling_lipsync does not know: use the version that "
            "wrote it"
        )
    return _decode(facts, EVENTS[kind], **columns)


def encode_outcome(outcome: Outcome) -> str:
    """An outcome as text. Raises ``JournalError`` for what JSON cannot say."""
    return _encode(outcome)


def plain_outcome(outcome: Outcome) -> dict[str, Any]:
    """An outcome in values that JSON has, as the journal keeps it: what is left out has its default."""
    plain: dict[str, Any] = _converter().unstructure(outcome)
    return plain


def decode_plain(text: str) -> dict[str, Any]:
    """The same of an outcome that is kept as text. Raises ``JournalError`` for what is no such text."""
    try:
        plain: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise JournalError(f"the journal holds an Outcome that cannot be read ({error})") from error
    return plain


def decode_outcome(text: str) -> Outcome:
    """The outcome again. Raises ``JournalError`` for what this version does not know."""
    return _decode(text, Outcome)


def encode_session(session: FaceSession) -> str:
    """A face session as text. Raises ``JournalError`` for what JSON cannot say."""
    return _encode(session)


def decode_session(text: str) -> FaceSession:
    """The face session again. Raises ``JournalError`` for what this version does not know."""
    return _decode(text, FaceSession)


def to_millionths(units: Decimal, rounding: str = ROUND_CEILING) -> int:
    """``units`` in whole millionths; what is smaller is rounded up, so that no spending is understated.

    Raises ``JournalError`` for what is not a number, or beyond a thousand million units.
    """
    try:
        millionths = int((units * _MILLION).to_integral_value(rounding=rounding))
    except (ArithmeticError, DecimalException, ValueError) as error:
        raise JournalError(f"the journal cannot count {units} units") from error
    if abs(millionths) > _MOST:
        raise JournalError(f"the journal cannot count {units} units")
    return millionths


def from_millionths(millionths: int) -> Decimal:
    """Units from whole millionths."""
    return Decimal(millionths) / _MILLION
