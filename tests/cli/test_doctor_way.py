from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
import trustme

from kling_lipsync.cli._examine import Health, examine, patient
from kling_lipsync.gateways import load_gateway
from kling_lipsync.policies import Timeouts

from ..transport.serving import Connection, always, answer, serving, silent, unused_port
from .driving import Line
from .examining import examined, hosted, routed, without_proxies

SOON, LONG = timedelta(days=3, hours=1), timedelta(days=400)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The one authority that the doctor trusts."""
    return trustme.CA()


@pytest.fixture(autouse=True)
def environment(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxies, and an authority that the environment names."""
    without_proxies(monkeypatch)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


def test_a_refused_port(line: Line) -> None:
    """The system's reason is told, and what to check; nothing is sent after it."""
    port = unused_port()
    found, ended = examined(line, f"http://127.0.0.1:{port}")
    assert ended.status == 1
    assert found["connection"]["verdict"] == "failed"
    assert found["connection"]["seen"] == f"127.0.0.1:{port}: Connection refused"
    assert "HTTPS_PROXY" in found["connection"]["todo"]
    assert found["resource-packs"]["seen"] == "pointless, as connection failed"


def test_a_name_without_addresses(line: Line) -> None:
    """A host that no name service knows is told, with the variable that names it."""
    found, ended = examined(line, "https://kling.invalid")
    assert ended.status == 1
    assert found["dns"]["verdict"] == "failed"
    assert found["dns"]["seen"].startswith("kling.invalid: ")
    assert "KLING_BASE_URL" in found["dns"]["todo"]
    assert found["connection"]["seen"] == "pointless, as dns failed"


def tls(
    ca: trustme.CA, name: str = "127.0.0.1", *, not_before: datetime | None = None, not_after: datetime | None = None
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name, not_before=not_before, not_after=not_after).configure_cert(context)
    return context


