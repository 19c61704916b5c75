"""What differs between the gateways on the wire: the contract, and where its endpoints are."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

from attrs import Attribute, field, frozen, validators


class Contract(Enum):
    """How a lip-sync is asked for."""

    TWO_STEP = "two_step"
    """Faces are identified, then a task is created for one of them: Kling's documentation of lip-sync."""

    ONE_STEP = "one_step"
    """A task is created at once: Kling's older lip-sync, still served."""


_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def _path(_instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        raise ValueError(f"{attribute.name} has to be a path such as /v1/videos/lip-sync, and is {value!r}")


_optional_path: Any = validators.optional(_path)
_paths: Any = validators.deep_iterable(_path, validators.instance_of(tuple))


@frozen(kw_only=True)
class Dialect:
    """A gateway's paths below its base URL, in lower case; ``None`` where it has no such endpoint.

    ``tasks`` is where tasks are listed and, by their id, asked for; ``other_tasks`` are the places to ask when a task
    is not found there, for gateways whose documents disagree with their own endpoints.
    """

    contract: Contract = field(default=Contract.TWO_STEP, validator=validators.instance_of(Contract))
    identify: str | None = field(default="/v1/videos/identify-face", validator=_optional_path)
    create: str = field(default="/v1/videos/advanced-lip-sync", validator=_path)
    tasks: str = field(default="/v1/videos/advanced-lip-sync", validator=_path)
    other_tasks: tuple[str, ...] = field(default=(), validator=_paths)
    speech: str | None = field(default="/v1/audio/tts", validator=_optional_path)
    costs: str | None = field(default="/account/costs", validator=_optional_path)
