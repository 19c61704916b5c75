"""What differs between the gateways on the wire: the contract, and where its endpoints are."""

from __future__ import annotations

from enum import Enum
from typing import Any

from attrs import field, frozen, validators


class Contract(Enum):
    """How a lip-sync is asked for."""

    TWO_STEP = "two_step"
    """Faces are identified, then a task is created for one of them: Kling's documentation of lip-sync."""

    ONE_STEP = "one_step"
    """A task is created at once: Kling's older lip-sync, still served."""


_path: Any = validators.matches_re(r"/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-]")
_optional_path: Any = validators.optional(_path)


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
    other_tasks: tuple[str, ...] = field(default=(), validator=validators.deep_iterable(_path))
    speech: str | None = field(default="/v1/audio/tts", validator=_optional_path)
    costs: str | None = field(default="/account/costs", validator=_optional_path)
