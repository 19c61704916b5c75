from __future__ import annotations

import json
import ssl
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from anyio.from_thread import start_blocking_portal

from kling_lipsync.cli._examine import CHECKS, Health, examine, patient
from kling_lipsync.gateways import load_gateway
from kling_lipsync.policies import Timeouts

from ..transport.serving import Connection, Handler, Server, always, answer, once, serving, silent, unused_port
from .driving import Ended, Line, World, served

NAMES = [check.name for check in CHECKS]
SOON, LONG_AGO = timedelta(days=3, hours=1), timedelta(days=400)

Found = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The one authority that the doctor trusts."""
    return trustme.CA()


@pytest.fixture(autouse=True)
def environment(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxies, and an authority that the environment names."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


@contextmanager
def hosted(handler: Handler, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server of a test's own, in a thread of its own."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serving(handler, tls)) as server:
        yield server


def refusal(status: str, code: object, message: str = "no", **headers: str) -> bytes:
    body = {"code": code, "message": message, "request_id": "r"}
    return answer(json.dumps(body).encode(), status=status, headers={"Content-Type": "application/json", **headers})


def success(data: object) -> bytes:
    body = json.dumps({"code": 0, "message": "SUCCEED", "request_id": "r", "data": data}).encode()
    return answer(body, headers={"Content-Type": "application/json"})


def html(status: str = "200 OK") -> bytes:
    return answer(b"<html><title>Welcome</title></html>", status=status, headers={"Content-Type": "text/html"})


def routed(routes: Mapping[str, bytes], otherwise: bytes = refusal("404 Not Found", 1203)) -> Handler:
    """A server that knows the answer to requests by a part of their target."""

    async def handler(connection: Connection) -> None:
        while head := await connection.request():
            await connection.send(next((data for part, data in routes.items() if part in head.target), otherwise))

    return handler


def examined(line: Line, url: str, *options: str) -> tuple[Found, Ended]:
    """The findings by their checks' names, and what the command left."""
    ended = line("doctor", "--json", "--base-url", url, *options)
    assert [list(row) for row in ended.lines] == [["check", "verdict", "seen", "todo"]] * len(NAMES)
    assert [row["check"] for row in ended.lines] == NAMES
    assert "Traceback" not in ended.err
    return {row["check"]: row for row in ended.lines}, ended


def verdicts(found: Found) -> dict[str, str]:
    return {name: row["verdict"] for name, row in found.items()}


def test_checks_need_only_earlier_ones() -> None:
    """The order of the table is one in which every check finds what it needs."""
    for number, check in enumerate(CHECKS):
        assert set(check.needs) <= set(NAMES[:number])


def test_a_healthy_account(line: Line, world: World) -> None:
    """Every check is made, in order, and nothing that costs money is asked: status 0."""
    found, ended = examined(line, world.url)
    assert ended.status == 0
    assert verdicts(found) == {**dict.fromkeys(NAMES, "ok"), "external-ids": "not known"}
    assert all(row["todo"] is None for row in found.values())
    assert found["dns"]["seen"] == "127.0.0.1 is loopback: this machine"
    assert found["http"]["seen"].endswith("ms (median of 3 reads)")
    assert world.stats["requests"].keys() == {"query", "list", "costs"}
    assert world.stats["units"] == 0


def test_the_table(line: Line, shared: World) -> None:
    """A row for each check on stdout, what is examined on stderr; --quiet silences the latter."""
    ended = line("doctor", "--base-url", shared.url)
    head, *rows = ended.out.splitlines()
    assert head.split() == ["CHECK", "VERDICT", "SEEN"]
    assert [row.split()[0] for row in rows] == NAMES
    assert shared.url in ended.err
    assert line("doctor", "--quiet", "--base-url", shared.url).err == ""


def test_a_wrong_key(line: Line) -> None:
    """The refusal is shown with what to do below it; what needs the key is skipped with its reason: status 1."""
    with served(api_keys={"another"}) as world:
        ended = line("doctor", "--base-url", world.url)
    assert ended.status == 1
    row, todo, skipped = ended.out.splitlines()[6:9]
    assert row.split()[:2] == ["authentication", "failed"]
    assert "code 1002, HTTP 401" in row
    assert todo == "    to do: check the key, and that it belongs to this gateway"
    assert skipped.split(maxsplit=2) == ["list", "skipped", "pointless, as authentication failed"]


