from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_lipsync.callbacks import SignatureInvalid, verify
from kling_lipsync.errors import ConfigurationError, KlingError

from .driving import NEWS, NOW, OTHER, SECRET, signed

OFFICIAL_BODY = (
    b'{"id":"1234567890","status":"succeeded","message":"","create_time":1781080778802,"update_time":1781080794151}'
)
OFFICIAL = {
    "webhook-id": "9876543210",
    "webhook-timestamp": "1781080794",
    "webhook-signature": "v1,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4=",
}


def test_the_official_example() -> None:
    """The vector of Kling's documentation of callbacks is genuine, and gives its id."""
    assert verify(OFFICIAL_BODY, OFFICIAL, SECRET, now=1781080794) == "9876543210"


@pytest.mark.parametrize(
    "headers",
    [
        {name.title(): value for name, value in OFFICIAL.items()},
        [(name.upper(), value) for name, value in OFFICIAL.items()],
        {**OFFICIAL, "webhook-signature": f"v1a,AAAA v1,AAAA v2,x, {OFFICIAL['webhook-signature']}"},
    ],
)
def test_headers_in_any_case_and_several_signatures(headers: dict[str, str]) -> None:
    """Header names count in any case, as a mapping or as pairs; one right signature among others is enough."""
    assert verify(OFFICIAL_BODY, headers, SECRET, now=NOW)


def test_a_secret_without_its_prefix_and_one_of_several() -> None:
    """``whsec_`` may be missing; while one secret replaces another, both are good."""
    assert verify(OFFICIAL_BODY, OFFICIAL, SECRET.removeprefix("whsec_"), now=NOW)
    assert verify(OFFICIAL_BODY, OFFICIAL, [OTHER, SECRET], now=NOW)


@pytest.mark.parametrize("off", [-300, 300])
def test_the_time_at_the_edge(off: int) -> None:
    """Five minutes before and after are still good."""
    assert verify(NEWS, signed(), SECRET, now=NOW + off) == "m1"


@pytest.mark.parametrize(
    ("off", "told"), [(-301, "is 301 s ahead of this machine's"), (301, "is 301 s behind this machine's")]
)
def test_a_time_too_far_off(off: int, told: str) -> None:
    """A second more is not, and the message says in which direction a clock is wrong; the tolerance is a matter of
    settings.
    """
    with pytest.raises(SignatureInvalid, match=told):
        verify(NEWS, signed(), SECRET, now=NOW + off)
    assert verify(NEWS, signed(), SECRET, now=NOW + off, tolerance=302)


def test_this_machines_time_is_the_default() -> None:
    """Without a time, it is now: the example is old."""
    with pytest.raises(SignatureInvalid, match="behind this machine's"):
        verify(OFFICIAL_BODY, OFFICIAL, SECRET)


@pytest.mark.parametrize("name", OFFICIAL)
def test_a_header_that_is_missing(name: str) -> None:
    """The message names it."""
    headers = {other: value for other, value in OFFICIAL.items() if other != name}
    with pytest.raises(SignatureInvalid, match=f"no header {name}"):
        verify(OFFICIAL_BODY, headers, SECRET, now=NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "other"},
        {"webhook-timestamp": "1781080795"},
        {"webhook-signature": "v1,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ5="},
        {"webhook-signature": "UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4="},
        {"webhook-signature": "v2,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4="},
    ],
)
def test_anything_else_than_was_signed(changes: dict[str, str]) -> None:
    """Id, time and signature belong together; the message never tells the right signature."""
    with pytest.raises(SignatureInvalid, match="signatures is right") as raised:
        verify(OFFICIAL_BODY, {**OFFICIAL, **changes}, SECRET, now=NOW)
    assert "UsKlJP00" not in str(raised.value)
    assert isinstance(raised.value, KlingError)


def test_another_body_or_secret() -> None:
    """One byte more, or the secret of somebody else, is forged."""
    for body, secret in ((OFFICIAL_BODY + b" ", SECRET), (OFFICIAL_BODY, OTHER)):
        with pytest.raises(SignatureInvalid):
            verify(body, OFFICIAL, secret, now=NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", " ", "no base64!", "whsec_abc", "schlüssel"])
def test_a_secret_that_is_none(secret: str) -> None:
    """It is a mistake of configuration, and is not shown."""
    with pytest.raises(ConfigurationError, match="no base64") as raised:
        verify(OFFICIAL_BODY, OFFICIAL, secret, now=NOW)
    assert secret.strip() in ("", "whsec_") or secret not in str(raised.value)


values = st.text(max_size=40) | st.sampled_from(sorted(OFFICIAL.values()))


@given(
    body=st.binary(max_size=60),
    headers=st.fixed_dictionaries({}, optional=dict.fromkeys(OFFICIAL, values)),
)
def test_nothing_forged_is_genuine(body: bytes, headers: dict[str, str]) -> None:
    """Whatever comes in, it is refused in one way."""
    with pytest.raises(SignatureInvalid):
        verify(body, headers, SECRET, now=NOW)
