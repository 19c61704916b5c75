from __future__ import annotations

import jwt
import pytest

from kling_lipsync._protocol import AccessKey, ApiKey, make_credentials
from kling_lipsync.errors import ConfigurationError

NOW = 1_781_080_794.7
SECRET = "s" * 32


def claims(header: str) -> dict[str, object]:
    """The verified claims of a Bearer token, as PyJWT reads them."""
    kind, token = header.split(" ")
    assert kind == "Bearer"
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    found: dict[str, object] = jwt.decode(
        token, SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_nbf": False}
    )
    return found


def test_token_is_signed_as_kling_asks() -> None:
    """A token names the access key, lives for half an hour and is dated back by five seconds."""
    header = AccessKey("my-access-key", SECRET).authorization(NOW)
    assert claims(header) == {"iss": "my-access-key", "exp": 1_781_080_794 + 1800, "nbf": 1_781_080_794 - 5}


def test_token_of_another_secret_does_not_verify() -> None:
    """The signature depends on the secret."""
    header = AccessKey("a", "t" * 32).authorization(NOW)
    with pytest.raises(jwt.InvalidSignatureError):
        claims(header)


def test_token_is_kept_and_signed_anew_long_before_its_end() -> None:
    """One token serves a quarter of an hour; then, and when the clock went back, there is a new one."""
    key = AccessKey("a", SECRET)
    first = key.authorization(NOW)
    assert key.authorization(NOW + 899) == first
    assert claims(key.authorization(NOW + 900))["exp"] == 1_781_080_794 + 900 + 1800
    assert claims(key.authorization(NOW - 100))["exp"] == 1_781_080_794 - 100 + 1800


def test_fresh_token_replaces_the_kept_one() -> None:
    """A token that Kling refused is not sent again."""
    key = AccessKey("a", SECRET)
    first = key.authorization(NOW)
    second = key.fresh(NOW + 1)
    assert second != first
    assert key.authorization(NOW + 2) == second


def test_api_key_is_sent_as_it_is() -> None:
    """An API key needs no signing, and renewing changes nothing."""
    key = ApiKey("  sk-1234567890\n")
    assert key.authorization(NOW) == key.fresh(NOW) == "Bearer sk-1234567890"


def test_identity_tells_keys_apart_without_giving_them_away() -> None:
    """The journal knows an account by a hash; the secret plays no part in it."""
    assert ApiKey("sk-1").identity != ApiKey("sk-2").identity
    assert AccessKey("a", "x").identity == AccessKey("a", "y").identity
    assert len(ApiKey("sk-1").identity) == 16
    assert "sk-1" not in ApiKey("sk-1").identity


def test_repr_hides_secrets() -> None:
    """Credentials can be logged."""
    key = AccessKey("public", "very-secret")
    token = key.authorization(NOW).removeprefix("Bearer ")
    assert "very-secret" not in repr(key)
    assert token not in repr(key)
    assert "sk-1" not in repr(ApiKey("sk-1"))


@pytest.mark.parametrize("value", ["", "  ", "a b", "a\nb", "a\r\nX-Other: 1", "clé", "a\x00b", "Bearer sk-1", "a\tb"])
def test_what_cannot_stand_in_a_header_is_no_key(value: str) -> None:
    """A key that could inject a header is refused, and not shown."""
    for make in (lambda: ApiKey(value), lambda: AccessKey("a", value), lambda: AccessKey(value, "s")):
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert not value.strip() or value not in caught.value.message


def test_credentials_from_arguments() -> None:
    """An API key, or a whole pair; nothing else."""
    assert make_credentials(api_key="k") == ApiKey("k")
    assert isinstance(make_credentials(access_key="a", secret_key="s"), AccessKey)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"access_key": "a"},
        {"secret_key": "s"},
        {"api_key": "k", "secret_key": "s"},
        {"api_key": "k", "access_key": "a", "secret_key": "s"},
    ],
)
def test_half_a_pair_or_too_much_is_refused(given: dict[str, str]) -> None:
    """It must be clear which credentials are meant."""
    with pytest.raises(ConfigurationError, match="either an API key, or an access key together with its secret key"):
        make_credentials(**given)
