from __future__ import annotations

import os
import stat
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import anyio
import httpx
import pytest
import trio
from attrs import frozen
from trio.testing import MockClock

from kling_lipsync import errors
from kling_lipsync._transport.download import Downloader
from kling_lipsync._transport.links import LinkOpener
from kling_lipsync._transport.pool import default_client
from kling_lipsync.errors import DownloadError, ErrorRecord
from kling_lipsync.policies import RetryPolicy

from .serving import Connection, Handler, Head, always, answer, dripping, serving, transport, unused_port

pytestmark = pytest.mark.anyio

FILM = bytes(range(256)) * 4096
ETAG = {"ETag": '"film-1"'}


@asynccontextmanager
async def downloader(patience: float = 5.0, tries: int = 3) -> AsyncIterator[Downloader]:
    """Over a pool of our own, and without long waits between its tries."""
    async with default_client() as client:
        opener = LinkOpener(client=client, timeout=httpx.Timeout(patience))
        retries = RetryPolicy(tries=tries, first_wait=0.001, longest_wait=0.001)
        yield Downloader(opener=opener, patience=patience, retries=retries)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def parted(head: Head, content: bytes, headers: dict[str, str]) -> bytes:
    """What a host that serves parts of files answers."""
    start = int(head.headers["range"].removeprefix("bytes=").rstrip("-"))
    told = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}", **headers}
    return answer(content[start:], status="206 Partial Content", headers=told)


