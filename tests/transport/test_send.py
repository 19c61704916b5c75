from __future__ import annotations

import gzip
import tracemalloc
import zlib

import anyio
import pytest

from kling_lipsync.abc import Request
from kling_lipsync.errors import AnswerLost

from .serving import Connection, Handler, always, answer, dripping, once, post, serving, silent, transport

pytestmark = pytest.mark.anyio


async def test_an_answer_comes_with_its_status_headers_and_body() -> None:
    """Whatever the status, the answer is given back, its header names in lower case."""
    data = answer(b'{"code": 1303}', status="429 Too Many Requests", headers={"Retry-After": "7"})
    async with serving(always(data)) as server, transport() as sender:
        response = await sender.send(post(server.url + "/v1/videos?pageNum=1"))
    assert (response.status, response.body) == (429, b'{"code": 1303}')
    assert response.headers["retry-after"] == "7"
    assert server.heads[0].target == "/v1/videos?pageNum=1"


async def test_a_body_goes_out_in_slices_with_its_exact_length() -> None:
    """A body of several slices arrives whole, announced by Content-Length and never chunked."""
    data = bytes(range(256)) * 4096
    async with serving(always(answer())) as server, transport() as sender:
        await sender.send(post(server.url, data))
    assert server.bodies == [data]
    assert server.heads[0].headers["content-length"] == str(len(data))
    assert server.heads[0].headers["content-type"] == "application/json"
    assert "transfer-encoding" not in server.heads[0].headers


@pytest.mark.parametrize(("method", "length"), [("GET", None), ("POST", "0"), ("DELETE", None)])
async def test_a_request_without_a_body(method: str, length: str | None) -> None:
    """Only a POST says that its body is empty."""
    async with serving(always(answer(b"x"))) as server, transport() as sender:
        await sender.send(Request(method=method, url=server.url))
    assert server.heads[0].headers.get("content-length") == length
    assert server.heads[0].headers["host"] == f"127.0.0.1:{server.port}"
    assert "transfer-encoding" not in server.heads[0].headers


async def test_connections_are_used_again() -> None:
    """Requests one after the other share a connection."""
    async with serving(always(answer(b"x"))) as server, transport() as sender:
        for _ in range(3):
            await sender.send(post(server.url))
    assert (server.connections, len(server.heads)) == (1, 3)


async def test_many_requests_wait_for_few_connections() -> None:
    """A wait for a free connection is no failure, however many wait."""
    async with (
        serving(always(answer(b"x"))) as server,
        transport(connections=2) as sender,
        anyio.create_task_group() as group,
    ):
        for _ in range(40):
            group.start_soon(sender.send, post(server.url))
    assert len(server.heads) == 40
    assert server.connections <= 2


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_a_redirect_is_returned_and_not_followed(status: str) -> None:
    """The key never reaches the host that a redirect names."""
    async with serving(always(answer())) as other:
        moved = answer(status=status, headers={"Location": other.url + "/x"})
        async with serving(always(moved)) as server, transport() as sender:
            response = await sender.send(post(server.url, headers={"Authorization": "Bearer key"}))
    assert response.status == int(status[:3])
    assert response.headers["location"] == other.url + "/x"
    assert other.connections == 0


async def test_a_packed_answer_is_unpacked() -> None:
    """An answer that comes in gzip is what it was before."""
    data = answer(gzip.compress(b"page " * 1000), headers={"Content-Encoding": "gzip"})
    async with serving(always(data)) as server, transport() as sender:
        response = await sender.send(post(server.url))
    assert response.body == b"page " * 1000
    assert server.heads[0].headers["accept-encoding"] == "gzip"


BOMB = gzip.compress(bytes(20_000_000))
PACKED = {"Content-Encoding": "gzip"}
UNTAKEABLE = {
    "too-large": (answer(bytes(1001)), "larger than 1000 bytes"),
    "too-large-chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + bytes(1001) + b"\r\n0\r\n\r\n",
        "larger than 1000 bytes",
    ),
    "bomb": (answer(BOMB, headers=PACKED), "larger than 1000 bytes"),
    "broken-gzip": (answer(b"no gzip at all", headers=PACKED), "gzip encoding is broken"),
    "half-a-gzip": (answer(gzip.compress(b"x" * 100)[:-9], headers=PACKED), "ends too early"),
    "deflate": (answer(zlib.compress(b"x"), headers={"Content-Encoding": "deflate"}), "'deflate', which was not asked"),
}


