from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from kling_lipsync._transport import HttpTransport
from kling_lipsync.abc import Request
from kling_lipsync.errors import AnswerLost, NotSent, TransportError
from kling_lipsync.policies import Timeouts

from .serving import Bytes, always, answer, post, serving

pytestmark = pytest.mark.anyio

SECRETS = ("Basic", "client-key", "cookie", "private")


def loaded_client(host: str) -> httpx.AsyncClient:
    """A client that would add all that httpx can add."""
    cookies = httpx.Cookies()
    cookies.set("session", "cookie", domain=host)
    return httpx.AsyncClient(
        auth=("name", "password"),
        headers={"Authorization": "Bearer client-key", "X-Team": "private", "User-Agent": "studio/1"},
        cookies=cookies,
        params={"tenant": "private"},
        base_url="https://elsewhere.example.com/private",
        follow_redirects=True,
        timeout=0.001,
    )


@pytest.mark.parametrize("own", [{}, {"Authorization": "Bearer own-key"}, {"authorization": "Bearer own-key"}])
async def test_only_the_requests_own_authorization_goes_out(own: dict[str, str]) -> None:
    """A client's ``auth`` and its ``Authorization`` stay at home; what else it adds goes to the API."""
    async with serving(always(answer(b"x"))) as server, loaded_client("127.0.0.1") as client:
        sender = HttpTransport(client, timeouts=Timeouts())
        await sender.send(post(server.url + "/v1?pageNum=1", headers=own))
    head = server.heads[0]
    assert head.headers.get("authorization") == ("Bearer own-key" if own else None)
    assert head.headers["x-team"] == "private"
    assert head.headers["cookie"] == "session=cookie"
    assert httpx.URL(head.target).params == httpx.QueryParams({"pageNum": "1", "tenant": "private"})


async def test_a_name_in_the_url_does_not_become_a_key() -> None:
    """The key is what the request's headers say, and nothing else."""
    async with serving(always(answer(b"x"))) as server, httpx.AsyncClient() as client:
        sender = HttpTransport(client, timeouts=Timeouts())
        await sender.send(post(server.url.replace("://", "://name:password@")))
    assert "authorization" not in server.heads[0].headers


async def test_media_hosts_learn_nothing_of_the_client(tmp_path: Path) -> None:
    """Neither a download nor a look into a file bears the client's key, cookies, headers or parameters."""
    async with serving(always(answer(b"film"))) as server, loaded_client("127.0.0.1") as client:
        redirect = answer(status="302 Found", headers={"Location": server.url + "/film.mp4?Signature=abc"})
        async with serving(always(redirect)) as first:
            borrowing = HttpTransport(client, timeouts=Timeouts())
            await borrowing.download(first.url + "/a", tmp_path / "film.mp4")
            await borrowing.read_range(first.url + "/a", 0, 4)
    for head in [*first.heads, *server.heads]:
        assert not any(secret in f"{head.target} {dict(head.headers)}" for secret in SECRETS)
        assert head.headers["user-agent"] == "studio/1"
        assert head.headers["accept-encoding"] == "identity"
    assert [head.target for head in server.heads] == ["/film.mp4?Signature=abc"] * 2


async def test_a_borrowed_client_is_not_followed_and_not_closed() -> None:
    """It follows no redirect, whatever its settings, its own time-outs do not count, and it stays open."""
    moved = answer(status="302 Found", headers={"Location": "/next"})
    async with serving(always(moved)) as server, loaded_client("127.0.0.1") as client:
        sender = HttpTransport(client, timeouts=Timeouts())
        assert (await sender.send(post(server.url))).status == 302
        await sender.aclose()
        assert not client.is_closed
    assert len(server.heads) == 1


class Foreign(httpx.AsyncBaseTransport):
    """Asks for the body or not, then does what a test wants."""

    def __init__(self, then: Callable[[], httpx.Response], *, reads: bool) -> None:
        self.then = then
        self.reads = reads
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.reads:
            assert isinstance(request.stream, httpx.AsyncByteStream)
            async for _ in request.stream:
                pass
        return self.then()

    async def aclose(self) -> None:
        self.closed = True