def test_no_credentials(line: Line, shared: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables are named, and the way to the gateway is examined all the same: status 2."""
    monkeypatch.setenv("KLING_API_KEY", " ")
    found, ended = examined(line, shared.url)
    assert ended.status == 2
    assert found["credentials"]["verdict"] == "failed"
    assert found["credentials"]["todo"] == "set KLING_API_KEY, or KLING_ACCESS_KEY and KLING_SECRET_KEY"
    assert (found["connection"]["verdict"], found["http"]["verdict"]) == ("ok", "skipped")
    assert {found[name]["seen"] for name in NAMES[3:]} == {"pointless, as credentials failed"}


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhIn0.c2ln"


@pytest.mark.parametrize(
    ("gateway", "variables", "verdict", "seen"),
    [
        ("cometapi", {"COMETAPI_KEY": "k" * 9}, "ok", "an API key of 9 characters from COMETAPI_KEY"),
        (
            "official",
            {"KLING_API_KEY": "", "KLING_ACCESS_KEY": "a" * 7, "KLING_SECRET_KEY": "s" * 8},
            "ok",
            "an access key of 7 characters with a secret of 8 (they sign tokens) from KLING_ACCESS_KEY and KLING_SE",
        ),
        ("official", {"KLING_API_KEY": "", "KLING_ACCESS_KEY": "a"}, "failed", "KLING_SECRET_KEY is not"),
        ("official", {"KLING_API_KEY": "Bearer k"}, "failed", "KLING_API_KEY: a key is one word"),
        ("official", {"KLING_ACCESS_KEY": "a"}, "ok", "from KLING_API_KEY (KLING_ACCESS_KEY not used)"),
        ("official", {"KLING_API_KEY": '"quoted"'}, "warning", "there are quotes around it"),
        ("official", {"KLING_API_KEY": JWT}, "warning", "it looks like a signed token"),
    ],
)
def test_where_credentials_come_from(
    line: Line, monkeypatch: pytest.MonkeyPatch, gateway: str, variables: Mapping[str, str], verdict: str, seen: str
) -> None:
    """Their variables and their shape are told, and what looks wrong about them; never a value."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found, ended = examined(line, f"http://127.0.0.1:{unused_port()}", "--gateway", gateway)
    assert found["credentials"]["verdict"] == verdict
    assert seen in found["credentials"]["seen"]
    assert not any(value in ended.out + ended.err for value in variables.values() if len(value) > 1)


def test_an_unknown_gateway(line: Line) -> None:
    """There is nothing to examine: one line on stderr and status 2."""
    ended = line("doctor", "--gateway", "nowhere")
    assert (ended.status, ended.out) == (2, "")
    assert "there is no gateway 'nowhere'" in ended.err


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


def tls(ca: trustme.CA, name: str = "127.0.0.1", **validity: datetime) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name, **validity).configure_cert(context)
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
        secured = tls(authority, not_before=now - LONG_AGO, not_after=now + left)
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
        "expired": lambda: tls(authority, not_before=now - LONG_AGO, not_after=now - SOON),
        "early": lambda: tls(authority, not_before=now + SOON, not_after=now + LONG_AGO),
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


async def hang_up(connection: Connection) -> None:
    """Closes without a word."""
    await connection.stream.receive()


def test_no_tls_at_all(line: Line) -> None:
    """A server that speaks plain http, or hangs up, where TLS is expected."""
    for handler, seen in ((once(b"HTTP/1.1 400 Bad\r\n\r\n"), "does not speak TLS"), (hang_up, "in the midst of")):
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


def test_an_html_page_instead_of_the_api(line: Line) -> None:
    """Wherever the page comes from, with whichever status, it is not Kling's API: the base URL is to be checked."""
    for status in ("200 OK", "401 Unauthorized", "502 Bad Gateway"):
        with hosted(always(html(status))) as server:
            found, ended = examined(line, server.url)
        assert ended.status == 1
        assert found["http"]["verdict"] == "failed"
        assert "html" in found["http"]["seen"].lower()
        assert "--base-url" in found["http"]["todo"]
        assert found["authentication"]["seen"] == "pointless, as http failed"


