from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

import kling_lipsync.gateways as gateways_module
from kling_lipsync._protocol import AccessKey, ApiKey, Contract
from kling_lipsync.errors import ConfigurationError
from kling_lipsync.gateways import GATEWAYS, credentials_from_env, load_gateway
from kling_lipsync.models import Prices

HOME = "https://example.com/kling"


def profile(folder: Path, text: str) -> str:
    """A profile of the user's own; gives its path."""
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return str(path)


def test_every_profile_is_named() -> None:
    """The profiles in the package and the names that a user may choose are the same."""
    folder = Path(gateways_module.__file__).with_name("_gateways")
    assert sorted(path.stem for path in folder.glob("*.toml")) == sorted(GATEWAYS)


@pytest.mark.parametrize(
    ("name", "base_url", "keys", "pair"),
    [
        ("official", "https://api-singapore.klingai.com", (), True),
        ("official-cn", "https://api-beijing.klingai.com", (), True),
        ("cometapi", "https://api.cometapi.com/kling", ("COMETAPI_KEY",), False),
        ("chainhub", "https://api.chainhub.tech/kling", (), False),
        ("ezmodel", "https://www.ezmodel.cloud/kling", (), False),
    ],
)
def test_profile(name: str, base_url: str, keys: tuple[str, ...], pair: bool) -> None:
    """A profile says where the gateway is and what it takes."""
    gateway = load_gateway(name)
    assert (gateway.name, gateway.base_url) == (name, base_url)
    assert (gateway.api_key_env, gateway.takes_access_key) == (keys, pair)
    assert not gateway.one_step


def test_nothing_is_promised_that_no_document_shows() -> None:
    """No gateway is believed to find external ids; the list is Kling's own, and of the contract's custom hosts."""
    found = [load_gateway(name, base_url=HOME) for name in GATEWAYS]
    assert not any(gateway.finds_external_ids for gateway in found)
    assert {gateway.name for gateway in found if gateway.lists_tasks} == {"official", "official-cn", "custom"}
    assert {gateway.name for gateway in found if gateway.prices} == {"official", "official-cn"}
    assert load_gateway("official").prices == Prices()


def test_yuto_creates_in_one_step() -> None:
    """Yuto's document has the older contract, and no address."""
    gateway = load_gateway("yuto", base_url="https://yuto.example.com/kling/")
    assert gateway.one_step
    assert gateway.dialect.contract is Contract.ONE_STEP
    assert gateway.base_url == "https://yuto.example.com/kling"


@pytest.mark.parametrize("name", ["yuto", "custom"])
def test_a_gateway_without_an_address_asks_for_one(name: str) -> None:
    """Where the address is the user's to give, the message says how."""
    with pytest.raises(ConfigurationError, match=rf"'{name}' has no address of its own: give it with --base-url"):
        load_gateway(name)


def test_unknown_name_is_told_the_known_ones() -> None:
    """A wrong name is answered with all the right ones."""
    with pytest.raises(ConfigurationError) as caught:
        load_gateway("oficial")
    assert all(name in caught.value.message for name in GATEWAYS)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com/", "https://example.com"),
        ("https://example.com/kling//", "https://example.com/kling"),
        ("http://127.0.0.1:8000/kling", "http://127.0.0.1:8000/kling"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("HTTP://LOCALHOST", "HTTP://LOCALHOST"),
    ],
)
def test_base_url(url: str, base: str) -> None:
    """A base URL replaces the whole base; plain http is for this machine."""
    assert load_gateway("cometapi", base_url=url).base_url == base


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com", "in the clear"),
        ("http://10.0.0.1", "in the clear"),
        ("http://localhost.example.com", "in the clear"),
        ("http://127.0.0.1.example.com", "in the clear"),
        ("http://0.0.0.0", "in the clear"),
        ("https://user:pw@example.com", "user or password"),
        ("https://user@example.com", "user or password"),
        ("https://@example.com", "user or password"),
        ("https://example.com/?a=1", "query or a fragment"),
        ("https://example.com?", "query or a fragment"),
        ("https://example.com/#a", "query or a fragment"),
        ("ftp://example.com", "no https:// address"),
        ("example.com", "no https:// address"),
        ("https://", "no https:// address"),
        ("https:///kling", "no https:// address"),
        ("https://example.com:port", "cannot be read"),
        ("https://[::1", "cannot be read"),
        ("https://example.com/a b", "control character"),
        ("https://exa\nmple.com", "control character"),
        ("http://127.0.0.1\\@example.com", "control character"),
        ("", "no address"),
    ],
)
def test_base_url_that_cannot_work(url: str, why: str) -> None:
    """A base URL that leads nowhere, hides something or would show the key is refused, and why."""
    with pytest.raises(ConfigurationError, match=why) as caught:
        load_gateway("custom", base_url=url)
    assert "pw" not in caught.value.message


def test_plain_http_can_be_allowed() -> None:
    """Whoever owns the network may say so."""
    assert load_gateway("custom", base_url="http://10.0.0.1/kling", allow_http=True).base_url == "http://10.0.0.1/kling"


