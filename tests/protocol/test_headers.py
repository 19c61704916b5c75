from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_lipsync._protocol import server_time
from kling_lipsync._protocol.headers import retry_after
from kling_lipsync.abc import Response

NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


def answer(**headers: str) -> Response:
    """An answer with these headers."""
    return Response(status=429, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 2.5 ", 2.5),
        ("-3", 0.0),
        ("99999999", 86400.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:30 -0000", 30.0),
        ("soon", None),
        ("NaN", None),
        ("", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """A wait is asked for in seconds or until a date, is never negative and at most a day."""
    assert retry_after(answer(retry_after=value), NOW) == seconds


def test_date_is_compared_on_the_server_s_clock() -> None:
    """A machine whose clock is wrong still waits as long as the server means."""
    response = answer(retry_after="Wed, 21 Oct 2015 07:28:30 GMT", date="Wed, 21 Oct 2015 07:28:20 GMT")
    assert retry_after(response, NOW - 5000) == 10.0


def test_no_header_no_wait() -> None:
    """Most answers ask for no wait."""
    assert retry_after(answer(), NOW) is None


def test_server_time() -> None:
    """The server's clock is in its Date header."""
    assert server_time(answer(date="Wed, 21 Oct 2015 07:28:00 GMT")) == NOW
    assert server_time(answer()) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ ([+-]\d+|GMT)", fullmatch=True))
def test_any_header_reads(value: str) -> None:
    """Whatever stands in the headers, it is a time or nothing."""
    wait = retry_after(answer(retry_after=value, date=value), NOW)
    assert wait is None or 0 <= wait <= 86400
    assert isinstance(server_time(answer(date=value)), float | None)
