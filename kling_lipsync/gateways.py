"""The gateways that serve Kling: where they are, what they can do, and which credentials they take.

A profile is a TOML file: those of the package lie in ``_gateways``, each with the source of what it says; yours may lie
anywhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from attrs import evolve, field, fields, frozen, validators

from ._protocol import Contract, Credentials, Dialect, make_credentials
from .errors import ConfigurationError
from .models import Prices

GATEWAYS = ("official", "official-cn", "cometapi", "chainhub", "yuto", "ezmodel", "custom")
"""The profiles that the package brings."""

API_KEY = "KLING_API_KEY"
ACCESS_KEY = "KLING_ACCESS_KEY"
SECRET_KEY = "KLING_SECRET_KEY"  # noqa: S105 - the variable's name

_PROFILES = Path(__file__).with_name("_gateways")
_KNOWN: Mapping[str, frozenset[str]] = {
    "": frozenset({"name", "base_url", "contract", "api_key_env", "takes_access_key"}),
    "capabilities": frozenset({"lists_tasks", "finds_external_ids", "honours_callbacks", "bills_identify"}),
    "paths": frozenset(part.name for part in fields(Dialect)) - {"contract"},
    "prices": frozenset(part.name for part in fields(Prices)),
}
"""The tables of a profile and their keys; the first are those outside of any table."""

_flag: Any = validators.instance_of(bool)
_text: Any = validators.instance_of(str)
_texts: Any = validators.deep_iterable(_text, validators.instance_of(tuple))


@frozen(kw_only=True)
class Gateway:
    """One gateway's profile.

    ``base_url`` stands before every path, prefix included, and is empty where the user has to give it. ``api_key_env``
    are the environment variables of its own that may hold an API key; ``takes_access_key``: an access key with its
    secret will do as well. ``prices`` is ``None`` where they are not known.

    What it can do: ``lists_tasks``: the list of tasks is served, so what is not in it does not exist.
    ``finds_external_ids``: so is the query by external id; ``False`` means that "not found" proves nothing, while what
    is found is found. ``honours_callbacks``: callbacks reach the URL of the job. ``bills_identify``: finding faces
    costs.
    """

    name: str = field(validator=_text)
    base_url: str = field(default="", validator=_text)
    dialect: Dialect = field(factory=Dialect)
    api_key_env: tuple[str, ...] = field(default=(), validator=_texts)
    takes_access_key: bool = field(default=False, validator=_flag)
    lists_tasks: bool = field(default=False, validator=_flag)
    finds_external_ids: bool = field(default=False, validator=_flag)
    honours_callbacks: bool = field(default=False, validator=_flag)
    bills_identify: bool = field(default=True, validator=_flag)
    prices: Prices | None = None

    @property
    def shows_tasks(self) -> bool:
        """Whether it can tell if a task exists whose id got lost: by the list, or by the external id."""
        return self.lists_tasks or self.finds_external_ids

    @property
    def one_step(self) -> bool:
        """Whether tasks are created at once, without a face session."""
        return self.dialect.contract is Contract.ONE_STEP


def load_gateway(name_or_path: str, *, base_url: str | None = None, allow_http: bool = False) -> Gateway:
    """The profile of a gateway: one of ``GATEWAYS``, or a TOML file (a path that ends in ``.toml``).

    ``base_url`` replaces the whole base, prefix included. Plain http is for loopback only, unless ``allow_http``.
    Raises ``ConfigurationError`` for an unknown name, a file that cannot be read or says what no profile says, and a
    base URL that cannot work or is missing.
    """
    gateway = _read(name_or_path)
    base = gateway.base_url if base_url is None else base_url
    if not base:
        raise ConfigurationError(
            f"the gateway {gateway.name!r} has no address of its own: give it with --base-url or KLING_BASE_URL"
        )
    return evolve(gateway, base_url=checked_base_url(base, allow_http=allow_http))


def checked_base_url(url: str, *, allow_http: bool = False) -> str:
    """The base URL without a slash at its end.

    Raises ``ConfigurationError`` for one that is not http(s), has no host, a user, a query or a fragment, or would send
    the key in the clear over a network.
    """
    parts = _split(url)
    if parts.scheme == "http" and not allow_http and not _is_loopback(parts.hostname or ""):
        raise ConfigurationError(
            f"plain http would send the key to {parts.hostname} in the clear: use https, or --allow-http where the "
            "network is your own"
        )
    return url.rstrip("/")


def credentials_from_env(gateway: Gateway, environ: Mapping[str, str]) -> Credentials:
    """The credentials that the environment holds for a gateway.

    Looks at the gateway's own variables, then ``KLING_API_KEY``, then ``KLING_ACCESS_KEY`` with ``KLING_SECRET_KEY``
    where the gateway takes them. Raises ``ConfigurationError`` naming every variable tried, and for half a pair or a
    key that cannot be one.
    """
    names = tuple(dict.fromkeys((*gateway.api_key_env, API_KEY)))
    found = {name: value for name, value in environ.items() if value.strip()}
    for name in names:
        if name in found:
            return _made(name, api_key=found[name])
    if not gateway.takes_access_key:
        raise ConfigurationError(f"no credentials for the gateway {gateway.name!r}: set {' or '.join(names)}")
    return _pair_from_env(gateway, names, found)


def _pair_from_env(gateway: Gateway, names: Sequence[str], found: Mapping[str, str]) -> Credentials:
    access_key, secret_key = found.get(ACCESS_KEY), found.get(SECRET_KEY)
    if access_key and secret_key:
        return _made(f"{ACCESS_KEY} and {SECRET_KEY}", access_key=access_key, secret_key=secret_key)
    if access_key or secret_key:
        there, missing = (ACCESS_KEY, SECRET_KEY) if access_key else (SECRET_KEY, ACCESS_KEY)
        raise ConfigurationError(f"{there} is set and {missing} is not: set both, or {' or '.join(names)}")
    raise ConfigurationError(
        f"no credentials for the gateway {gateway.name!r}: set {' or '.join(names)}, or {ACCESS_KEY} and {SECRET_KEY}"
    )


def _made(source: str, **keys: str) -> Credentials:
    try:
        return make_credentials(**keys)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error.message}") from None


def _split(url: str) -> SplitResult:
    if not url.isprintable() or any(sign in url for sign in " \\"):
        raise ConfigurationError("the base URL has a space, a backslash or a control character in it")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"the base URL cannot be read: {error}") from None
    flaws = {
        "is no https:// address": parts.scheme not in ("http", "https") or not host,
        "has a user or password in it: credentials have variables of their own": "@" in parts.netloc,
        "has a query or a fragment: paths are put behind it": "?" in url or "#" in url,
    }
    for flaw, there in flaws.items():
        if there:
            raise ConfigurationError(f"the base URL {flaw}")
    return parts


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(name_or_path: str) -> Gateway:
    if name_or_path.endswith(".toml"):
        return _profile(Path(name_or_path).stem, Path(name_or_path))
    if name_or_path not in GATEWAYS:
        raise ConfigurationError(
            f"there is no gateway {name_or_path!r}: choose one of {', '.join(GATEWAYS)}, or give a .toml file"
        )
    return _profile(name_or_path, _PROFILES / f"{name_or_path}.toml")


def _profile(name: str, path: Path) -> Gateway:
    import tomllib  # not needed where a Gateway is given

    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"{path} is no TOML: {error}") from None
    try:
        return _gateway(name, said)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{path}: {error.args[0]}") from None


def _gateway(name: str, said: Mapping[str, Any]) -> Gateway:
    own, can, paths, prices = (_table(said, table) for table in _KNOWN)
    contract = Contract(own.pop("contract", Contract.TWO_STEP.value))
    # An empty path says that there is no such endpoint.
    served: dict[str, Any] = {key: value if value != "" else None for key, value in paths.items()}
    return Gateway(
        **{"name": name, **own},
        **can,
        dialect=Dialect(contract=contract, **served),
        prices=Prices(**{key: _price(key, value) for key, value in prices.items()}) if prices else None,
    )


def _price(name: str, value: object) -> Decimal:
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or price < 0:
        raise ValueError(f"{name} has to be a number of units, and is {value!r}")
    return price


def _table(said: Mapping[str, Any], table: str) -> dict[str, Any]:
    """One table of a profile, lists as tuples; its own keys, outside of any table, are those of the table ""."""
    found = said.get(table, {}) if table else {key: value for key, value in said.items() if key not in _KNOWN}
    if not isinstance(found, dict):
        raise TypeError(f"{table} is no table")
    unknown = sorted(found.keys() - _KNOWN[table])
    if unknown:
        where = f" in [{table}]" if table else ""
        raise ValueError(f"unknown key {', '.join(unknown)}{where}; known are {', '.join(sorted(_KNOWN[table]))}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
