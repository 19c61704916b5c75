from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
import trustme
from attrs import frozen

from kling_lipsync.abc import Body, Request
from kling_lipsync.errors import AnswerLost, NotSent

from .conftest import Authority
from .serving import Bytes, Connection, always, answer, post, serving, transport, unused_port

pytestmark = pytest.mark.anyio

LARGE = bytes(16_000_000)
"""More than the buffers of two sockets hold, so that its last slice stays here while the server does not read."""


async def test_a_refused_connection() -> None:
    """The message says where, what and what to do; nothing of the URL's query."""
    port = unused_port()
    async with transport() as sender:
        with pytest.raises(NotSent) as caught:
            await sender.send(post(f"http://127.0.0.1:{port}/v1?token=secret"))
    assert caught.value.message == (
        f"could not connect to 127.0.0.1:{port}: Connection refused; check the address and the network"
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://127.0.0.1/x", "neither http nor https"),
        ("127.0.0.1/x", "neither http nor https"),
        ("http://127.0.0.1:port/?token=secret", "not a URL"),
        ("http://127.0.0.1\n/?token=secret", "not a URL"),
        ("http://nobody-here.invalid/?token=secret", "could not connect to nobody-here.invalid:80: "),
    ],
)
async def test_addresses_that_lead_nowhere(method: str, url: str, why: str) -> None:
    """A name that does not resolve, a scheme that is no HTTP, no URL at all: nothing left."""
    async with transport() as sender:
        with pytest.raises(NotSent, match=why) as caught:
            await sender.send(Request(method=method, url=url, body=Bytes(b"{}") if method == "POST" else None))
    assert "secret" not in caught.value.message


async def test_a_connection_that_does_not_come_about_in_time() -> None:
    """A TLS handshake that is never answered runs into the connect time-out, and nothing left."""

    async def handler(connection: Connection) -> None:
        await anyio.sleep_forever()

    async with serving(handler) as server, transport(connect=0.1) as sender:
        with pytest.raises(NotSent, match="time-out ran out"):
            await sender.send(post(f"https://127.0.0.1:{server.port}"))


async def test_a_connection_that_breaks_in_the_midst_of_the_body() -> None:
    """A body whose last slice was never handed over was not sent."""

    async def handler(connection: Connection) -> None:
        await connection.head()
        await connection.body(100_000)
        await connection.reset()

    async with serving(handler) as server, transport() as sender:
        with pytest.raises(NotSent, match="did not leave whole, so it was not carried out"):
            await sender.send(post(server.url, LARGE))
    assert (server.connections, server.bodies) == (1, [])


async def test_a_server_that_takes_no_more_of_the_body() -> None:
    """A write that runs into its time-out before the last slice did not send the request."""

    async def handler(connection: Connection) -> None:
        await connection.head()
        await anyio.sleep_forever()

    async with serving(handler) as server, transport(write=0.2) as sender:
        with pytest.raises(NotSent, match="nothing more was taken"):
            await sender.send(post(server.url, LARGE))
    assert len(server.heads) == 1


async def test_the_same_break_after_the_last_slice_loses_the_answer() -> None:
    """A body of one slice has been handed over when the connection breaks."""

    async def handler(connection: Connection) -> None:
        await connection.head()
        await connection.reset()

    async with serving(handler) as server, transport() as sender:
        with pytest.raises(AnswerLost):
            await sender.send(post(server.url, b"{}"))


@frozen
class Broken:
    """A body that is not what it says it is."""

    told: int
    pieces: tuple[bytes, ...]
    then: OSError | None = None
    content_type: str = "application/json"

    @property
    def length(self) -> int:
        return self.told

    def slices(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.then:
            raise self.then


@frozen
class OfFile:
    """A body read from a file as it is sent."""

    path: Path
    told: int
    content_type: str = "application/json"

    @property
    def length(self) -> int:
        return self.told

    def slices(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while piece := file.read(1000):
                yield piece


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (OfFile(Path("/nowhere/voice.mp3"), 5000), "No such file or directory: /nowhere/voice.mp3"),
        (Broken(10, (b"five!",), OSError(5, "Input/output error")), "Input/output error"),
        (Broken(10, (b"five!",)), "ended after 5 of 10 bytes"),
        (Broken(10, (b"five!", b"and six")), "longer than the 10 bytes"),
    ],
    ids=["no-file", "disk-error", "shrunk", "grown"],
)
async def test_a_body_that_cannot_be_read_to_its_end(body: Body, why: str) -> None:
    """The server never has it whole; the message names what is wrong with it."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer())

    async with serving(handler) as server, transport() as sender:
        with pytest.raises(NotSent, match=why):
            await sender.send(Request(method="POST", url=server.url, body=body))
        assert server.bodies == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("key", ["sk-secret\n", "sk-secret ", "sk-secret\r\nX: y", "sk-secret\u2026"])
async def test_a_key_that_cannot_go_into_a_header_is_not_shown(key: str, method: str) -> None:
    """A key read from a file with its line break, say: neither the error nor its traceback shows it."""
    headers = {"Authorization": f"Bearer {key}"}
    body = Bytes(b"{}") if method == "POST" else None
    async with transport() as sender:
        with pytest.raises(NotSent, match="header Authorization has a line break") as caught:
            await sender.send(Request(method=method, url="http://127.0.0.1:1/", headers=headers, body=body))
    assert "sk-secret" not in "".join(traceback.format_exception(caught.value))


async def test_certificates_are_checked(authority: Authority) -> None:
    """The authority that SSL_CERT_FILE names is trusted; another one is not, and its server gets no request."""
    async with transport() as sender:
        async with serving(always(answer(b"trusted")), authority.server_tls()) as server:
            assert (await sender.send(post(server.url))).body == b"trusted"
        stranger = Authority(trustme.CA(), authority.file)
        for context in (stranger.server_tls(), authority.server_tls("other.example.com")):
            async with serving(always(answer(b"x")), context) as server:
                with pytest.raises(NotSent, match="certificate verify failed"):
                    await sender.send(post(server.url))
                assert server.heads == []


async def test_a_missing_certificate_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong SSL_CERT_FILE is a file that is not there, and says so."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/authority.pem")
    async with transport() as sender:
        with pytest.raises(NotSent, match="No such file"):
            await sender.send(post("https://127.0.0.1:1/"))
