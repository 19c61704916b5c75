"""Are there credentials, where from, and do they look like some? Their values stay here."""

from __future__ import annotations

from ..._protocol import AccessKey, ApiKey, Credentials
from ...errors import ConfigurationError
from ...gateways import ACCESS_KEY, API_KEY, SECRET_KEY, credentials_from_env
from .findings import Finding, failed, ok, warning
from .patient import Patient

_QUOTES = "'\"`"
_TOKEN = "eyJ"  # noqa: S105 - how every JSON Web Token begins


async def check_credentials(patient: Patient) -> Finding:
    """Whether the environment has credentials that can be used: their variables and their shape."""
    try:
        credentials = credentials_from_env(patient.gateway, patient.environ)
    except ConfigurationError as error:
        seen, _, todo = error.message.rpartition(": ")  # these messages all end in what to do
        return failed(seen, todo)
    source = _source(patient, credentials)
    seen = f"{_shape(credentials)} from {source}{_unused(patient, credentials)}"
    oddity = _oddity(credentials)
    return warning(f"{seen}; {oddity}", f"copy what is in {source} again") if oddity else ok(seen)


def _source(patient: Patient, credentials: Credentials) -> str:
    """The variables that the credentials came from."""
    if isinstance(credentials, AccessKey):
        return f"{ACCESS_KEY} and {SECRET_KEY}"
    names = (*patient.gateway.api_key_env, API_KEY)
    return next(name for name in names if patient.environ.get(name, "").strip() == credentials.key)


def _shape(credentials: Credentials) -> str:
    if isinstance(credentials, ApiKey):
        return f"an API key of {len(credentials.key)} characters"
    lengths = len(credentials.access_key), len(credentials.secret_key)
    return f"an access key of {lengths[0]} characters with a secret of {lengths[1]} (they sign tokens)"


def _unused(patient: Patient, credentials: Credentials) -> str:
    """Says so where a pair is there as well."""
    there = [name for name in (ACCESS_KEY, SECRET_KEY) if patient.environ.get(name, "").strip()]
    return f" ({' and '.join(there)} not used)" if there and isinstance(credentials, ApiKey) else ""


def _oddity(credentials: Credentials) -> str | None:
    """What makes a key look like none, if anything does."""
    keys = (
        (credentials.access_key, credentials.secret_key) if isinstance(credentials, AccessKey) else (credentials.key,)
    )
    if any(key[0] in _QUOTES or key[-1] in _QUOTES for key in keys):
        return "there are quotes around it, which would be sent too"
    if keys[0].startswith(_TOKEN) and keys[0].count(".") == 2:
        return "it looks like a signed token, which lives for half an hour, not like a key"
    return None
