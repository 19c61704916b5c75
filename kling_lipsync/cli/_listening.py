"""Where a run lets Kling's callbacks in: a server of its own for as long as it works."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sized
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Protocol

import anyio
from attrs import evolve, field, frozen

from .._checks.addresses import flaw_of_url
from ..callbacks import CallbackReceiver, make_token
from ..errors import ConfigurationError
from ..models import Job

_LISTEN, _URL, _SECRET = "--callback-listen", "--callback-url", "KLING_CALLBACK_SECRET"
_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.%a-z]+)\]|(?P<host>[^\s:\[\]]+)):(?P<port>[0-9]{1,5})")
_CONNECTIONS = 100
_GRACE_SECONDS = 2


class Jobs(Iterable[Job], Sized, Protocol):
    """Jobs that can be counted, and iterated over more than once."""


@frozen
class Announced:
    """Jobs whose tasks tell their news at ``url``, unless they name an address of their own."""

    jobs: Jobs
    url: str = field(repr=False)

    def __iter__(self) -> Iterator[Job]:
        return (evolve(job, callback_url=job.callback_url or self.url) for job in self.jobs)

    def __len__(self) -> int:
        return len(self.jobs)


@frozen(kw_only=True)
class Door:
    """A receiver, where it listens, and the callback URL that leads Kling there."""

    receiver: CallbackReceiver
    host: str
    port: int
    url: str = field(repr=False)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Serves the receiver, in an asyncio event loop, as long as the block lasts; gives HOST:PORT as it is.

        Raises ConfigurationError for an address that cannot be listened on.
        """
        import uvicorn  # an optional library

        config = uvicorn.Config(
            self.receiver,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # whoever finds an open port sends junk
            access_log=False,  # it would show the path token
            date_header=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        with await _listen(self.host, self.port) as listener:
            await server.startup(sockets=[listener])
            try:
                yield _in_words(self.host, listener.getsockname()[1])
            finally:
                with anyio.CancelScope(shield=True):
                    await server.shutdown(sockets=[listener])


def make_door(listen: str | None, url: str | None, environ: Mapping[str, str] = os.environ) -> Door | None:
    """The door that the options describe, or ``None`` without them.

    Callbacks are verified with the secrets in KLING_CALLBACK_SECRET (several are parted by blanks), and where there are
    none by a path token, which is made anew. Raises ConfigurationError.
    """
    if listen is None and url is None:
        return None
    if listen is None or url is None:
        raise ConfigurationError(f"{_LISTEN} and {_URL} go together: where to listen, and how Kling reaches that place")
    flaw = flaw_of_url(url)
    if flaw is not None:
        raise ConfigurationError(f"{_URL} {flaw}")
    host, port = _address(listen)
    if find_spec("uvicorn") is None:
        raise ConfigurationError(f"{_LISTEN} needs the extra: pip install 'kling-lipsync[all]'")
    secrets = environ.get(_SECRET, "").split()
    receiver = CallbackReceiver(secrets) if secrets else CallbackReceiver(token=make_token())
    return Door(receiver=receiver, host=host, port=port, url=receiver.url_below(url))


def _in_words(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _address(text: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65535:
        raise ConfigurationError(f"{_LISTEN} {text}: give HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
    return found["six"] or found["host"], int(found["port"])


async def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = (await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
        return _bound(socket.socket(family, kind, protocol), address)
    except OSError as error:
        raise ConfigurationError(f"{_LISTEN} {_in_words(host, port)}: {error.strerror or error}") from error


def _bound(listener: socket.socket, address: tuple[str, int]) -> socket.socket:
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener
