from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Mapping
from datetime import timedelta
from email.utils import formatdate
from typing import Any

import pytest

from kling_lipsync.cli._examine import CHECKS

from ..transport.serving import always, unused_port
from .driving import Line, World, fault, served
from .examining import NAMES, examined, hosted, html, refusal, routed, success, verdicts, without_proxies

SOON, LATER = timedelta(days=3), timedelta(days=400)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests talk to this machine, whatever proxies its owner has set."""
    without_proxies(monkeypatch)


def test_checks_need_only_earlier_ones() -> None:
    """The order of the table is one in which every check finds what it needs."""
    for number, check in enumerate(CHECKS):
        assert set(check.needs) <= set(NAMES[:number])


def test_an_address_that_is_none(line: Line) -> None:
    """A base URL that the HTTP library cannot read is a matter of configuration: status 2."""
    ended = line("doctor", "--base-url", "https://\N{SNOWMAN}-\N{COMBINING ACUTE ACCENT}.example")
    assert (ended.status, ended.out) == (2, "")
    assert "the base URL cannot be read" in ended.err


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
    rule = json.dumps({"kind": "1102", "endpoint": "query"}).encode()
    with urllib.request.urlopen(f"{world.url}/sandbox/faults", rule, timeout=10) as told:  # noqa: S310 - our own server
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
    fault(world, "5000", "list")
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


def test_an_external_id_that_cannot_be_looked_up(line: Line, world: World) -> None:
    """A fault of the gateway is not taken for a task that is not found."""
    assert line.run(world, line.jobs(world, 1)).status == 0
    fault(world, "5000", "query", skip=4)
    found, ended = examined(line, world.url)
    assert ended.status == 1
    assert found["external-ids"]["verdict"] == "failed"
    assert "code 5000" in found["external-ids"]["seen"]


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
        (packs((7.5, "online", LATER), (0, "runOut", LATER)), "ok", "pack 0: 7.5 of 100 units left, until 20"),
        (packs((7.5, "online", 9 * 10**14)), "ok", "until a date beyond all calendars"),
        (packs((7.5, "online", SOON), (0, "online", LATER)), "warning", "nothing lasts longer than a week"),
        (packs((0, "online", LATER)), "warning", "0 of 100 units left"),
        (packs((9, "expired", LATER)), "warning", "resource packs: 1, none in force"),
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