@pytest.mark.parametrize("threads", [True, False])
async def test_the_file_is_on_disk_before_it_has_its_name(
    threads: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut leaves the file whole or not there; the waiting for the disk is a thread's, if so wanted."""
    synced: list[tuple[bool, bool]] = []
    fsync, here = os.fsync, threading.get_ident()

    def watched(opened: int) -> None:
        fsync(opened)
        synced.append(((tmp_path / "a").exists(), threading.get_ident() == here))

    monkeypatch.setattr(os, "fsync", watched)
    async with serving(always(answer(FILM))) as server, transport() as sender:
        await sender.download(server.url, tmp_path / "a", threads=threads)
    assert synced == [(False, not threads), (True, not threads)], "the file, then the folder that names it"


@pytest.mark.parametrize("threads", [True, False])
async def test_a_file_comes_whole(threads: bool, tmp_path: Path) -> None:
    """It is written below folders made for it, over what was there, readable as the umask says; its size is given."""
    path = tmp_path / "out" / "a.mp4"
    async with serving(always(answer(FILM))) as server, transport() as sender:
        for _ in range(2):
            size = await sender.download(server.url + "/a", path, threads=threads, expected=len(FILM))
    assert (size, path.read_bytes()) == (len(FILM), FILM)
    assert names(path.parent) == ["a.mp4"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


async def test_a_file_without_a_length_comes_whole(tmp_path: Path) -> None:
    """Sent in chunks, it is whole at the last one; an empty file is a file too."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfilm\r\n0\r\n\r\n"
    async with serving(always(chunked)) as server, transport() as sender:
        assert await sender.download(server.url, tmp_path / "a") == 4
    async with serving(always(answer(b""))) as server, transport() as sender:
        assert await sender.download(server.url, tmp_path / "b") == 0
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()) == (b"film", b"")


async def test_nothing_stands_under_the_name_before_the_file_is_whole(tmp_path: Path) -> None:
    """What was there stays until the last byte is on disk; a caller that gives up leaves nothing behind."""
    path = tmp_path / "a.mp4"
    path.write_bytes(b"the old one")
    half, more = anyio.Event(), anyio.Event()

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer(FILM)[: len(FILM) // 2])
        half.set()
        await more.wait()

    async with serving(handler) as server, transport() as sender, anyio.create_task_group() as group:
        group.start_soon(sender.download, server.url, path)
        await half.wait()
        while len(names(tmp_path)) == 1:
            await anyio.sleep(0.001)
        assert path.read_bytes() == b"the old one"
        group.cancel_scope.cancel()
    assert names(tmp_path) == ["a.mp4"]
    assert path.read_bytes() == b"the old one"


@pytest.mark.parametrize(
    "headers", [ETAG, {"Last-Modified": formatdate(1_800_000_000, usegmt=True)}], ids=["etag", "date"]
)
async def test_a_broken_connection_is_taken_up_where_it_broke(headers: dict[str, str], tmp_path: Path) -> None:
    """Only the rest is asked for, and only of the same version of the file."""

    async def handler(connection: Connection) -> None:
        head = await connection.request()
        assert head is not None
        if "range" not in head.headers:
            await connection.send(answer(FILM, headers=headers)[:100_000])
            return
        await connection.send(parted(head, FILM, headers))

    async with serving(handler) as server, downloader() as fetcher:
        assert await fetcher.fetch(server.url, tmp_path / "a") == len(FILM)
    assert (tmp_path / "a").read_bytes() == FILM
    first, second = server.heads
    assert "range" not in first.headers
    assert int(second.headers["range"].removeprefix("bytes=").rstrip("-")) > 0
    assert second.headers["if-range"] == next(iter(headers.values()))


def breaking(answers: Iterable[bytes]) -> Handler:
    """A server whose connections bring one answer each and then close."""
    left = iter(answers)

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(next(left))

    return handler


HALF = len(FILM) // 2
OTHER = b"other" * 1000
BEGIN_AGAIN: dict[str, tuple[list[bytes], str]] = {
    "no-validator": ([answer(FILM)[:HALF], answer(FILM)], "--"),
    "weak-etag": ([answer(FILM, headers={"ETag": 'W/"1"'})[:HALF], answer(FILM)], "--"),
    "no-ranges": ([answer(FILM, headers=ETAG)[:HALF], answer(FILM, headers=ETAG)], "-r"),
    "refused-range": ([answer(FILM, headers=ETAG)[:HALF], answer(status="416 No"), answer(FILM)], "-r-"),
    "other-part": (
        [
            answer(FILM, headers=ETAG)[: -len(FILM) // 2],
            answer(FILM[:HALF], status="206 Part", headers={"Content-Range": f"bytes 0-{HALF - 1}/{len(FILM)}"}),
            answer(FILM),
        ],
        "-r-",
    ),
    "part-unasked": (
        [answer(b"film", status="206 Part", headers={"Content-Range": "bytes 0-3/1000"}), answer(FILM)],
        "--",
    ),
    "nothing-at-first": ([b"", answer(FILM)], "--"),
}
"""The answers in turn, and which of the requests may ask for a part (r)."""


@pytest.mark.parametrize(("answers", "asked"), BEGIN_AGAIN.values(), ids=BEGIN_AGAIN)
async def test_where_it_cannot_be_taken_up_it_is_begun_again(answers: list[bytes], asked: str, tmp_path: Path) -> None:
    """The file is never pieced together from parts that may not fit."""
    async with serving(breaking(answers)) as server, downloader() as fetcher:
        assert await fetcher.fetch(server.url, tmp_path / "a") == len(FILM)
    assert (tmp_path / "a").read_bytes() == FILM
    assert "".join("r" if "range" in head.headers else "-" for head in server.heads) == asked


async def test_a_file_that_changed_meanwhile_is_fetched_anew(tmp_path: Path) -> None:
    """If-Range makes the host send all of the new version, and nothing of the old one stays."""
    answers = [answer(FILM, headers=ETAG)[:HALF], answer(OTHER, headers={"ETag": '"film-2"'})]
    async with serving(breaking(answers)) as server, downloader() as fetcher:
        assert await fetcher.fetch(server.url, tmp_path / "a") == len(OTHER)
    assert (tmp_path / "a").read_bytes() == OTHER


async def test_a_host_that_always_hangs_up_is_given_up(tmp_path: Path) -> None:
    """After a few tries there is an error and no file."""
    async with serving(breaking([answer(FILM)[:100]] * 9)) as server, downloader(tries=4) as fetcher:
        with pytest.raises(DownloadError, match="tried 4 times") as caught:
            await fetcher.fetch(server.url + "/a?Signature=secret", tmp_path / "a")
    assert len(server.heads) == 4
    assert names(tmp_path) == []
    assert "secret" not in caught.value.message
    assert not caught.value.expired


async def test_a_host_that_lets_it_drip_is_given_up(tmp_path: Path) -> None:
    """A byte now and then keeps no download alive."""
    drip = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x", 0.02)
    async with serving(drip) as server, downloader(patience=0.1, tries=2) as fetcher:
        with pytest.raises(DownloadError, match="sent too little"):
            await fetcher.fetch(server.url, tmp_path / "a")
    assert names(tmp_path) == []


async def test_a_host_that_cannot_be_reached(tmp_path: Path) -> None:
    """The error says where and why."""
    port = unused_port()
    async with downloader() as fetcher:
        with pytest.raises(DownloadError, match=f"127.0.0.1:{port} could not be fetched: Connection refused"):
            await fetcher.fetch(f"http://127.0.0.1:{port}/", tmp_path / "a")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "expired"),
    [("403 Forbidden", True), ("404 Not Found", True), ("410 Gone", True), ("500 Oh", False), ("401 Who", False)],
)
async def test_a_dead_link_says_that_it_has_expired(status: str, expired: bool, tmp_path: Path) -> None:
    """The caller asks for a fresh link then; the journal knows the error by its public name."""
    async with serving(always(answer(b"<Error/>", status=status))) as server, downloader() as fetcher:
        with pytest.raises(DownloadError, match=status[:3]) as caught:
            await fetcher.fetch(server.url + "/a?Signature=secret", tmp_path / "a")
    assert caught.value.expired is expired
    assert "secret" not in caught.value.message
    assert (len(server.heads), names(tmp_path)) == (1, [])
    assert type(ErrorRecord.of(caught.value).revive("job")) is errors.DownloadError


REFUSED = {
    "page": (answer(b"<p>log in", headers={"Content-Type": "text/html; charset=utf-8"}), "a web page or a message"),
    "unnamed-page": (answer(b"\n <!DOCTYPE html><p>log in"), "a web page or a message"),
    "message": (answer(b'{"code": 1}', headers={"Content-Type": "application/json"}), "a web page or a message"),
    "packed": (answer(b"x", headers={"Content-Encoding": "gzip"}), "packed"),
    "too-large": (answer(FILM), "larger than 1000 bytes"),
    "too-large-unannounced": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + bytes(1001) + b"\r\n0\r\n\r\n",
        "larger than 1000 bytes",
    ),
    "endless": (b"HTTP/1.1 200 OK\r\n\r\n" + FILM, "larger than 1000 bytes"),
}


@pytest.mark.parametrize(("data", "why"), REFUSED.values(), ids=REFUSED)
async def test_what_is_not_the_file_is_refused(data: bytes, why: str, tmp_path: Path) -> None:
    """At once, without another try, and nothing of it stays on disk."""
    async with serving(breaking([data])) as server, downloader() as fetcher:
        with pytest.raises(DownloadError, match=why):
            await fetcher.fetch(server.url, tmp_path / "a", largest=1000)
    assert (len(server.heads), names(tmp_path)) == (1, [])


@pytest.mark.parametrize(
    "data",
    [answer(b"x"), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"],
    ids=["announced", "unannounced"],
)
async def test_a_file_of_another_size_than_expected_is_refused(data: bytes, tmp_path: Path) -> None:
    """Where the caller knows the size, only that size will do."""
    async with serving(breaking([data])) as server, downloader() as fetcher:
        with pytest.raises(DownloadError, match="has 1 bytes, not the 1000 expected"):
            await fetcher.fetch(server.url, tmp_path / "a", expected=1000)
    assert names(tmp_path) == []


@pytest.mark.parametrize("hops", [0, 5])
async def test_redirects_are_followed(hops: int, tmp_path: Path) -> None:
    """Up to five of them, absolute or relative to the last."""

    async def handler(connection: Connection) -> None:
        while head := await connection.request():
            at = int(head.target.strip("/"))
            location = f"/{at - 1}" if at % 2 else f"{server.url}/{at - 1}"
            await connection.send(answer(status="302 Found", headers={"Location": location}) if at else answer(FILM))

    async with serving(handler) as server, downloader() as fetcher:
        assert await fetcher.fetch(f"{server.url}/{hops}", tmp_path / "a") == len(FILM)
    assert len(server.heads) == hops + 1


@pytest.mark.parametrize(
    ("location", "why", "requests"),
    [
        ("/again", "redirects more than 5 times", 6),
        ("file:///etc/passwd", "http or https only", 1),
        ("http://host:port/", "could not be fetched", 1),
    ],
)
async def test_redirects_that_lead_nowhere(location: str, why: str, requests: int, tmp_path: Path) -> None:
    """Neither round in circles nor out of the web."""
    moved = answer(status="302 Found", headers={"Location": location})
    async with serving(always(moved)) as server, downloader(tries=1) as fetcher:
        with pytest.raises(DownloadError, match=why):
            await fetcher.fetch(server.url, tmp_path / "a")
    assert (len(server.heads), names(tmp_path)) == (requests, [])


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a", "/a", "http://host:port/?Signature=secret", ""])
async def test_links_that_are_no_links(url: str, tmp_path: Path) -> None:
    """The message does not repeat what may be secret in them."""
    async with transport() as sender:
        with pytest.raises(DownloadError, match=r"http or https only|not a URL") as caught:
            await sender.download(url, tmp_path / "a")
    assert "secret" not in caught.value.message


async def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    """A folder that is a file, and a name that is a folder."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    async with serving(always(answer(FILM))) as server, transport() as sender:
        for path in (tmp_path / "file" / "a", tmp_path / "folder"):
            with pytest.raises(DownloadError, match=f"{path} cannot be written: "):
                await sender.download(server.url, path)
    assert names(tmp_path) == ["file", "folder"]


class Slow(httpx.AsyncBaseTransport):
    """Takes its time before it sends a request, as a pool does that has no free connection, and cuts answers short."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.sleep(0.1)
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for _ in request.stream:
            pass
        if request.url.path == "/moved":
            return httpx.Response(302, headers={"Location": "/film"})
        return httpx.Response(200, headers={"Content-Length": "4"}, content=b"film"[: 4 - request.url.path.count("x")])


async def test_the_wait_for_a_connection_is_no_fault_of_the_host(tmp_path: Path) -> None:
    """The time for an answer starts as its request leaves, after a redirect too."""
    async with httpx.AsyncClient(transport=Slow()) as client:
        opener = LinkOpener(client=client, timeout=httpx.Timeout(5))
        fetcher = Downloader(opener=opener, patience=0.05, retries=RetryPolicy(tries=1))
        assert await fetcher.fetch("http://media.example.com/moved", tmp_path / "a") == 4


async def test_the_length_is_checked_whoever_carries_the_answer(tmp_path: Path) -> None:
    """A foreign transport may not notice that an answer is cut short."""
    async with httpx.AsyncClient(transport=Slow()) as client:
        opener = LinkOpener(client=client, timeout=httpx.Timeout(5))
        fetcher = Downloader(opener=opener, patience=5, retries=RetryPolicy(tries=1))
        with pytest.raises(DownloadError, match="sent 3 of 4 bytes"):
            await fetcher.fetch("http://media.example.com/x", tmp_path / "a")
    assert names(tmp_path) == []


class Dripping(httpx.AsyncBaseTransport):
    """Sends pieces of one size, one every 40 seconds, and never asks for the request's body."""

    def __init__(self, piece: int) -> None:
        self.piece = piece

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Drops(self.piece))


@frozen
class Drops(httpx.AsyncByteStream):
    """Twenty pieces."""

    piece: int

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(20):
            await anyio.sleep(40)
            yield bytes(self.piece)


@pytest.mark.parametrize(("piece", "comes"), [(256 * 1024, True), (1000, False)])
def test_a_slow_host_is_not_given_up_and_a_dripping_one_is(piece: int, comes: bool, tmp_path: Path) -> None:
    """In virtual time: what counts is that every 256 KB come within the time, whoever carries them."""

    async def main() -> int:
        opener = LinkOpener(client=httpx.AsyncClient(transport=Dripping(piece)), timeout=httpx.Timeout(60))
        fetcher = Downloader(opener=opener, patience=60, retries=RetryPolicy(tries=2))
        return await fetcher.fetch("http://media.example.com/", tmp_path / "a", threads=False)

    clock = MockClock(autojump_threshold=0)
    if comes:
        assert trio.run(main, clock=clock) == 20 * piece
    else:
        with pytest.raises(DownloadError, match="sent too little of the file within 60 s; tried 2 times"):
            trio.run(main, clock=clock)


async def test_a_client_that_is_closed_fails_in_one_line(tmp_path: Path) -> None:
    """Whatever a borrowed client raises is a DownloadError here."""
    async with downloader() as fetcher:
        pass
    with pytest.raises(DownloadError, match="an unexpected RuntimeError"):
        await fetcher.fetch("http://127.0.0.1:1/", tmp_path / "a")