def self_signed(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca = trustme.CA()
    (folder / "self.pem").write_bytes(ca.private_key_pem.bytes() + ca.cert_pem.bytes())
    context.load_cert_chain(folder / "self.pem")
    return context


def test_an_encrypted_connection(line: Line, authority: trustme.CA) -> None:
    """The version of TLS and the days that the certificate has left are told; few days are a warning."""
    now = datetime.now(UTC)
    for left, verdict, days in ((timedelta(days=90, hours=1), "ok", 90), (SOON, "warning", 3)):
        secured = tls(authority, not_before=now - LONG, not_after=now + left)
        with hosted(routed({}), secured) as server:
            found, _ = examined(line, server.url)
        assert found["connection"]["verdict"] == verdict
        assert f" ms, TLSv1.3, certificate good for {days} days more" in found["connection"]["seen"]
        assert found["http"]["verdict"] == "ok"


@pytest.mark.parametrize(
    ("flaw", "seen", "todo"),
    [
        ("name", "is for another address", "--base-url"),
        ("expired", "has expired", "this machine's date"),
        ("early", "is not valid yet", "this machine's date"),
        ("self", "is signed by itself", "SSL_CERT_FILE"),
        ("stranger", "is signed by an authority that nobody here knows", "SSL_CERT_FILE"),
    ],
)
def test_a_certificate_that_cannot_be_trusted(
    line: Line, authority: trustme.CA, flaw: str, seen: str, todo: str
) -> None:
    """What is wrong with it is told, and the key is never sent there."""
    now = datetime.now(UTC)
    contexts = {
        "name": lambda: tls(authority, "kling.example"),
        "expired": lambda: tls(authority, not_before=now - LONG, not_after=now - SOON),
        "early": lambda: tls(authority, not_before=now + SOON, not_after=now + LONG),
        "self": lambda: self_signed(line.folder),
        "stranger": lambda: tls(trustme.CA()),
    }
    with hosted(routed({}), contexts[flaw]()) as server:
        found, ended = examined(line, server.url)
    assert ended.status == 1
    assert found["connection"]["verdict"] == "failed"
    assert found["connection"]["seen"].startswith(f"the certificate of 127.0.0.1 {seen}")
    assert todo in found["connection"]["todo"]
    assert server.heads == []


async def plain(connection: Connection) -> None:
    """Answers whatever comes as a server of plain http does."""
    await connection.stream.receive()
    await connection.send(answer(status="400 Bad Request"))


async def disagree(connection: Connection) -> None:
    """Answers as a server does whose TLS has nothing in common with the client's: the alert handshake_failure."""
    await connection.stream.receive()
    await connection.send(bytes.fromhex("15 0303 0002 0228"))


async def hang_up(connection: Connection) -> None:
    """Closes without a word."""
    await connection.stream.receive()


def test_no_tls_comes_about(line: Line) -> None:
    """A server that speaks plain http, cannot agree, or hangs up, where TLS is expected."""
    for handler, seen in (
        (plain, "does not speak TLS"),
        (disagree, "HANDSHAKE_FAILURE"),
        (hang_up, "in the midst of"),
    ):
        with hosted(handler) as server:
            found, _ = examined(line, server.url.replace("http:", "https:"))
        assert found["connection"]["verdict"] == "failed"
        assert seen in found["connection"]["seen"]


def test_authorities_that_cannot_be_read(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong SSL_CERT_FILE is named as such."""
    monkeypatch.setenv("SSL_CERT_FILE", str(line.folder / "none.pem"))
    with hosted(silent) as server:
        found, ended = examined(line, server.url.replace("http:", "https:"))
    assert ended.status == 1
    assert "SSL_CERT_FILE" in found["connection"]["todo"]


@pytest.mark.anyio
async def test_a_server_that_never_answers(anyio_backend: str) -> None:
    """The time-out to connect bounds the TLS handshake, and a lost answer is no answer of Kling's."""
    async with serving(silent) as server:
        for scheme, name in (("https", "connection"), ("http", "http")):
            url = server.url.replace("http", scheme)
            gateway = load_gateway("official", base_url=url)
            async with patient(gateway, {"KLING_API_KEY": "k"}, Timeouts(connect=0.1, query=0.1)) as sick:
                findings = {check: finding async for check, finding in examine(sick)}
            assert findings[name].health is Health.FAILED
            assert findings["list"].health is Health.SKIPPED


async def tunnel(connection: Connection) -> None:
    """A proxy that passes bytes on."""
    if (head := await connection.head()) is None:
        return
    host, _, port = head.target.partition(":")
    async with await anyio.connect_tcp(host, int(port)) as onward, anyio.create_task_group() as both:
        await connection.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        both.start_soon(_pass_on, connection.stream, onward)
        await _pass_on(onward, connection.stream)
        both.cancel_scope.cancel()


async def _pass_on(source: anyio.abc.ByteReceiveStream, target: anyio.abc.ByteSendStream) -> None:
    try:
        async for piece in source:
            await target.send(piece)
    except anyio.BrokenResourceError:
        pass  # one side has hung up


def test_through_a_proxy(line: Line, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is named, without its password, and the certificate behind it is examined all the same."""
    for name, verdict, seen in (("127.0.0.1", "ok", "TLSv1.3"), ("kling.example", "failed", "is for another address")):
        with hosted(routed({}), tls(authority, name)) as server, hosted(tunnel) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://me:secret-key@"))
            found, _ = examined(line, server.url)
        place = proxy.url.removeprefix("http://")
        assert f"through the proxy {place} of the environment, which looks up 127.0.0.1 itself" in found["dns"]["seen"]
        assert found["connection"]["verdict"] == verdict
        assert seen in found["connection"]["seen"]


def test_a_proxy_that_refuses(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its refusal is told, and the variables to check; so is a proxy that is not there."""
    with hosted(always(answer(status="403 Forbidden"))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        found, _ = examined(line, "https://kling.invalid")
        assert "the proxy refused (403 Forbidden)" in found["connection"]["seen"]
    gone, _ = examined(line, "https://kling.invalid")
    assert "Connection refused" in gone["connection"]["seen"]
    for findings in (found, gone):
        assert findings["dns"]["verdict"] == "ok"
        assert findings["connection"]["verdict"] == "failed"
        assert "NO_PROXY" in findings["connection"]["todo"]


def test_a_key_in_the_clear(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http over a network, allowed by --allow-http, is warned of."""
    with hosted(routed({})) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        found, _ = examined(line, "http://kling.invalid", "--allow-http")
    assert found["connection"]["verdict"] == "warning"
    assert "the key goes out in the clear" in found["connection"]["seen"]
    assert found["http"]["verdict"] == "ok"


def test_a_proxy_that_is_none(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that cannot be read is a matter of configuration: status 2, and its text is not shown."""
    monkeypatch.setenv("HTTPS_PROXY", "ftp://me:secret-key@proxy")
    ended = line("doctor", "--base-url", "https://kling.invalid")
    assert (ended.status, "HTTPS_PROXY" in ended.err) == (2, True)
