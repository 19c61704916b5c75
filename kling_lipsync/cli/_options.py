"""Options that several commands share, and what they are made into."""

from __future__ import annotations

import json
import logging
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

from attrs import evolve, fields, frozen
from cyclopts import Group, Parameter, Token

from ..client import KlingClient
from ..errors import ConfigurationError
from ..gateways import Gateway, load_gateway
from ..models import Prices
from ._console import tell
from ._progress import Mode

_LARGEST = 1e9
_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def above_zero(_hint: Any, value: float | None) -> None:  # noqa: ANN401 - a type, as cyclopts hands it over
    """A validator for cyclopts: a number above 0, and not infinite."""
    if value is not None and not 0 < value < _LARGEST:
        raise ValueError(f"Give a number above 0 and below {_LARGEST:g}.")


def _whole(_hint: Any, tokens: Sequence[Token]) -> int:  # noqa: ANN401 - a type, as cyclopts hands it over
    """A converter for cyclopts, whose own would round 1.5."""
    return int(tokens[0].value)


def amount(text: str) -> Decimal:
    """An amount of units as it is written. Raises ValueError for what is none."""
    try:
        units = Decimal(text)
    except InvalidOperation:
        units = Decimal("NaN")
    if not units.is_finite() or not 0 <= units < Decimal(_LARGEST):
        raise ValueError(f"{text!r} is no amount of units.")
    return units


def _converted_amount(_hint: Any, tokens: Sequence[Token]) -> Decimal:  # noqa: ANN401 - a type, as cyclopts hands it over
    return amount(tokens[0].value)


Positive = Annotated[float, Parameter(validator=above_zero)]
Count = Annotated[int, Parameter(converter=_whole, validator=above_zero)]
Whole = Annotated[int, Parameter(converter=_whole)]
Units = Annotated[Decimal, Parameter(converter=_converted_amount, validator=above_zero)]


@Parameter(name="*", group=Group("Common", sort_key=20))
@frozen(kw_only=True)
class Output:
    """How a command tells what it does."""

    verbose: Annotated[int, Parameter(name=["--verbose", "-v"], count=True)] = 0
    """Tell more on stderr; twice for everything."""

    log_file: Path | None = None
    """Write the whole log to this file as well."""

    progress: Mode = "auto"
    """Progress on stderr: bars on a terminal and else a line a minute (auto), or as you say."""

    quiet: bool = False
    """No progress; on stderr nothing but errors."""

    @property
    def mode(self) -> Mode:
        """How progress is shown."""
        return "none" if self.quiet else self.progress

    def note(self, message: str) -> None:
        """Writes a message to stderr, unless it is to be quiet."""
        if not self.quiet:
            tell(message)

    def set_up(self) -> None:
        """Sends the package's log where it is wanted. Raises ConfigurationError for a file that cannot be written."""
        logger = logging.getLogger("kling_lipsync")
        levels = [logging.ERROR if self.quiet else _LEVELS[min(self.verbose, len(_LEVELS) - 1)]]
        logger.addHandler(_handler(_ToStderr(), levels[0]))
        if self.log_file is not None:
            levels.append(logging.DEBUG)
            logger.addHandler(_handler(_log_file(self.log_file), logging.DEBUG))
        logger.setLevel(min(levels))


class _ToStderr(logging.Handler):
    """Writes through the console, so that a bar on the terminal stays whole."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(self.format(record))


def _handler(handler: logging.Handler, level: int) -> logging.Handler:
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    return handler


def _log_file(path: Path) -> logging.Handler:
    try:
        return logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--log-file {path}: {error.strerror}") from error


@Parameter(name="*", group=Group("Gateway", sort_key=10))
@frozen(kw_only=True)
class Account:
    """Which gateway to talk to; the keys come from the environment."""

    gateway: str | None = None
    """official (default), official-cn, cometapi, chainhub, yuto, ezmodel, custom, or a TOML file; or KLING_GATEWAY."""

    base_url: str | None = None
    """Replaces the gateway's whole base address, prefix included; or KLING_BASE_URL."""

    allow_http: bool = False
    """Let the key go out over plain http to other hosts than this one."""

    prices: Path | None = None
    """A TOML or JSON file with the gateway's prices in units: identify, speech, lip_sync (each started 5 s)."""

    def profile(self, environ: Mapping[str, str] = os.environ) -> Gateway:
        """The gateway's profile, with the prices given. Raises ConfigurationError."""
        name = self.gateway or environ.get("KLING_GATEWAY") or "official"
        base_url = self.base_url or environ.get("KLING_BASE_URL") or None
        gateway = load_gateway(name, base_url=base_url, allow_http=self.allow_http)
        return gateway if self.prices is None else evolve(gateway, prices=read_prices(self.prices, gateway.prices))

    def client(self, environ: Mapping[str, str] = os.environ) -> KlingClient:
        """A client with the environment's keys. Raises ConfigurationError."""
        return KlingClient.from_env(self.profile(environ), environ=environ)


def read_prices(path: Path, known: Prices | None) -> Prices:
    """The prices that a TOML or JSON file gives; what it leaves out stays as it is known.

    Raises ConfigurationError.
    """
    read: Callable[[str], Any] = json.loads if path.suffix.lower() == ".json" else tomllib.loads
    try:
        said = read(path.read_text("utf-8"))
        return evolve(known or Prices(), **_prices(said))
    except OSError as error:
        raise ConfigurationError(f"--prices {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"--prices {path}: {error}") from error


def _prices(said: Any) -> dict[str, Decimal]:  # noqa: ANN401 - whatever the file holds
    names = {price.name for price in fields(Prices)}
    if not isinstance(said, dict) or not said or not said.keys() <= names:
        raise ValueError(f"give one or more of {', '.join(sorted(names))}, and nothing else")
    return {name: amount(str(value)) for name, value in said.items()}
