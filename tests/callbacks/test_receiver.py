from __future__ import annotations

import json
import logging
import threading

import anyio
import anyio.lowlevel
import pytest
from anyio.from_thread import start_blocking_portal

from kling_lipsync import CallbackReceiver
from kling_lipsync.callbacks import CallbackRequest, make_token
from kling_lipsync.callbacks.replays import Replays
from kling_lipsync.callbacks.signatures import Genuine
from kling_lipsync.errors import ConfigurationError

from .driving import NEWS, NOW, OTHER, SECRET, TOKEN, Exchange, HandClock, chunks, post, scope, signed

pytestmark = pytest.mark.anyio


def receiver(secret: object = SECRET, **options: object) -> tuple[CallbackReceiver, list[str]]:
    """A receiver whose clock stands at the time of the callbacks, and the tasks it woke somebody for."""
    app = CallbackReceiver(secret, **{"clock": HandClock(), **options})  # type: ignore[arg-type]
    woken: list[str] = []
    app.subscribe(woken.append)
    return app, woken


async def test_a_genuine_callback_wakes_everybody() -> None:
    """Each subscriber hears of the task, until it has had enough."""
    app, woken = receiver()
    others: list[str] = []
    end = app.subscribe(others.append)
    assert (await post(app, headers=signed())).status == 200
    end()
    end()
    assert (await post(app, headers=signed(message_id="m2"))).status == 200
    assert (woken, others) == (["t1", "t1"], ["t1"])


@pytest.mark.parametrize(
    "body",
    [
        {"id": "t1", "status": "succeeded", "message": "", "create_time": 1781080778802},
        {"code": 0, "message": "", "data": {"task_id": "t1", "task_status": "succeed"}},
        {"id": 7, "status": "SUCCESS", "data": {"task_id": "t1"}},
        {"task_id": "t1", "task_status": "a word of next year"},
    ],
)
async def test_shapes(body: object) -> None:
    """Kling's newer body, an envelope, a relay's row number, an unknown word: the task is found in all of them."""
    app, woken = receiver()
    sent = json.dumps(body).encode()
    assert (await post(app, sent, signed(sent))).status == 200
    assert woken == ["t1"]


async def test_nobody_is_subscribed() -> None:
    """A genuine callback is taken all the same: whoever watches the journal looks in any case."""
    app = CallbackReceiver(SECRET, clock=HandClock())
    assert (await post(app, headers=signed())).status == 200
    assert (await post(app, headers=signed(secret=OTHER))).status == 401


async def test_a_replay_wakes_nobody() -> None:
    """The same id again is answered as the first time, a repetition with a new time and signature among it."""
    app, woken = receiver()
    for at in (NOW, NOW, NOW + 2):
        assert (await post(app, headers=signed(at=at))).status == 200
    assert woken == ["t1"]


async def test_what_is_forged_does_not_use_up_an_id() -> None:
    """Nor does somebody else's secret: the genuine callback with that id still wakes."""
    app, woken = receiver([SECRET, OTHER])
    assert (await post(app, headers={**signed(), "webhook-signature": "v1,AAAA"})).status == 401
    assert (await post(app, headers=signed(secret=OTHER))).status == 200
    assert (await post(app, headers=signed())).status == 200
    assert woken == ["t1", "t1"]


async def test_time_on_a_clock_that_moves() -> None:
    """Five minutes in either direction; what was good once is too old later, and its id is forgotten."""
    clock = HandClock()
    app, woken = receiver(clock=clock)
    for now, status in ((NOW - 301, 401), (NOW - 300, 200), (NOW + 300, 200), (NOW + 301, 401)):
        clock.now = now
        assert (await post(app, headers=signed())).status == status
    assert woken == ["t1"]
    assert (await post(app, headers=signed(at=clock.now))).status == 200
    assert woken == ["t1", "t1"]


def test_the_memory_of_ids_is_bounded_by_time_and_number() -> None:
    """Ids go when their time is over, and the oldest when there are too many."""
    replays = Replays(most=3)
    callbacks = [Genuine(f"m{number}", b"key") for number in range(5)]
    assert all(replays.is_new(callback, now=0.0, lifetime=600.0) for callback in callbacks)
    assert len(replays) == 3
    assert not replays.is_new(callbacks[2], now=599.0, lifetime=600.0)
    assert replays.is_new(callbacks[0], now=599.0, lifetime=600.0)
    assert replays.is_new(callbacks[4], now=601.0, lifetime=600.0)
    assert len(replays) == 2