async def test_a_bare_transport_is_used_and_not_closed() -> None:
    """A transport stands for a client that has nothing else."""
    foreign = Foreign(lambda: httpx.Response(200, json={"code": 0}), reads=True)
    sender = HttpTransport(foreign, timeouts=Timeouts())
    assert (await sender.send(post("https://api.example.com/"))).body == b'{"code":0}'
    await sender.aclose()
    assert not foreign.closed


def raising(error: Exception) -> Callable[[], httpx.Response]:
    """Raises ``error`` as it is called."""

    def then() -> httpx.Response:
        raise error

    return then


BEFORE = [httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.PoolTimeout("x"), httpx.ProxyError("x")]
AFTER = [httpx.ReadError("x"), httpx.WriteError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")]
UNKNOWN = [RuntimeError("sk-secret"), OSError(104, "reset"), TimeoutError(), httpx.HTTPError("x")]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("reads", [True, False], ids=["reads-the-body", "does-not-ask"])
@pytest.mark.parametrize("error", [*BEFORE, *AFTER, *UNKNOWN], ids=lambda error: type(error).__name__)
async def test_what_the_errors_of_foreign_transports_mean(error: Exception, reads: bool, method: str) -> None:
    """A body that was handed over outweighs any word of a connection that failed; the unknown may have acted."""
    sender = HttpTransport(Foreign(raising(error), reads=reads), timeouts=Timeouts())
    body = Bytes(b"{}") if method == "POST" else None
    with pytest.raises(TransportError) as caught:
        await sender.send(Request(method=method, url="https://api.example.com/?token=secret", body=body))
    expected = NotSent if not reads and (method == "POST" or error in BEFORE) else AnswerLost
    assert type(caught.value) is expected
    assert "secret" not in str(caught.value)


async def test_a_repeat_inside_a_foreign_transport_does_not_hide_the_first_send() -> None:
    """Once the last slice has been handed over, a second half-hearted try does not make the request unsent."""

    class Repeating(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            assert isinstance(request.stream, httpx.AsyncByteStream)
            async for _ in request.stream:
                pass
            async for _ in request.stream:
                raise httpx.ConnectError("the second try")
            raise AssertionError

    sender = HttpTransport(Repeating(), timeouts=Timeouts())
    with pytest.raises(AnswerLost):
        await sender.send(post("https://api.example.com/", bytes(200_000)))


@pytest.mark.parametrize("reads", [True, False], ids=["reads-the-body", "does-not-ask"])
async def test_a_foreign_transport_that_knows_no_time_outs_is_bounded_too(reads: bool) -> None:
    """The bound on the whole answer does not depend on whoever carries it."""

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b"x"
                await anyio.sleep(0.01)

    sender = HttpTransport(Foreign(lambda: httpx.Response(200, stream=Endless()), reads=reads), timeouts=Timeouts())
    with pytest.raises(AnswerLost, match=r"not complete after 0\.1 s"):
        await sender.send(Request(method="GET", url="https://api.example.com/", read_timeout=0.05))


async def test_a_body_that_cannot_be_read_is_named_however_the_transport_puts_it() -> None:
    """A foreign transport may wrap what it meets while it reads the body."""

    class Wrapping(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            try:
                await request.aread()
            except Exception as error:
                raise httpx.WriteError("writing failed") from error
            raise AssertionError

    class Gone(Bytes):
        def slices(self) -> Iterator[bytes]:
            raise FileNotFoundError(2, "No such file or directory", "/nowhere/voice.mp3")

    sender = HttpTransport(Wrapping(), timeouts=Timeouts())
    with pytest.raises(NotSent, match=r"the body cannot be read \(No such file or directory: /nowhere/voice\.mp3"):
        await sender.send(Request(method="POST", url="https://api.example.com/", body=Gone(b"{}")))


async def test_the_proxy_that_refuses_is_named() -> None:
    """What the proxy said is passed on, with where it is set."""
    sender = HttpTransport(Foreign(raising(httpx.ProxyError("407 Auth\nneeded")), reads=False), timeouts=Timeouts())
    with pytest.raises(NotSent) as caught:
        await sender.send(post("https://api.example.com/"))
    assert caught.value.message == (
        "could not connect to api.example.com:443: the proxy refused (407 Auth needed); "
        "check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"
    )
