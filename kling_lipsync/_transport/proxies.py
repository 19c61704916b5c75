"""The proxies that the environment asks for, read as httpx and curl read them."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.request import getproxies


def environment_proxies() -> dict[str, str | None]:
    """The proxy for each pattern of URLs that ``httpx.AsyncClient(mounts=…)`` takes; ``None`` is a direct connection.

    From HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY in either case, and the system's settings where it has some.
    """
    settings = getproxies()
    direct = [host.strip() for host in settings.get("no", "").split(",") if host.strip()]
    if "*" in direct:
        return {}
    through = {f"{scheme}://": settings[scheme] for scheme in ("http", "https", "all") if settings.get(scheme)}
    proxies = {pattern: proxy if "://" in proxy else f"http://{proxy}" for pattern, proxy in through.items()}
    return {**proxies, **{_pattern(host): None for host in direct}}


def _pattern(host: str) -> str:
    """``.example.com`` stands for the names below it, ``example.com`` for itself too, an address for itself alone."""
    if "://" in host:
        return host
    if _is(IPv4Address, host.split("/")[0]) or host.lower() == "localhost":
        return f"all://{host}"
    if _is(IPv6Address, host.split("/")[0]):
        return f"all://[{host}]"
    return f"all://*{host}"


def _is(kind: type[IPv4Address] | type[IPv6Address], text: str) -> bool:
    try:
        kind(text)
    except AddressValueError:
        return False
    return True
