from __future__ import annotations

import socket

import pytest

from kling_lipsync.cli._listening import Announced, make_door
from kling_lipsync.errors import ConfigurationError
from kling_lipsync.models import Audio, Job, Video

from .driving import SAMPLES, Line, World, served

SECRET = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="
URL = "https://app.example/kling"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def without_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's environment has none."""
    monkeypatch.delenv("KLING_CALLBACK_SECRET", raising=False)


def run(line: Line, world: World) -> tuple[int, str]:
    """Runs two jobs that nobody looks at before an hour has passed."""
    port = free_port()
    pace = ("--poll-interval", "3600", "--task-timeout", "60", "--requests-per-second", "1000")
    listening = ("--callback-listen", f"127.0.0.1:{port}", "--callback-url", f"http://127.0.0.1:{port}/kling")
    ended = line("run", line.jobs(world), "--base-url", world.url, *pace, *listening)
    assert f"kling-lipsync: callbacks come in at 127.0.0.1:{port}\n" in ended.err
    return ended.status, ended.err


@pytest.mark.parametrize("secret", [SECRET, ""], ids=["signed", "token"])
def test_a_run_that_listens(line: Line, monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    """Its jobs tell their news to the run itself, which ends as they do; the journal's state stays the first line."""
    monkeypatch.setenv("KLING_CALLBACK_SECRET", secret)
    with served(callback_secret=secret or None, task_seconds=1000.0) as world:
        status, told = run(line, world)
        assert status == 0
        assert told.splitlines()[0].endswith(": new")
        assert world.stats["callbacks"]["failed"] == 0
        assert world.stats["requests"].get("list", 0) <= 1
        again = line.run(world, line.folder / "jobs.csv")
        assert (again.status, world.stats["tasks"]) == (0, 2)
    assert SECRET[6:] not in line.told


@pytest.mark.usefixtures("without_secret")
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--callback-listen", "127.0.0.1:0"), "--callback-listen and --callback-url go together"),
        (("--callback-url", URL), "--callback-listen and --callback-url go together"),
        (("--callback-listen", "8080", "--callback-url", URL), "--callback-listen 8080: give HOST:PORT"),
        (("--callback-listen", "localhost:0", "--callback-url", "app.example"), "--callback-url is no http:// or"),
    ],
)
def test_wrong_options(line: Line, shared: World, options: tuple[str, ...], told: str) -> None:
    """They are told in one line, before anything is sent: status 2."""
    requests = shared.stats["requests"]
    ended = line.run(shared, line.jobs(shared), *options)
    assert (ended.status, ended.out) == (2, "")
    assert told in ended.err
    assert ended.err.count("\n") == 1
    assert shared.stats["requests"] == requests


@pytest.mark.usefixtures("without_secret")
def test_an_address_in_use(line: Line, shared: World) -> None:
    """Whoever listens there already is named by the address, before anything is sent."""
    requests = shared.stats["requests"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = line.run(shared, line.jobs(shared), "--callback-listen", address, "--callback-url", URL)
    assert (ended.status, shared.stats["requests"]) == (2, requests)
    assert ended.err.startswith(f"kling-lipsync: --callback-listen {address}: ")


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [("127.0.0.1:8080", "127.0.0.1", 8080), ("[::1]:0", "::1", 0), ("localhost:65535", "localhost", 65535)],
)
def test_addresses(listen: str, host: str, port: int) -> None:
    """A name, an IPv4 or a bracketed IPv6 address, and a port; 0 is any that is free."""
    door = make_door(listen, URL, {})
    assert door is not None
    assert (door.host, door.port) == (host, port)


@pytest.mark.parametrize(
    "listen", ["", ":80", "80", "localhost", "localhost:", "localhost:65536", "::1:80", "a b:80", "h:-1", "h:8_0"]
)
def test_what_is_no_address(listen: str) -> None:
    """One line says what is wanted."""
    with pytest.raises(ConfigurationError, match="give HOST:PORT"):
        make_door(listen, URL, {})


def test_secrets_of_the_environment() -> None:
    """One or several, parted by blanks: then the URL stays as it is; without them a new path token is appended."""
    signed, tokens = make_door("h:1", URL, {"KLING_CALLBACK_SECRET": f"{SECRET} {SECRET}"}), make_door("h:1", URL, {})
    assert signed is not None
    assert signed.url == URL
    assert tokens is not None
    assert tokens.url == f"{URL}/{tokens.receiver.path_token}"
    assert str(tokens.receiver.path_token) not in repr(tokens)
    with pytest.raises(ConfigurationError, match="empty or no base64"):
        make_door("h:1", URL, {"KLING_CALLBACK_SECRET": "no-base64"})
    assert make_door(None, None, {}) is None


def test_without_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where uvicorn is missing, one line says what brings it."""
    monkeypatch.setattr("kling_lipsync.cli._listening.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'kling-lipsync\[all\]'"):
        make_door("h:1", URL, {})


def test_a_job_keeps_an_address_of_its_own() -> None:
    """Only jobs that name none are given the run's."""
    video, audio = Video.from_url("https://a.example/v.mp4"), Audio.from_file(SAMPLES / "speech.wav")
    jobs = [Job(key="a", video=video, audio=audio), Job(key="b", video=video, audio=audio, callback_url=f"{URL}/own")]
    announced = Announced(jobs, URL)
    assert [job.callback_url for job in announced] == [URL, f"{URL}/own"]
    assert (len(announced), jobs[0].callback_url) == (2, None)
