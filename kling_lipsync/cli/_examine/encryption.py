"""Whether the way to the gateway can be encrypted, and until when its certificate is good."""

from __future__ import annotations

import ssl

import anyio
import anyio.abc
import httpx
from anyio.streams.tls import TLSAttribute, TLSStream

from ..._transport.clock import SystemClock
from ..._transport.failures import explain, reason_of
from ..._transport.pool import default_client
from .certificates import Secured, certificate_fault
from .findings import Finding, failed, ok, warning
from .patient import Patient
from .route import Route, check_way

_FEW_DAYS = 7


async def check_encryption(patient: Patient, stream: anyio.abc.SocketStream, connected: str) -> Finding:
    """Whether TLS can be spoken over ``stream``; behind a proxy over another connection, made as the client makes it.

    ``connected`` says how the connection was made. Authorities are those that the client goes by.
    """
    route = patient.route
    try:
        authorities = httpx.create_ssl_context()
    except OSError as error:
        return failed(f"the authorities cannot be read: {reason_of(error)}", "check SSL_CERT_FILE and SSL_CERT_DIR")
    try:
        with anyio.fail_after(patient.timeouts.connect):
            secured = await (_tunnelled(route) if route.proxy else _handshaken(stream, route, authorities))
    except ssl.SSLError as error:
        return certificate_fault(error, route.base.host)
    except TimeoutError:
        return failed(f"{connected}, but nothing more came within {patient.timeouts.connect:g} s", check_way(route))
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return failed(f"{connected}, and closed in the midst of the TLS handshake", check_way(route))
    except httpx.HTTPError as error:
        return _tunnel_fault(error, route)
    return _read_secured(secured, connected)


async def _handshaken(stream: anyio.abc.SocketStream, route: Route, authorities: ssl.SSLContext) -> Secured:
    tls = await TLSStream.wrap(
        stream, server_side=False, hostname=route.host, ssl_context=authorities, standard_compatible=False
    )
    return Secured.of(tls.extra(TLSAttribute.ssl_object))  # noqa: S610 - of anyio, not of Django


async def _tunnelled(route: Route) -> Secured:
    """What a request through the proxy, without the key, tells of the connection behind it."""
    async with default_client() as http, http.stream("GET", route.base, timeout=None) as answer:
        return Secured.of(answer.extensions["network_stream"].get_extra_info("ssl_object"))


def _tunnel_fault(error: httpx.HTTPError, route: Route) -> Finding:
    if (fault := _tls_fault(error)) is not None:
        return certificate_fault(fault, route.base.host)
    return failed(f"no connection{route.by_proxy}: {explain(error)}", check_way(route))


def _tls_fault(error: BaseException) -> ssl.SSLError | None:
    """The fault below an error of the HTTP stack: its cause, or what it was made of, at any depth."""
    if isinstance(error, ssl.SSLError):
        return error
    below = (each for each in (error.__cause__, *error.args) if isinstance(each, BaseException))
    return next((fault for each in below if (fault := _tls_fault(each))), None)


def _read_secured(secured: Secured, connected: str) -> Finding:
    days = secured.days_left(SystemClock().wall())
    seen = f"{connected}, {secured.version}, certificate good for {days} days more"
    if days >= _FEW_DAYS:
        return ok(seen)
    return warning(seen, "the gateway has to renew it, or connections will fail from then on")