async def test_secrets_found_for_each_tenant() -> None:
    """A function of path and headers gives the secrets, synchronous or not; none for a tenant that it does not know."""
    tenants = {"/hook/a": SECRET, "/hook/b": OTHER}

    async def find(request: CallbackRequest) -> str | None:
        assert "webhook-id" in request.headers
        return tenants.get(request.path)

    for function in (find, lambda request: tenants.get(request.path)):
        app, woken = receiver(function)
        assert (await post(app, headers=signed(), path="/hook/a")).status == 200
        assert (await post(app, headers=signed(secret=OTHER), path="/hook/b")).status == 200
        assert (await post(app, headers=signed(message_id="m2"), path="/hook/b")).status == 401
        assert (await post(app, headers=signed(message_id="m3"), path="/hook/c")).status == 401
        assert woken == ["t1", "t1"]


async def test_a_function_that_fails_is_the_servers_matter() -> None:
    """What it raises is not swallowed, a secret that is none among it."""
    with pytest.raises(ConfigurationError):
        await post(receiver(lambda request: "no base64!")[0], headers=signed())


@pytest.mark.parametrize("path", [f"/{TOKEN}", f"/a/b/{TOKEN}", f"/hook/{TOKEN}/"])
async def test_a_path_token_opens(path: str) -> None:
    """Without a signature the last segment of the path is what nobody can guess, under whatever prefix."""
    app, woken = receiver(None, token=TOKEN)
    assert (await post(app, path=path)).status == 200
    assert woken == ["t1"]


@pytest.mark.parametrize("path", ["/", "", "/hook", f"/{TOKEN}/x", f"/{TOKEN.upper()}", f"/{TOKEN[:-1]}", "/ü\udcff"])
async def test_a_wrong_path_token_finds_nothing(path: str) -> None:
    """There is nothing at any other path, whatever the method, and nobody is woken."""
    app, woken = receiver(None, token=TOKEN)
    for method in ("POST", "GET"):
        assert (await post(app, path=path, method=method)).status == 404
    assert woken == []


async def test_both_token_and_secret_are_checked() -> None:
    """With both, either alone is not enough."""
    app, woken = receiver(SECRET, token=TOKEN)
    assert (await post(app, headers=signed())).status == 404
    assert (await post(app, path=f"/{TOKEN}")).status == 401
    assert woken == []
    assert (await post(app, headers=signed(), path=f"/{TOKEN}")).status == 200
    assert woken == ["t1"]


def test_the_url_for_jobs() -> None:
    """The token goes behind the path, before the query; without one the URL stays."""
    token = make_token()
    app = CallbackReceiver(token=token)
    assert app.path_token == token
    assert app.url_below("https://a.example/hook/?x=1") == f"https://a.example/hook/{token}?x=1"
    assert app.url_below("https://a.example") == f"https://a.example/{token}"
    assert CallbackReceiver(SECRET).url_below("https://a.example/hook/") == "https://a.example/hook/"


@pytest.mark.parametrize(
    ("secret", "token", "told"),
    [
        (None, None, "needs a secret, or a token"),
        ([], TOKEN, "list of callback secrets is empty"),
        ("", TOKEN, "empty or no base64"),
        ([SECRET, "x"], None, "empty or no base64"),
        (None, "short", "16 or more"),
        (None, "", "16 or more"),
        (None, "a/token/that/nobody/guesses", "16 or more"),
    ],
)
def test_what_protects_nothing_is_refused(secret: object, token: str | None, told: str) -> None:
    """An empty secret does not mean that everything is let in."""
    with pytest.raises(ConfigurationError, match=told) as raised:
        CallbackReceiver(secret, token=token)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