def test_a_clock_that_is_off(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The difference is told to the second, with its direction; from a minute on it is a warning."""
    monkeypatch.delenv("KLING_API_KEY")
    monkeypatch.setenv("KLING_ACCESS_KEY", "an-access-key")
    monkeypatch.setenv("KLING_SECRET_KEY", "secret-key")
    for skew, verdict, direction in ((300, "warning", "behind"), (-300, "warning", "ahead of"), (30, "ok", "behind")):
        dated = refusal("404 Not Found", 1203, Date=formatdate(time.time() + skew, usegmt=True))
        with hosted(always(dated)) as server:
            found, _ = examined(line, server.url)
        assert found["clock"]["verdict"] == verdict
        told = found["clock"]["seen"]
        assert abs(int(told.removeprefix("this machine's clock is ").split(" ")[0]) - abs(skew)) <= 2
        assert f" s {direction} the gateway's; tokens follow the gateway's clock anyway" in told


def test_answers_without_a_date(line: Line) -> None:
    """The clock cannot be compared, and that is no failure of it."""
    with hosted(routed({})) as server:
        found, _ = examined(line, server.url)
    assert found["clock"]["verdict"] == "not known"


def test_an_account_fault(line: Line, world: World) -> None:
    """A fault of the account is named, with its code and what to do: status 1."""
    fault = json.dumps({"kind": "1102", "endpoint": "query"}).encode()
    with urllib.request.urlopen(f"{world.url}/sandbox/faults", fault, timeout=10) as told:  # noqa: S310 - our own server
        assert told.status == 200
    found, ended = examined(line, world.url)
    assert ended.status == 1
    assert found["authentication"]["verdict"] == "failed"
    assert "code 1102" in found["authentication"]["seen"]
    assert found["authentication"]["todo"] == "buy a resource pack or top up the account"


@pytest.mark.parametrize(
    ("query", "http"),
    [
        (refusal("404 Not Found", None, "Not Found"), "not in Kling's words"),
        (refusal("500 Internal Server Error", 500, "task not found"), "but with an error"),
        (refusal("429 Too Many Requests", 1302), "but with an error"),
    ],
)
def test_the_list_gives_a_second_opinion(line: Line, query: bytes, http: str) -> None:
    """Where the query does not tell whether the key is known, the list may; where neither does, that is said."""
    for page, verdict, seen in (
        (success([]), "ok", "the list of tasks opens"),
        (refusal("401 Unauthorized", 1002), "failed", "code 1002"),
        (query, "not known", "neither a query nor the list tells"),
    ):
        with hosted(routed({"pageNum": page}, query)) as server:
            found, _ = examined(line, server.url)
        assert found["http"]["verdict"] == "warning"
        assert http in found["http"]["seen"]
        assert found["authentication"]["verdict"] == verdict
        assert seen in found["authentication"]["seen"]


def test_a_server_that_echoes_the_key(line: Line) -> None:
    """The key is in no output, even where the gateway sends it back; the fixture looks for it."""
    with hosted(always(refusal("401 Unauthorized", 1000, "Bearer secret-key is wrong"))) as server:
        found, ended = examined(line, server.url, "-vv")
    assert "[key]" in found["authentication"]["seen"]
    assert "secret-key" not in ended.out + ended.err


def test_a_gateway_without_a_list(line: Line) -> None:
    """It fails where the profile promises one, and is as it should be where it does not."""
    with hosted(routed({})) as server:
        promised, ended = examined(line, server.url)
        assert ended.status == 1
        unpromised, ended = examined(line, server.url, "--gateway", "chainhub")
        assert ended.status == 0
    assert promised["list"]["verdict"] == "failed"
    assert "against the profile" in promised["list"]["seen"]
    assert promised["external-ids"]["seen"] == "pointless, as list failed"
    assert unpromised["list"]["verdict"] == "ok"
    assert "as the profile says" in unpromised["list"]["seen"]
    assert unpromised["external-ids"]["verdict"] == "not known"


def test_a_list_that_no_profile_promises(line: Line, shared: World) -> None:
    """It is told, with the way to make use of it."""
    found, ended = examined(line, shared.url, "--gateway", "ezmodel")
    assert ended.status == 0
    assert found["list"]["verdict"] == "warning"
    assert "lists_tasks = true" in found["list"]["todo"]


def test_a_list_that_fails(line: Line, world: World) -> None:
    """A fault of the gateway is not taken for the lack of a list."""
    world.sandbox.faults.add_json({"kind": "5000", "endpoint": "list"})
    found, ended = examined(line, world.url)
    assert ended.status == 1
    assert "code 5000" in found["list"]["seen"]
    assert "run this again" in found["list"]["todo"]


@pytest.mark.parametrize(
    ("finds", "promised", "verdict", "seen"),
    [
        (True, False, "ok", "which the profile does not rely on"),
        (True, True, "ok", "as the profile says"),
        (False, False, "ok", "as the profile says"),
        (False, True, "failed", "against the profile"),
    ],
)
def test_external_ids(line: Line, finds: bool, promised: bool, verdict: str, seen: str) -> None:
    """A task of the list is looked up by its external id, and the answer is held against the profile."""
    profile = line.folder / "own.toml"
    profile.write_text(f"[capabilities]\nlists_tasks = true\nfinds_external_ids = {str(promised).lower()}\n")
    with served(find_external_ids=finds) as world:
        assert line.run(world, line.jobs(world, 1)).status == 0
        found, ended = examined(line, world.url, "--gateway", "own.toml")
    assert ended.status == (1 if verdict == "failed" else 0)
    assert found["list"]["seen"] == "the list works; tasks on its first page: 1, with an external id: 1"
    assert found["external-ids"]["verdict"] == verdict
    assert seen in found["external-ids"]["seen"]


def task(task_id: str, external: str | None = None) -> dict[str, Any]:
    return {"task_id": task_id, "task_status": "processing", "task_info": {"external_task_id": external}}


def test_external_ids_that_give_another_task(line: Line) -> None:
    """A gateway that answers with a task that was not asked for is found out; tasks without the id are passed over."""
    with hosted(routed({"pageNum": success([task("1"), task("2", "mine")]), "/mine": success(task("3"))})) as server:
        found, ended = examined(line, server.url)
    assert ended.status == 1
    assert found["external-ids"]["seen"] == "the external id of task 2 gave another task, 3"


def packs(*packs: tuple[float, str, timedelta | int]) -> bytes:
    """The costs of an account with packs of so many units left, their state, and when they end."""
    now = time.time()
    rows = [
        {
            "resource_pack_name": f"pack {number}",
            "total_quantity": 100,
            "remaining_quantity": left,
            "status": status,
            "invalid_time": ends if isinstance(ends, int) else int((now + ends.total_seconds()) * 1000),
        }
        for number, (left, status, ends) in enumerate(packs)
    ]
    return success({"resource_pack_subscribe_infos": rows})


@pytest.mark.parametrize(
    ("answered", "verdict", "seen"),
    [
        (packs((7.5, "online", LONG_AGO), (0, "runOut", LONG_AGO)), "ok", "pack 0: 7.5 of 100 units left, until 20"),
        (packs((7.5, "online", 10**14)), "ok", "until a date beyond all calendars"),
        (packs((7.5, "online", SOON), (0, "online", LONG_AGO)), "warning", "nothing lasts longer than a week"),
        (packs((0, "online", LONG_AGO)), "warning", "0 of 100 units left"),
        (packs((9, "expired", LONG_AGO)), "warning", "resource packs: 1, none in force"),
        (packs(), "warning", "resource packs: 0, none in force"),
        (refusal("404 Not Found", 1203), "skipped", "does not tell resource packs"),
        (html(), "skipped", "does not tell resource packs"),
        (refusal("429 Too Many Requests", 1302), "warning", "code 1302"),
    ],
)
def test_resource_packs(line: Line, answered: bytes, verdict: str, seen: str) -> None:
    """What is left and until when; an account that cannot buy tasks, or soon cannot, is warned of, and none fails."""
    with hosted(routed({"pageNum": success([]), "/account/costs": answered})) as server:
        found, ended = examined(line, server.url)
    assert ended.status == 0
    assert found["resource-packs"]["verdict"] == verdict
    assert seen in found["resource-packs"]["seen"]


def test_a_gateway_that_knows_no_packs(line: Line, shared: World) -> None:
    """Where the profile has no such endpoint, nothing is asked."""
    found, _ = examined(line, shared.url, "--gateway", "yuto")
    assert found["resource-packs"]["verdict"] == "skipped"


async def tunnel(connection: Connection) -> None:
    """A proxy that passes bytes on."""
    head = await connection.head()
    assert head is not None
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
