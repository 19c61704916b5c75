"""The keys that callbacks are signed with: the same for all, or found for each request."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from attrs import field, frozen

from ..errors import ConfigurationError
from .signatures import Secrets, keys_of


@frozen(kw_only=True)
class CallbackRequest:
    """A callback as it arrives, for a function to find its sender's secret by: nothing of it is verified yet.

    ``path`` is the whole path that was asked for, ``headers`` have their names in lower case.
    """

    path: str
    headers: Mapping[str, str] = field(repr=False)


SecretsOf: TypeAlias = Callable[[CallbackRequest], Awaitable[Secrets | None] | Secrets | None]


class Keyring:
    """Keys made of secrets, or of what a function finds. Raises ``ConfigurationError`` where there are none."""

    def __init__(self, secret: Secrets | SecretsOf) -> None:
        self._find = secret if callable(secret) else None
        self._keys = () if callable(secret) else keys_of(secret)
        if not (self._find or self._keys):
            raise ConfigurationError("a list of callback secrets is empty: nothing could ever be verified")

    async def keys_for(self, request: CallbackRequest) -> tuple[bytes, ...]:
        """The keys that may have signed the request; raises what the function raises."""
        if self._find is None:
            return self._keys
        found = self._find(request)
        return keys_of((await found if inspect.isawaitable(found) else found) or ())
