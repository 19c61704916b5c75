from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kling_lipsync.sandbox import ConnectionDropped, Fault, Sandbox
from kling_lipsync.sandbox.faults import Faults, Stage

from .making import CREATE, HandClock, buy, connect, identify, look, make_order, make_sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("5000", 500, 5000), ("5001", 503, 5001), ("5002", 504, 5002), ("1302", 429, 1302), ("1100", 429, 1100),
        ("1101", 429, 1101), ("1102", 429, 1102), ("1103", 403, 1103), ("1304", 429, 1304), ("1301", 400, 1301),
    ],
)  # fmt: skip
@pytest.mark.parametrize("when", ["before", "after"])
async def test_codes_on_demand(sandbox: Sandbox, kind: str, status: int, code: int, when: str) -> None:
    """The answer is the code's, with its HTTP status; *after* means that the task was bought nevertheless."""
    async with connect(sandbox) as client:
        session_id = (await identify(client))["session_id"]
        sandbox.faults.add(Fault(kind, "create", when=when, retry_after=3))
        answer = await client.post(CREATE, json=make_order(session_id))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["retry-after"] == "3"
    assert sandbox.stats()["tasks"] == (1 if when == "after" else 0)
    assert sandbox.stats()["refusals"] == {kind: 1}


@pytest.mark.parametrize(("kind", "status"), [("502", 502), ("html", 200), ("429", 429)])
async def test_answers_that_are_not_klings(sandbox: Sandbox, kind: str, status: int) -> None:
    """Pages and texts without a code, as proxies send them."""
    sandbox.faults.add(Fault(kind, "list"))
    async with connect(sandbox) as client:
        answer = await client.get(CREATE)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_dropped_connection_raises_in_process(sandbox: Sandbox, when: str) -> None:
    """There is no socket to close, so the caller gets the exception; the task is bought or not."""
    async with connect(sandbox) as client:
        session_id = (await identify(client))["session_id"]
        sandbox.faults.add(Fault("drop", "create", when=when, count=1))
        with pytest.raises(ConnectionDropped):
            await client.post(CREATE, json=make_order(session_id))
        assert sandbox.stats()["tasks"] == (1 if when == "after" else 0)
        await buy(client, session_id)


async def test_a_cut_answer_raises_in_process(sandbox: Sandbox) -> None:
    """Half of a file, then nothing."""
    sandbox.faults.add(Fault("cut", "media", count=1))
    async with connect(sandbox, key=None) as client:
        with pytest.raises(ConnectionDropped):
            await client.get("/media/tone.wav")
        assert (await client.get("/media/tone.wav")).status_code == 200


async def test_a_stall_takes_the_sandboxs_time(sandbox: Sandbox, clock: HandClock) -> None:
    """The answer comes after that many seconds of the sandbox's own sleep."""
    sandbox.faults.add(Fault("stall", "list", seconds=90))
    before = clock.now
    async with connect(sandbox) as client:
        assert (await client.get(CREATE)).json()["code"] == 0
    assert clock.now - before == 90


async def test_tasks_can_be_made_to_fail_or_to_hang(sandbox: Sandbox, clock: HandClock) -> None:
    """The next task fails with the message, the one after it never ends, the third is well."""
    sandbox.faults.add(Fault("fail", "create", count=1, message="face lost"))
    sandbox.faults.add(Fault("stuck", "create", count=1))
    async with connect(sandbox) as client:
        session_id = (await identify(client))["session_id"]
        ids = [await buy(client, session_id) for _ in range(3)]
        clock.now += 10_000
        failed, stuck, well = [await look(client, task_id) for task_id in ids]
    assert (failed["task_status"], failed["task_status_msg"]) == ("failed", "face lost")
    assert stuck["task_status"] == "processing"
    assert well["task_status"] == "succeed"


