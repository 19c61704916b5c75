"""The way to the gateway, before anything is asked of it: its name, and a connection."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator

import anyio

from ..._transport.failures import place_of, reason_of
from .encryption import check_encryption
from .findings import Finding, failed, ok, warning
from .patient import Patient
from .route import Route, check_way

_CHECK_NAME = "check the host in --base-url or KLING_BASE_URL, then this machine's DNS"


async def check_name(patient: Patient) -> Finding:
    """Whether the name of the gateway's host, or of the proxy before it, has addresses."""
    route = patient.route
    if _is_loopback(route.host):
        return ok(_told(route, f"{route.host} is loopback: this machine"))
    try:
        with anyio.fail_after(patient.timeouts.connect):
            found = await anyio.getaddrinfo(route.host, route.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return failed(f"{route.host}: no answer within {patient.timeouts.connect:g} s", check_way(route, _CHECK_NAME))
    except OSError as error:
        return failed(f"{route.host}: {reason_of(error)}", check_way(route, _CHECK_NAME))
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
        return failed(seen, check_way(route))
    except OSError as error:
        reasons = ", ".join(dict.fromkeys(_reasons(error)))
        return failed(f"{place_of(route.first_stop)}: {reasons}", check_way(route))
    connected = f"connected in {in_ms(anyio.current_time() - began)}{route.by_proxy}"
    async with stream:
        return await check_encryption(patient, stream, connected) if route.encrypted else _plain(route, connected)


def in_ms(seconds: float) -> str:
    """A short time for people to read."""
    return f"{round(seconds * 1000, 1):g} ms"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _told(route: Route, seen: str) -> str:
    return f"{seen}; requests go{route.by_proxy}, which looks up {route.base.host} itself" if route.proxy else seen


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