def test_profile_of_the_user(tmp_path: Path) -> None:
    """A TOML file says everything that the package's profiles say."""
    path = profile(
        tmp_path,
        """
        name = "ours"
        base_url = "https://kling.example.com/v"
        contract = "one_step"
        api_key_env = ["OURS_KEY", "OTHER_KEY"]
        [capabilities]
        finds_external_ids = true
        [paths]
        create = "/v1/videos/lip-sync"
        other_tasks = ["/a", "/b"]
        speech = ""
        [prices]
        lip_sync = 0.7
        """,
    )
    gateway = load_gateway(path)
    assert (gateway.name, gateway.base_url, gateway.one_step) == ("ours", "https://kling.example.com/v", True)
    assert gateway.api_key_env == ("OURS_KEY", "OTHER_KEY")
    assert (gateway.finds_external_ids, gateway.lists_tasks, gateway.bills_identify) == (True, False, True)
    assert (gateway.dialect.other_tasks, gateway.dialect.speech) == (("/a", "/b"), None)
    assert gateway.prices == Prices(lip_sync=Decimal("0.7"))


def test_profile_s_name_is_its_file_s(tmp_path: Path) -> None:
    """A profile need not say its name."""
    assert load_gateway(profile(tmp_path, 'base_url = "https://example.com"')).name == "mine"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("colour = 1", "unknown key colour"),
        ("[capabilities]\nlist_tasks = true", r"unknown key list_tasks in \[capabilities\]; known are .*lists_tasks"),
        ("[paths]\nquery = '/a'", r"unknown key query in \[paths\]"),
        ("[paths]\ncontract = 'two_step'", r"unknown key contract in \[paths\]"),
        ("[prices]\nface = '1'", r"unknown key face in \[prices\]"),
        ("capabilities = 1", "capabilities is no table"),
        ("contract = 'three_step'", "three_step"),
        ("[capabilities]\nlists_tasks = 'no'", "lists_tasks"),
        ("takes_access_key = 1", "takes_access_key"),
        ("base_url = 1", "base_url"),
        ("api_key_env = 'A'", "api_key_env"),
        ("[paths]\ncreate = 'v1/videos'", "create"),
        ("[paths]\ncreate = ''", "create"),
        ("[paths]\nother_tasks = ['/a', 'b']", "other_tasks"),
        ("[prices]\nlip_sync = 'much'", "lip_sync"),
        ("[prices]\nlip_sync = -1", "lip_sync"),
        ("[prices]\nlip_sync = nan", "lip_sync"),
        ("= 1", "is no TOML"),
        ("name = '\udcff'", "is no TOML"),
    ],
)
def test_wrong_profile_says_what_is_wrong(tmp_path: Path, text: str, why: str) -> None:
    """A profile that says what no profile says is refused by file and key."""
    path = tmp_path / "wrong.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError, match=rf"wrong\.toml.*{why}"):
        load_gateway(str(path), base_url=HOME)


def test_profile_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(ConfigurationError, match=r"none\.toml cannot be read: No such file"):
        load_gateway(str(tmp_path / "none.toml"))


def test_credentials_in_order() -> None:
    """The gateway's own variable wins over the common one, and an API key over a pair."""
    environ = {"COMETAPI_KEY": "own", "KLING_API_KEY": "common", "KLING_ACCESS_KEY": "a", "KLING_SECRET_KEY": "s"}
    comet, official = load_gateway("cometapi"), load_gateway("official")
    assert credentials_from_env(comet, environ) == ApiKey("own")
    assert credentials_from_env(official, environ) == ApiKey("common")
    assert credentials_from_env(comet, {**environ, "COMETAPI_KEY": " "}) == ApiKey("common")
    pair = credentials_from_env(official, {**environ, "KLING_API_KEY": ""})
    assert isinstance(pair, AccessKey)
    assert (pair.access_key, pair.secret_key) == ("a", "s")


@pytest.mark.parametrize(
    ("name", "environ", "tried"),
    [
        ("official", {}, ("KLING_API_KEY", "KLING_ACCESS_KEY", "KLING_SECRET_KEY")),
        ("official", {"KLING_ACCESS_KEY": "a"}, ("KLING_ACCESS_KEY is set and KLING_SECRET_KEY is not",)),
        ("official", {"KLING_SECRET_KEY": "s"}, ("KLING_SECRET_KEY is set and KLING_ACCESS_KEY is not",)),
        ("cometapi", {"KLING_ACCESS_KEY": "a", "KLING_SECRET_KEY": "s"}, ("COMETAPI_KEY or KLING_API_KEY",)),
    ],
)
def test_missing_credentials_name_every_variable(name: str, environ: dict[str, str], tried: tuple[str, ...]) -> None:
    """Whoever has no credentials learns where they were looked for."""
    with pytest.raises(ConfigurationError) as caught:
        credentials_from_env(load_gateway(name), environ)
    assert all(words in caught.value.message for words in tried)


@pytest.mark.parametrize("variable", ["KLING_API_KEY", "KLING_SECRET_KEY"])
def test_impossible_key_is_named_and_not_shown(variable: str) -> None:
    """A key with a line break in it would write a header of its own."""
    environ = {"KLING_ACCESS_KEY": "a", variable: "hidden\r\nX-Evil: 1"}
    with pytest.raises(ConfigurationError, match=variable) as caught:
        credentials_from_env(load_gateway("official"), environ)
    assert "hidden" not in caught.value.message