async def test_secrets_are_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Neither by repr nor in the log, which has the reason of every refusal."""
    caplog.set_level(logging.DEBUG, "kling_lipsync")
    app, _ = receiver(SECRET, token=TOKEN)
    await post(app, headers=signed(secret=OTHER), path=f"/{TOKEN}")
    assert "refused with HTTP 401: none of the callback's 1 signatures is right" in caplog.text
    shown = repr(app) + repr(vars(app)["_keyring"]) + repr(Genuine("m", b"testsecret")) + caplog.text
    assert not any(word in shown for word in (SECRET[6:], "testsecret", TOKEN))


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "DELETE"])
async def test_only_posts(method: str) -> None:
    """Any other method is told which one it is."""
    answer = await post(receiver()[0], headers=signed(), method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("parts", [[NEWS], [NEWS[:5], b"", NEWS[5:]], [bytes([byte]) for byte in NEWS]])
async def test_a_body_in_pieces(parts: list[bytes]) -> None:
    """A body counts as it comes, however it is cut."""
    app, woken = receiver(largest_body=len(NEWS))
    assert (await post(app, parts=parts, headers=signed())).status == 200
    assert woken == ["t1"]


@pytest.mark.parametrize("parts", [[NEWS + b" "], [NEWS, b" "], [NEWS, b"", b" ", b"never read"]])
async def test_a_body_that_is_too_large(parts: list[bytes]) -> None:
    """The first byte too many ends it, whatever Content-Length says."""
    app, woken = receiver(None, token=TOKEN, largest_body=len(NEWS))
    answer = await post(app, parts=parts, path=f"/{TOKEN}", headers={"content-length": "3"})
    assert (answer.status, woken) == (413, [])
    assert answer.text == f"the body has more than {len(NEWS)} bytes\n"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"<xml/>", b"[" * 100_000, b"\xff", b'{"id": 5}', b'{"id": null}'])
async def test_a_body_that_tells_of_no_task(body: bytes) -> None:
    """It is signed, yet means nothing."""
    app, woken = receiver()
    assert (await post(app, body, signed(body))).status == 400
    assert woken == []


async def test_a_sender_that_hangs_up() -> None:
    """Half a callback is none, and gets no answer."""
    app, woken = receiver(None, token=TOKEN)
    first = {"type": "http.request", "body": NEWS, "more_body": True}
    exchange = Exchange([first, {"type": "http.disconnect"}])
    await app(scope(f"/{TOKEN}"), exchange.receive, exchange.send)
    assert (exchange.sent, woken) == ([], [])


async def test_a_server_that_tells_of_its_life() -> None:
    """Startup and shutdown are acknowledged, and needed for nothing."""
    exchange = Exchange([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    await receiver()[0]({"type": "lifespan"}, exchange.receive, exchange.send)
    assert [message["type"] for message in exchange.sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_other_protocols_are_refused() -> None:
    """A web socket is closed before it opens; anything unknown is an error, as ASGI demands."""
    exchange = Exchange(chunks())
    await receiver()[0]({"type": "websocket"}, exchange.receive, exchange.send)
    assert [message["type"] for message in exchange.sent] == ["websocket.close"]
    with pytest.raises(ValueError, match="pigeon"):
        await receiver()[0]({"type": "pigeon"}, exchange.receive, exchange.send)


async def test_a_subscriber_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, the others are woken, and the sender hears nothing of it."""
    app = CallbackReceiver(SECRET, clock=HandClock())
    woken: list[str] = []

    def fail(task_id: str) -> None:
        raise ZeroDivisionError(task_id)

    app.subscribe(fail)
    app.subscribe(woken.append)
    assert (await post(app, headers=signed())).status == 200
    assert woken == ["t1"]
    assert "woke somebody who failed" in caplog.text


async def test_a_server_in_another_thread(caplog: pytest.LogCaptureFixture) -> None:
    """Each subscriber is called in the event loop it subscribed in; one whose loop is gone hurts nobody."""
    app = CallbackReceiver(SECRET, clock=HandClock())
    woken, here = anyio.Event(), threading.get_ident()

    def wake(task_id: str) -> None:
        assert threading.get_ident() == here
        woken.set()

    async def subscribe_elsewhere() -> None:
        app.subscribe(lambda task_id: pytest.fail("its loop has ended"))

    with start_blocking_portal() as portal:
        portal.call(subscribe_elsewhere)
    app.subscribe(wake)
    with start_blocking_portal() as portal:
        status = portal.call(_status_of_a_post, app)
    with anyio.fail_after(10):
        await woken.wait()
    assert status == 200
    assert "for an event loop that has ended" in caplog.text


async def test_a_subscriber_that_leaves_meanwhile() -> None:
    """News on its way from another thread does not reach somebody who has left."""
    app = CallbackReceiver(SECRET, clock=HandClock())
    end = app.subscribe(lambda task_id: pytest.fail("it has left"))
    with start_blocking_portal() as portal:
        assert portal.call(_status_of_a_post, app) == 200
    end()
    for _ in range(3):
        await anyio.lowlevel.checkpoint()


async def _status_of_a_post(app: CallbackReceiver) -> int:
    return (await post(app, headers=signed())).status
