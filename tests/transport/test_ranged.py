from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_lipsync._transport.ranges import ContentRange, range_header
from kling_lipsync.errors import DownloadError

from .serving import Connection, Head, always, answer, dripping, once, serving, transport

pytestmark = pytest.mark.anyio

FILM = bytes(range(256)) * 4096


def part(head: Head) -> bytes:
    """What a host that serves parts of files answers."""
    first, last = (int(number) for number in head.headers["range"].removeprefix("bytes=").split("-"))
    if first >= len(FILM):
        return answer(status="416 Beyond", headers={"Content-Range": f"bytes */{len(FILM)}"})
    body = FILM[first : last + 1]
    told = f"bytes {first}-{first + len(body) - 1}/{len(FILM)}"
    return answer(body, status="206 Partial Content", headers={"Content-Range": told})


async def parts(connection: Connection) -> None:
    while head := await connection.request():
        await connection.send(part(head))


async def test_parts_of_a_file() -> None:
    """The bytes and the whole size, by GET, over one connection; fewer at the end, none beyond it."""
    async with serving(parts) as server, transport() as sender:
        assert await sender.read_range(server.url, 0, 16) == (FILM[:16], len(FILM))
        assert await sender.read_range(server.url, 1000, 70_000) == (FILM[1000:71_000], len(FILM))
        assert await sender.read_range(server.url, len(FILM) - 5, 100) == (FILM[-5:], len(FILM))
        assert await sender.read_range(server.url, len(FILM), 100) == (b"", len(FILM))
    assert {head.method for head in server.heads} == {"GET"}
    assert server.heads[0].headers["range"] == "bytes=0-15"
    assert server.connections == 1


async def test_a_host_that_ignores_the_range() -> None:
    """It is heard as far as is needed, and its length is the file's size."""
    huge = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + FILM
    async with serving(once(huge)) as server, transport() as sender:
        assert await sender.read_range(server.url, 10, 16) == (FILM[10:26], 1_000_000_000)
    async with serving(always(answer(b"film"))) as server, transport() as sender:
        assert await sender.read_range(server.url, 1, 16) == (b"ilm", 4)
        assert await sender.read_range(server.url, 7, 16) == (b"", 4)


async def test_no_more_is_waited_for_than_is_needed() -> None:
    """A host that falls silent after the wanted bytes does no harm."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + FILM[:16])
        await anyio.sleep_forever()

    async with serving(handler) as server, transport() as sender:
        assert await sender.read_range(server.url, 0, 16) == (FILM[:16], 1000)


async def test_a_range_far_into_a_file_whose_host_knows_no_ranges() -> None:
    """A gigabyte is not fetched for its last bytes."""
    async with serving(always(answer(FILM))) as server, transport() as sender:
        with pytest.raises(DownloadError, match="does not serve parts of files"):
            await sender.read_range(server.url, 2_000_000, 16)


def partial(content_range: str, body: bytes = b"film") -> bytes:
    return answer(body, status="206 Partial Content", headers={"Content-Range": content_range})


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (partial("bytes 5-8/100"), "another part"),
        (partial("bytes */100"), "another part"),
        (partial("pages 0-3/100"), "another part"),
        (partial("bytes 0-15/100"), "closed the connection in the midst"),
        (answer(b"film")[:-1], "could not be fetched"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfilm", "could not be fetched"),
        (answer(b"film", headers={"Content-Encoding": "gzip"}), "packed"),
        (answer(status="416 Beyond"), "answered 416"),
        (answer(status="416 Beyond", headers={"Content-Range": "bytes */100"}), "answered 416"),
        (answer(status="503 Busy"), "answered 503"),
        (b"", "could not be fetched"),
    ],
)
async def test_answers_that_are_no_part_of_the_file(data: bytes, why: str) -> None:
    """They are refused, in one line that shows no signature."""
    async with serving(once(data)) as server, transport() as sender:
        with pytest.raises(DownloadError, match=why) as caught:
            await sender.read_range(server.url + "/a?Signature=secret", 0, 16)
    assert "secret" not in caught.value.message


async def test_an_answer_longer_than_asked_for() -> None:
    """No more than was asked for is taken."""
    async with serving(once(partial("bytes 0-1048575/1048576", FILM))) as server, transport() as sender:
        assert await sender.read_range(server.url, 0, 16) == (FILM[:16], len(FILM))


async def test_a_file_of_unknown_size() -> None:
    """The bytes come without it."""
    async with serving(once(partial("bytes 0-3/*"))) as server, transport() as sender:
        assert await sender.read_range(server.url, 0, 16) == (b"film", None)


async def test_a_dead_link() -> None:
    """It says so."""
    async with serving(always(answer(status="403 Forbidden"))) as server, transport() as sender:
        with pytest.raises(DownloadError) as caught:
            await sender.read_range(server.url, 0, 16)
    assert caught.value.expired


async def test_a_host_that_lets_it_drip_is_given_up() -> None:
    """Bytes that come now and then hold nobody up."""
    drip = dripping(b"HTTP/1.1 206 OK\r\nContent-Range: bytes 0-999/9999\r\n\r\n", b"x", 0.02)
    async with serving(drip) as server, transport(query=0.1) as sender:
        with pytest.raises(DownloadError, match=r"within 0\.2 s"):
            await sender.read_range(server.url, 0, 1000)


async def test_redirects_are_followed() -> None:
    """As a download does."""
    async with serving(parts) as server:
        moved = answer(status="307 Moved", headers={"Location": server.url})
        async with serving(always(moved)) as first, transport() as sender:
            assert await sender.read_range(first.url, 3, 5) == (FILM[3:8], len(FILM))
    assert first.heads[0].headers["range"] == "bytes=3-7"


@pytest.mark.parametrize(("start", "length"), [(-1, 5), (0, 0), (0, -3)])
async def test_ranges_that_make_no_sense(start: int, length: int) -> None:
    """A mistake of the caller is no failure of the download."""
    async with transport() as sender:
        with pytest.raises(ValueError, match="a range begins at 0 or later"):
            await sender.read_range("http://127.0.0.1:1/", start, length)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("bytes 0-3/10", ContentRange(0, 4, 10)),
        ("Bytes 5-5/*", ContentRange(5, 6, None)),
        ("bytes */10", ContentRange(None, None, 10)),
        ("bytes 3-0/10", None),
        ("bytes -3/10", None),
        ("items 0-3/10", None),
        ("", None),
    ],
)
def test_content_ranges(header: str, told: ContentRange | None) -> None:
    """The end is not included, as everywhere in Python; nonsense is nothing."""
    assert ContentRange.parse(header) == told


@given(start=st.integers(0, 10**12), length=st.integers(1, 10**9))
def test_what_is_asked_for_is_what_is_told(start: int, length: int) -> None:
    """Asking for a range and reading the answer to it agree on what it means."""
    asked = range_header(start, start + length).replace("=", " ")
    assert ContentRange.parse(f"{asked}/*") == ContentRange(start, start + length, None)
