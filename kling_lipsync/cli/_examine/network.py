"""The way to the gateway, before anything is asked of it: its name, a connection, and the certificate."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from typing import cast

import anyio
import anyio.abc
import httpx
from anyio.streams.tls import TLSAttribute, TLSStream

from ..._transport.clock import SystemClock
from ..._transport.failures import explain, place_of, reason_of
from ..._transport.pool import default_client
from .certificates import Secured, certificate_fault
from .findings import Finding, failed, ok, warning
from .patient import Patient
from .route import Route

_FEW_DAYS = 7
_CHECK_NAME = "check the host in --base-url or KLING_BASE_URL, then this machine's DNS"
_CHECK_WAY = "check the address, the network and its firewall, and whether HTTPS_PROXY has to be set"
_CHECK_PROXY = "check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"


async def check_name(patient: Patient) -> Finding:
    """Whether the name of the gateway's host, or of the proxy before it, has addresses."""
    route = patient.route
    if _is_loopback(route.host):
        return ok(_told(route, f"{route.host} is loopback: this machine"))
    try:
        with anyio.fail_after(patient.timeouts.connect):
            found = await anyio.getaddrinfo(route.host, route.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return failed(f"{route.host}: no answer within {patient.timeouts.connect:g} s", _advice(route, _CHECK_NAME))
    except (OSError, UnicodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "it cannot be a host's name"
        return failed(f"{route.host}: {reason}", _advice(route, _CHECK_NAME))
    addresses = dict.fromkeys(str(address[0]) for *_, address in found)
    return ok(_told(route, f"{route.host} is at {', '.join(addresses)}"))


async def check_connection(patient: Patient) -> Finding:
    """Whether a connection can be made (how fast, its name looked up again), and how it is encrypted."""
    route = patient.route
    began = anyio.current_time()
    try:
        with anyio.fail_after(patient.timeouts.connect):
            stream = await anyio.connect_tcp(route.host, route.port)
    except TimeoutError:
        seen = f"no connection to {place_of(route.first_stop)} within {patient.timeouts.connect:g} s"
        return failed(seen, _advice(route, _CHECK_WAY))
    except OSError as error:
        reasons = ", ".join(dict.fromkeys(_reasons(error)))
        return failed(f"{place_of(route.first_stop)}: {reasons}", _advice(route, _CHECK_WAY))
    connected = f"connected in {in_ms(anyio.current_time() - began)}"
    async with stream:
        return await _encrypted(patient, stream, connected) if route.encrypted else _plain(route, connected)


def in_ms(seconds: float) -> str:
    """A short time for people to read."""
    return f"{round(seconds * 1000, 1):g} ms"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _told(route: Route, seen: str) -> str:
    return f"{seen}; {route.by_proxy}, which looks up {route.base.host} itself" if route.proxy else seen


def _advice(route: Route, straight: str) -> str:
    return _CHECK_PROXY if route.proxy else straight


def _reasons(error: OSError) -> Iterator[str]:
    """Why each address refused: anyio names them as the cause, in a group where there are several."""
    cause = error.__cause__
    causes = cause.exceptions if isinstance(cause, ExceptionGroup) else (cause or error,)
    return (reason_of(each) for each in causes if isinstance(each, OSError))


def _plain(route: Route, connected: str) -> Finding:
    seen = f"{connected}, not encrypted"
    if _is_loopback(route.base.host):
        return ok(seen)
    return warning(f"{seen}: the key goes out in the clear", "use https:// if the gateway has it")


async def _encrypted(patient: Patient, stream: anyio.abc.SocketStream, connected: str) -> Finding:
    """The same connection with TLS; behind a proxy another one, as the client makes it."""
    host = patient.route.base.host
    try:
        with anyio.fail_after(patient.timeouts.connect):
            secured = await (_tunnelled(patient) if patient.route.proxy else _handshaken(stream, patient.route))
    except ssl.SSLError as error:
        return certificate_fault(error, host)
    except TimeoutError:
        return failed(
            f"{connected}, but no TLS within {patient.timeouts.connect:g} s", _advice(patient.route, _CHECK_WAY)
        )
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return failed(f"{connected}, and closed in the midst of the TLS handshake", _CHECK_WAY)
    except httpx.HTTPError as error:
        return _tunnel_fault(error, patient.route)
    except OSError as error:
        return failed(f"the authorities cannot be read: {reason_of(error)}", "check SSL_CERT_FILE and SSL_CERT_DIR")
    return _read_secured(secured, patient.route, connected)


async def _handshaken(stream: anyio.abc.SocketStream, route: Route) -> Secured:
    tls = await TLSStream.wrap(
        stream,
        server_side=False,
        hostname=route.host,
        ssl_context=httpx.create_ssl_context(),
        standard_compatible=False,
    )
    return Secured.of(cast(ssl.SSLObject, tls.extra(TLSAttribute.ssl_object)))  # noqa: S610 - of anyio, not of Django


async def _tunnelled(patient: Patient) -> Secured:
    """What a request through the proxy, without the key, tells of the connection behind it."""
    async with default_client() as http, http.stream("GET", patient.route.base) as answer:
        return Secured.of(answer.extensions["network_stream"].get_extra_info("ssl_object"))


def _tunnel_fault(error: httpx.HTTPError, route: Route) -> Finding:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return certificate_fault(cause, route.base.host)
        cause = cause.__cause__
    return failed(f"no connection {route.by_proxy}: {explain(error)}", _CHECK_PROXY)


def _read_secured(secured: Secured, route: Route, connected: str) -> Finding:
    days = secured.days_left(SystemClock().wall())
    way = f" {route.by_proxy}" if route.proxy else ""
    seen = f"{connected}{way}, {secured.version}, certificate good for {days} days more"
    if days >= _FEW_DAYS:
        return ok(seen)
    return warning(seen, "the gateway has to renew it, or connections will fail from then on")