@pytest.mark.parametrize(("data", "why"), UNTAKEABLE.values(), ids=UNTAKEABLE)
async def test_an_answer_that_cannot_be_taken_is_lost(data: bytes, why: str) -> None:
    """Too large once unpacked, or not readable: the request was carried out, so it is never sent twice."""
    async with serving(always(data)) as server, transport() as sender:
        with pytest.raises(AnswerLost, match=why):
            await sender.send(post(server.url, largest_answer=1000))
    assert len(server.heads) == 1


async def test_a_bomb_is_not_unpacked() -> None:
    """No more of it is ever in memory than may be taken."""
    async with serving(always(answer(BOMB, headers=PACKED))) as server, transport() as sender:
        with pytest.raises(AnswerLost):
            await sender.send(post(server.url, largest_answer=1000))
        tracemalloc.start()
        try:
            with pytest.raises(AnswerLost):
                await sender.send(post(server.url, largest_answer=1000))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 2_000_000


async def test_an_answer_of_the_largest_size_is_taken() -> None:
    """The bound is the last size allowed."""
    packed = answer(gzip.compress(bytes(1000)), headers=PACKED)
    async with serving(always(packed)) as server, transport() as sender:
        assert len((await sender.send(post(server.url, largest_answer=1000))).body) == 1000


async def closes(connection: Connection) -> None:
    await connection.request()


async def resets(connection: Connection) -> None:
    await connection.request()
    await connection.reset()


LOSSES: dict[str, Handler] = {
    "closes-before-the-head": closes,
    "resets-before-the-head": resets,
    "closes-in-the-head": once(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "closes-in-the-body": once(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
    "closes-in-a-chunk": once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf"),
    "speaks-no-http": once(b"220 mail.example.com ESMTP\r\n\r\n"),
    "is-silent": silent,
    "drips-its-head": dripping(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.01),
    "drips-its-body": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x", 0.01),
}


@pytest.mark.parametrize("handler", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_goes_wrong_after_the_request_left_loses_the_answer(handler: Handler, method: str) -> None:
    """Once the server has the request it may have acted; the request is seen once and never sent again."""
    async with serving(handler) as server, transport() as sender:
        request = post(server.url + "/v1?token=secret", read_timeout=0.05)
        if method == "GET":
            request = Request(method="GET", url=request.url, read_timeout=0.05)
        with pytest.raises(AnswerLost) as caught:
            await sender.send(request)
    assert (server.connections, len(server.heads)) == (1, 1)
    assert caught.value.message.startswith(f"no whole answer from 127.0.0.1:{server.port}: ")
    assert "secret" not in caught.value.message
    assert "\n" not in caught.value.message


async def test_cancellation_stays_cancellation() -> None:
    """A caller that stops waiting gets no error that says otherwise."""
    taken = anyio.Event()

    async def handler(connection: Connection) -> None:
        await connection.request()
        taken.set()
        await anyio.sleep_forever()

    async with serving(handler) as server, transport() as sender, anyio.create_task_group() as group:
        ended_otherwise: list[object] = []

        async def send() -> None:
            ended_otherwise.append(await sender.send(post(server.url)))

        group.start_soon(send)
        await taken.wait()
        group.cancel_scope.cancel()
    assert not ended_otherwise
    assert len(server.heads) == 1


async def test_a_transport_opens_again_after_it_was_closed() -> None:
    """Closing gives the connections back, and no more than that."""
    async with serving(always(answer(b"x"))) as server, transport() as sender:
        await sender.send(post(server.url))
        await sender.aclose()
        await sender.aclose()
        await sender.send(post(server.url))
    assert server.connections == 2


async def test_an_idle_connection_that_the_server_closed_is_not_used() -> None:
    """The next request goes over a new connection, once."""
    closed = anyio.Event()

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer(b"x"))
        await connection.stream.aclose()
        closed.set()

    async with serving(handler) as server, transport() as sender:
        await sender.send(post(server.url))
        await closed.wait()
        await sender.send(post(server.url))
    assert (server.connections, len(server.heads)) == (2, 2)


async def test_a_connection_closed_as_the_next_request_leaves_loses_it_and_the_pool_never_repeats_it() -> None:
    """Nobody can tell whether the server acted, so only the caller may decide to send again."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer(b"x"))
        await connection.body(1)
        await connection.reset()

    async with serving(handler) as server, transport() as sender:
        await sender.send(post(server.url))
        with pytest.raises(AnswerLost):
            await sender.send(post(server.url))
        assert server.connections == 1