async def test_a_refused_create_uses_up_no_fate(media: Path, clock: HandClock) -> None:
    """A fault for the next task waits for the next task, not for the next request."""
    with make_sandbox(clock, media, slots=1) as sandbox:
        async with connect(sandbox) as client:
            session_id = (await identify(client))["session_id"]
            await buy(client, session_id)
            fault = sandbox.faults.add(Fault("fail", "create", count=1))
            assert (await client.post(CREATE, json=make_order(session_id))).json()["code"] == 1303
            assert fault.struck == 0


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # elsewhere httpx warns of a body that nobody read
async def test_a_full_account_can_be_refused_before_the_body_is_read(media: Path, clock: HandClock) -> None:
    """1303 comes although the body never ends."""
    sent = []

    async def endless() -> Any:
        for index in range(100):
            sent.append(index)
            yield b"x" * 1000

    with make_sandbox(clock, media, slots=1, refuse_early=True) as sandbox:
        async with connect(sandbox) as client:
            session_id = (await identify(client))["session_id"]
            await buy(client, session_id)
            answer = await client.post(CREATE, content=endless())
    assert (answer.status_code, answer.json()["code"]) == (429, 1303)
    assert len(sent) < 100


async def test_a_refusal_otherwise_waits_for_the_whole_body(sandbox: Sandbox) -> None:
    """Even a request without a key is read to its end before it is refused."""
    sent = []

    async def body() -> Any:
        for index in range(100):
            sent.append(index)
            yield b"x" * 1000

    async with connect(sandbox, key=None) as client:
        answer = await client.post(CREATE, content=body())
    assert answer.json()["code"] == 1001
    assert len(sent) == 100


async def test_faults_are_set_over_http(sandbox: Sandbox) -> None:
    """POST adds one or several, GET lists them, DELETE clears them; what is wrong is refused by name."""
    rules = [{"kind": "5001", "endpoint": "list", "count": 1}, {"kind": "stall", "seconds": 0.5}]
    async with connect(sandbox) as client:
        await client.post("/sandbox/faults", json=rules)
        listed = (await client.post("/sandbox/faults", json={"kind": "drop", "when": "after"})).json()
        assert [(rule["kind"], rule["when"]) for rule in listed] == [
            ("5001", "before"), ("stall", "before"), ("drop", "after"),
        ]  # fmt: skip
        assert (await client.get(CREATE)).json()["code"] == 5001
        assert (await client.get("/sandbox/faults")).json()[0]["struck"] == 1
        assert (await client.delete("/sandbox/faults")).json() == []
        assert (await client.get(CREATE)).json()["code"] == 0


@pytest.mark.parametrize(
    "rule",
    [
        {}, 5, {"kind": "9999"}, {"kind": 5000}, {"kind": "drop", "endpoint": "nowhere"}, {"kind": "drop", "colour": 1},
        {"kind": "drop", "probability": 2}, {"kind": "drop", "when": "later"}, {"kind": "drop", "count": "1"},
    ],
)  # fmt: skip
async def test_faults_that_are_none_are_refused(sandbox: Sandbox, rule: object) -> None:
    """Nothing of a list with a wrong rule comes into force."""
    async with connect(sandbox) as client:
        answer = await client.post("/sandbox/faults", json=[{"kind": "drop"}, rule])
    assert (answer.status_code, answer.json()["code"]) == (400, 1201)
    assert sandbox.faults.rules == []


def test_counts_skips_and_endpoints() -> None:
    """A rule lets some requests pass, strikes as often as it may, and only where it belongs."""
    faults = Faults()
    faults.add(Fault("drop", "create", count=2, skip=1))
    assert faults.draw("query", Stage.BEFORE) is None
    assert faults.draw("create", Stage.AFTER) is None
    struck = [faults.draw("create", Stage.BEFORE) is not None for _ in range(5)]
    assert struck == [False, True, True, False, False]


def test_chances_repeat_with_the_seed() -> None:
    """About three in ten, and the same ones each time."""

    def struck(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add(Fault("5000", probability=0.3))
        return [faults.draw("list", Stage.BEFORE) is not None for _ in range(1000)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 250 < sum(struck(1)) < 350


async def test_statistics_and_tasks_are_there_over_http(sandbox: Sandbox) -> None:
    """What ``stats()`` says, and every task with its account."""
    async with connect(sandbox) as client:
        task_id = await buy(client, (await identify(client))["session_id"], external_task_id="a1")
        stats = (await client.get("/sandbox/stats")).json()
        (row,) = (await client.get("/sandbox/tasks")).json()
        assert (await client.get("/sandbox/nothing")).status_code == 404
    assert stats == sandbox.stats()
    assert [task["task_id"] for task in sandbox.tasks()] == [task_id]
    assert stats["requests"] == {"identify": 1, "create": 1}
    assert (stats["tasks"], stats["running"], stats["identify_calls"]) == (1, 1, 1)
    assert row["task_id"] == task_id
    assert row["account"] in stats["accounts"]
