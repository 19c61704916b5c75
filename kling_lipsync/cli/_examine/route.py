"""The way to a gateway: straight, or through a proxy of the environment."""

from __future__ import annotations

import httpx
from attrs import frozen

from ..._transport.failures import place_of
from ..._transport.proxies import environment_proxies
from ...errors import ConfigurationError

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}

_CHECK_PROXY = "check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"
_CHECK_NETWORK = "check the address, the network and its firewall, and whether HTTPS_PROXY has to be set"


@frozen
class Route:
    """Where a gateway is, and the proxy on the way, if any; the proxy's password is not in it."""

    base: httpx.URL
    proxy: httpx.URL | None = None

    @property
    def first_stop(self) -> httpx.URL:
        """The address that this machine itself connects to."""
        return self.proxy or self.base

    @property
    def host(self) -> str:
        """The name or address of the first stop, in ASCII."""
        return self.first_stop.raw_host.decode("ascii")

    @property
    def port(self) -> int:
        """The port of the first stop."""
        return self.first_stop.port or _PORTS[self.first_stop.scheme]

    @property
    def encrypted(self) -> bool:
        """Whether the gateway is spoken to over TLS."""
        return self.base.scheme == "https"

    @property
    def by_proxy(self) -> str:
        """Words for the proxy, to stand behind others; empty where there is none."""
        return f" through the proxy {place_of(self.proxy)} of the environment" if self.proxy else ""


def check_way(route: Route, straight: str = _CHECK_NETWORK) -> str:
    """What to do where the way does not lead there: the proxy is to be checked if there is one."""
    return _CHECK_PROXY if route.proxy else straight


class _Signpost(httpx.AsyncBaseTransport):
    """Answers every request with the proxy that it stands for, and sends nothing."""

    def __init__(self, proxy: str | None) -> None:
        self._proxy = proxy

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(204, extensions={"proxy": self._proxy})


async def route_to(base: httpx.URL) -> Route:
    """The way that a client's requests to ``base`` take: httpx itself is asked, with signposts instead of connections.

    Raises ``ConfigurationError`` for a proxy that cannot be one.
    """
    signposts = {pattern: _Signpost(proxy) for pattern, proxy in environment_proxies().items()}
    async with httpx.AsyncClient(transport=_Signpost(None), mounts=signposts) as client:
        proxy = (await client.get(base)).extensions["proxy"]
    return Route(base, None if proxy is None else _read(proxy))


def _read(proxy: str) -> httpx.URL:
    try:
        return httpx.Proxy(proxy).url
    except (ValueError, httpx.InvalidURL):
        # It may hold a password, so it is not shown.
        raise ConfigurationError(
            "the proxy that the environment names is none of http://, https:// or socks5://: check HTTPS_PROXY, "
            "HTTP_PROXY and ALL_PROXY"
        ) from None
