"""What each thing that goes wrong on the way means: did the request leave?"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator

import httpx
from attrs import frozen

from ..errors import AnswerLost, DownloadError, NotSent


class Dropped(DownloadError):
    """The connection broke or stood still: the file may still be fetched, from where it stopped."""


class Unsendable(Exception):
    """The request cannot be put on the wire: its body cannot be read, say; the text says why."""


class UnreadableAnswer(Exception):
    """An answer came and cannot be taken; the text says why."""


@frozen
class Row:
    """What an exception says, ``None`` leaving it to the system's words, and what to do about it.

    There is an advice for what can only come before a request leaves.
    """

    what: str | None
    advice: str | None = None


TABLE: dict[type[Exception], Row] = {
    httpx.ConnectTimeout: Row("the time-out ran out", "check the address and the network"),
    httpx.ConnectError: Row(None, "check the address and the network"),
    httpx.ProxyError: Row("the proxy refused", "check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"),
    httpx.PoolTimeout: Row("no connection of the pool came free", "allow more connections"),
    httpx.UnsupportedProtocol: Row("it is neither http nor https", "check the address"),
    httpx.InvalidURL: Row("it is not a URL", "check the address"),
    httpx.ReadTimeout: Row("nothing came within the time-out"),
    httpx.WriteTimeout: Row("nothing more was taken within the time-out"),
    httpx.NetworkError: Row("the connection broke"),
    httpx.RemoteProtocolError: Row("the connection was closed early, or what came is not HTTP"),
    httpx.LocalProtocolError: Row("it cannot be written as HTTP"),
}
"""Looked up by class, the nearest ancestor counting; what is not here, or has no advice, may come after a request left.

The texts of foreign exceptions are not passed on: they may hold a URL's signature or a header's value.
"""


def failure(error: Exception, place: str, *, left: bool | None) -> NotSent | AnswerLost:
    """``error`` as the contract of ``Transport.send`` has it.

    ``left`` says whether the body's last slice was handed over; ``None`` where there is no body and nobody asked for
    one, so that the kind of error decides. A body that was handed over outweighs the kind of error: some HTTP clients
    call a lost answer a connect error.
    """
    row, what = row_of(error), explain(error)
    if not left and row is not None and row.advice:
        return NotSent(f"could not connect to {place}: {what}; {row.advice}")
    if left is False or (left is None and isinstance(error, Unsendable)):
        return NotSent(f"the request to {place} did not leave whole, so it was not carried out: {what}")
    return AnswerLost(f"no whole answer from {place}: {what}; the request may have been carried out")


def row_of(error: Exception) -> Row | None:
    """The row for an exception: its class's, or its nearest ancestor's."""
    return next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), None)


def explain(error: Exception) -> str:
    """What happened, in a few words and one line, without anything secret."""
    if isinstance(error, (Unsendable, UnreadableAnswer)):
        return str(error)
    row, reason = row_of(error), _reason(error)
    what = row.what if row else f"an unexpected {type(error).__name__}"
    return f"{what} ({reason})" if what and reason else what or reason or "no reason was given"


def reason_of(error: OSError) -> str:
    """The system's word for what went wrong, with the file if it was one.

    It is looked up by number where that is the system's: asyncio puts a text of its own into a refused connection.
    """
    numbered = bool(error.errno) and not isinstance(error, (socket.gaierror, ssl.SSLError))
    reason = os.strerror(error.errno or 0) if numbered else error.strerror
    return f"{reason}: {error.filename}" if error.filename else reason or type(error).__name__


def place_of(url: httpx.URL | str) -> str:
    """The host and port of a URL: all of it that an error's message may show."""
    try:
        url = httpx.URL(url)
    except httpx.InvalidURL:
        return "an address that cannot be read"
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    host = f"[{url.host}]" if ":" in url.host else url.host or "an address without a host"
    return f"{host}:{port}" if port else host


def _reason(error: Exception) -> str | None:
    if isinstance(error, httpx.ProxyError):
        return " ".join(str(error).split())[:100] or None
    systems = [cause for cause in _causes(error) if isinstance(cause, OSError) and cause.strerror]
    return reason_of(systems[-1]) if systems else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """``error`` and all that it names as its cause; what merely was being handled (``__context__``) is no cause."""
    yield error
    group = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    inside = (argument for argument in error.args if isinstance(argument, BaseException))
    for cause in (error.__cause__, *inside, *group):
        if cause is not None:
            yield from _causes(cause)
