from __future__ import annotations

import anyio
import httpx
import pytest
from httpx._utils import get_environment_proxies

from kling_lipsync._transport.proxies import environment_proxies
from kling_lipsync.errors import NotSent

from .conftest import Authority
from .serving import Connection, always, answer, post, serving, transport

SETTINGS: list[dict[str, str]] = [
    {},
    {"HTTP_PROXY": "http://proxy:1"},
    {"https_proxy": "proxy:1", "ALL_PROXY": "socks5://proxy:2"},
    {"HTTPS_PROXY": "http://name:word@proxy:1", "NO_PROXY": "example.com, .example.org,,localhost"},
    {"ALL_PROXY": "http://proxy:1", "NO_PROXY": "10.0.0.1,::1,192.168.0.0/16,https://one.example.com"},
    {"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "example.com,*"},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_environment_is_read_as_httpx_reads_it(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same patterns and proxies, so that changing to or from plain httpx changes no route."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert environment_proxies() == get_environment_proxies()
    assert all(httpx.Proxy(proxy) for proxy in environment_proxies().values() if proxy)


@pytest.mark.anyio
async def test_a_plain_request_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy gets the whole URL and its own password; hosts of NO_PROXY are spoken to directly."""
    async with serving(always(answer(b"direct"))) as direct, serving(always(answer(b"by proxy"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", "://name:word@"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        async with transport() as sender:
            assert (await sender.send(post("http://api.example.com/v1"))).body == b"by proxy"
            assert (await sender.send(post(direct.url))).body == b"direct"
    assert [head.target for head in proxy.heads] == ["http://api.example.com/v1"]
    assert proxy.heads[0].headers["proxy-authorization"] == "Basic bmFtZTp3b3Jk"
    assert "proxy-authorization" not in direct.heads[0].headers


@pytest.mark.anyio
async def test_an_encrypted_request_goes_through_a_tunnel(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy sees the host alone, and the certificate is the server's."""

    async def tunnel(connection: Connection) -> None:
        head = await connection.head()
        assert head is not None
        host, _, port = head.target.partition(":")
        async with await anyio.connect_tcp(host, int(port)) as onward, anyio.create_task_group() as both:
            await connection.send(b"HTTP/1.1 200 Connected\r\n\r\n")
            both.start_soon(_pass_on, connection.stream, onward)
            await _pass_on(onward, connection.stream)
            both.cancel_scope.cancel()

    async with serving(always(answer(b"secret film")), authority.server_tls()) as server, serving(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with transport() as sender:
            request = post(server.url + "/v1?token=secret", headers={"Authorization": "Bearer key"})
            assert (await sender.send(request)).body == b"secret film"
    assert [(head.method, head.target) for head in proxy.heads] == [("CONNECT", f"127.0.0.1:{server.port}")]
    assert "authorization" not in proxy.heads[0].headers
    assert server.heads[0].headers["authorization"] == "Bearer key"


async def _pass_on(source: anyio.abc.ByteReceiveStream, target: anyio.abc.ByteSendStream) -> None:
    try:
        async for piece in source:
            await target.send(piece)
    except anyio.BrokenResourceError:
        pass  # one side has hung up


@pytest.mark.anyio
@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "502 Bad Gateway"])
async def test_a_tunnel_that_is_refused_sent_nothing(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the proxy has been spoken to."""
    async with serving(always(answer(status=status))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with transport() as sender:
            with pytest.raises(NotSent, match=f"the proxy refused \\({status}\\); check HTTPS_PROXY"):
                await sender.send(post("https://api.example.com/"))
    assert [head.method for head in proxy.heads] == ["CONNECT"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("proxy", "why"),
    [
        ("socks5://127.0.0.1:1", "socksio"),
        ("gopher://127.0.0.1:1", "none of http"),
        ("http://127.0.0.1:port", "none of http"),
    ],
)
async def test_a_proxy_that_cannot_be_used(proxy: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing or wrong is named, and nothing left."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    async with transport() as sender:
        with pytest.raises(NotSent, match=why):
            await sender.send(post("https://api.example.com/"))
