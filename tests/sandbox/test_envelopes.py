from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from kling_lipsync.sandbox import Fault, Spelling

from .making import CREATE, IDENTIFY, ORIGIN, HandClock, buy, connect, identify, make_order, make_sandbox

pytestmark = pytest.mark.anyio

CLIP = {"video_url": f"{ORIGIN}/media/clip.mp4"}
SPEECH = {"text": "Hello there, how are you today my friend?", "voice_id": "oversea_male1", "voice_language": "en"}


async def told(client: httpx.AsyncClient, task_id: str) -> Any:
    """The whole body of a query."""
    answer = await client.get(f"{CREATE}/{task_id}")
    assert answer.status_code == 200
    return answer.json()


async def a_life(clock: HandClock, media: Path, *, fails: bool = False, **settings: Any) -> list[Any]:
    """The bodies of a create, and of queries while its task waits, runs and has ended."""
    with make_sandbox(clock, media, **settings) as sandbox:
        if fails:
            sandbox.faults.add(Fault("fail", "create", message="face lost"))
        async with connect(sandbox, prefix="/kling") as client:
            found = (await client.post(IDENTIFY, json=CLIP)).json()["data"]
            created = (await client.post(CREATE, json=make_order(found["session_id"]))).json()
            (task,) = sandbox.tasks()
            bodies = [created]
            for seconds in (0, 100, 140):
                clock.now += seconds
                bodies.append(await told(client, task["task_id"]))
    return bodies


# Families


@pytest.mark.parametrize("gateway", ["official", "ezmodel"])
async def test_a_task_of_the_gateways_own(clock: HandClock, media: Path, gateway: str) -> None:
    """The gateway's record of a task, with Kling's whole envelope inside; times are in seconds."""
    begun = int(clock.now) + 15
    created, waiting, running, done = await a_life(clock, media, gateway=gateway, answers="task")
    assert created["code"] == 0
    assert {"code": done["code"], "message": done["message"]} == {"code": "success", "message": ""}
    records = [body["data"] for body in (waiting, running, done)]
    assert [record["status"] for record in records] == ["SUBMITTED", "IN_PROGRESS", "SUCCESS"]
    assert [record["progress"] for record in records] == ["10%", "30%", "100%"]
    assert [record["finish_time"] for record in records] == [0, 0, begun + 240]
    assert {record["submit_time"] for record in records} == {begun}
    assert {record["task_id"] for record in records} == {created["data"]["task_id"]}
    assert {record["action"] for record in records} == {"advanced-lip-sync"}
    assert records[-1]["fail_reason"] == ""
    inner = records[-1]["data"]
    assert (inner["code"], inner["data"]["task_status"]) == (0, "succeed")
    assert inner["data"]["task_result"]["videos"][0]["url"].startswith(ORIGIN)


async def test_a_failure_in_a_gateways_own_task(clock: HandClock, media: Path) -> None:
    """The reason stands in ``fail_reason`` and inside."""
    *_, failed = await a_life(clock, media, fails=True, answers="task")
    assert (failed["data"]["status"], failed["data"]["fail_reason"]) == ("FAILURE", "face lost")
    assert failed["data"]["data"]["data"]["task_status_msg"] == "face lost"


async def test_the_url_as_a_reason(clock: HandClock, media: Path) -> None:
    """Gateways in the field put the result's URL where failures have their reason."""
    _, waiting, _, done = await a_life(clock, media, answers="task", spellings=["url-as-reason"])
    *_, failed = await a_life(clock, media, fails=True, answers="task", spellings=["url-as-reason"])
    assert waiting["data"]["fail_reason"] == ""
    video = done["data"]["data"]["data"]["task_result"]["videos"][0]
    assert done["data"]["fail_reason"].split("?")[0] == video["url"].split("?")[0]
    assert failed["data"]["fail_reason"] == "face lost"


async def test_a_video_object(clock: HandClock, media: Path) -> None:
    """No envelope: the task is the whole body, and its result hides in ``metadata``."""
    begun = int(clock.now) + 15
    created, waiting, running, done = await a_life(clock, media, answers="video")
    assert created == waiting
    assert created["created_at"] == begun
    assert [body["status"] for body in (created, running, done)] == ["queued", "in_progress", "completed"]
    assert [body["progress"] for body in (created, running, done)] == [10, 30, 100]
    assert {body["object"] for body in (created, running, done)} == {"video"}
    assert created["id"] == done["id"]
    assert set(running) == {"id", "object", "model", "status", "progress", "created_at"}
    assert (done["completed_at"], done["seconds"]) == (begun + 240, "4.000")
    assert done["metadata"]["url"].startswith(f"{ORIGIN}/results/")


async def test_a_failure_in_a_video_object(clock: HandClock, media: Path) -> None:
    """It has an error with the reason, and no result."""
    *_, failed = await a_life(clock, media, fails=True, answers="video")
    assert failed["status"] == "failed"
    assert failed["error"] == {"code": "task_failed", "message": "face lost"}
    assert "metadata" not in failed


@pytest.mark.parametrize("answers", ["kling", "task", "video"])
@pytest.mark.parametrize("created", ["kling", "task", "video"])
async def test_a_create_may_be_answered_otherwise(clock: HandClock, media: Path, answers: str, created: str) -> None:
    """The answer to the create has a family of its own; queries keep theirs."""
    body, _, _, done = await a_life(clock, media, answers=answers, created=created)
    families = []
    for each in (body, done):
        if each.get("object") == "video":
            families.append("video")
        else:
            families.append("task" if "progress" in each["data"] else "kling")
    assert families == [created, answers]


async def test_lists_in_each_family(clock: HandClock, media: Path) -> None:
    """An array of what a query shows, in the family's own frame."""
    shown = {}
    for answers in ("kling", "task", "video"):
        with make_sandbox(clock, media, answers=answers) as sandbox:
            async with connect(sandbox) as client:
                session_id = (await client.post(IDENTIFY, json=CLIP)).json()["data"]["session_id"]
                await client.post(CREATE, json=make_order(session_id))
                (task,) = sandbox.tasks()
                one, listed = await told(client, task["task_id"]), (await client.get(CREATE)).json()
        # The envelope inside a gateway's own task is as fresh as the answer.
        (item,), one = listed["data"], one if answers == "video" else one["data"]
        assert _unnamed(item) == _unnamed(one)
        shown[answers] = {name: value for name, value in listed.items() if name not in {"data", "request_id"}}
    assert shown == {
        "kling": {"code": 0, "message": "SUCCEED"},
        "task": {"code": "success", "message": ""},
        "video": {"object": "list"},
    }


@pytest.mark.parametrize("answers", ["task", "video"])
async def test_faces_and_speech_stay_in_klings_envelope(clock: HandClock, media: Path, answers: str) -> None:
    """Families are about tasks; what is answered at once is handed on as it is."""
    with make_sandbox(clock, media, answers=answers) as sandbox:
        async with connect(sandbox) as client:
            found = await client.post(IDENTIFY, json=CLIP)
            spoken = await client.post("/v1/audio/tts", json=SPEECH)
    for answer in (found, spoken):
        assert (answer.json()["code"], answer.json()["message"]) == (0, "SUCCEED")
    assert spoken.json()["data"]["task_status"] == "succeed"


def _unnamed(item: dict[str, Any]) -> dict[str, Any]:
    inner = {name: value for name, value in item.get("data", {}).items() if name != "request_id"}
    return {**item, "data": inner}


# Words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (None, ["submitted", "submitted", "processing", "succeed"]),
        ("newer", ["submitted", "submitted", "processing", "succeeded"]),
        ("task", ["SUBMITTED", "SUBMITTED", "IN_PROGRESS", "SUCCESS"]),
        ("upper", ["SUBMITTED", "SUBMITTED", "PROCESSING", "SUCCESS"]),
        ("video", ["queued", "queued", "in_progress", "completed"]),
        ("odd", ["", "", "storing", "succeed"]),
    ],
)
async def test_vocabularies(clock: HandClock, media: Path, words: str | None, expected: list[str]) -> None:
    """Where a task is, in other words than Kling's."""
    bodies = await a_life(clock, media, words=words)
    assert [body["data"]["task_status"] for body in bodies] == expected


@pytest.mark.parametrize(("words", "last"), [("newer", "failed"), ("task", "FAILURE"), ("upper", "FAILED")])
async def test_words_of_a_failure(clock: HandClock, media: Path, words: str, last: str) -> None:
    """A failure has a word of its own in each vocabulary."""
    *_, failed = await a_life(clock, media, fails=True, words=words)
    assert failed["data"]["task_status"] == last


async def test_words_are_the_outermost_ones(clock: HandClock, media: Path) -> None:
    """Within a gateway's own task, Kling's envelope keeps Kling's words."""
    *_, done = await a_life(clock, media, answers="task", words="upper")
    assert done["data"]["status"] == "SUCCESS"
    assert done["data"]["data"]["data"]["task_status"] == "succeed"


# Spellings


async def spelled(clock: HandClock, media: Path, *spellings: str) -> tuple[Any, list[Any]]:
    """The body of a look for faces, and those of a task's life."""
    with make_sandbox(clock, media, spellings=spellings) as sandbox:
        async with connect(sandbox) as client:
            found = (await client.post(IDENTIFY, json=CLIP)).json()
    return found, await a_life(clock, media, spellings=spellings)


async def test_lean_answers(clock: HandClock, media: Path) -> None:
    """Only what a task needs is there; the reason of a failure stays."""
    found, (created, _, running, done) = await spelled(clock, media, "lean")
    *_, failed = await a_life(clock, media, fails=True, spellings=["lean"])
    times = {"created_at", "updated_at"}
    assert set(found["data"]) == {"session_id", "face_data"}
    assert set(created["data"]) == {"task_id", "task_status", *times}
    assert set(running["data"]) == {*created["data"], "task_result"}
    assert set(done["data"]["task_result"]["videos"][0]) == {"id", "url", "duration"}
    assert failed["data"]["task_status_msg"] == "face lost"


async def test_results_that_are_not_there_yet(clock: HandClock, media: Path) -> None:
    """Before there is a result: an empty array, or nothing at all; afterwards the result."""
    _, (_, _, as_list, done) = await spelled(clock, media, "result-list")
    _, (_, _, absent, done_as_well) = await spelled(clock, media, "result-absent")
    assert as_list["data"]["task_result"] == []
    assert "task_result" not in absent["data"]
    for body in (done, done_as_well):
        assert len(body["data"]["task_result"]["videos"]) == 1


async def test_a_list_of_faces(clock: HandClock, media: Path) -> None:
    """``face_list`` holds what ``face_data`` held."""
    plain, _ = await spelled(clock, media)
    found, _ = await spelled(clock, media, "face-list")
    assert "face_data" not in found["data"]
    assert [face["end_time"] for face in found["data"]["face_list"]] == [
        face["end_time"] for face in plain["data"]["face_data"]
    ]


async def test_times(clock: HandClock, media: Path) -> None:
    """Stamps in seconds, times as texts, and both; the times of faces stay in milliseconds."""
    begun = round(clock.now) + 15
    with make_sandbox(clock, media, spellings=["seconds", "text-times"]) as sandbox:
        async with connect(sandbox) as client:
            found = await identify(client)
            answer = await client.post(CREATE, json=make_order(found["session_id"]))
    assert found["face_data"][0]["start_time"] == "0"
    assert found["face_data"][0]["end_time"] == "4020"
    assert answer.json()["data"]["created_at"] == str(begun)
    _, (created, *_) = await spelled(clock, media, "seconds")
    assert 0 < created["data"]["created_at"] - begun < 1000
    _, (created, *_) = await spelled(clock, media, "text-times")
    assert len(created["data"]["updated_at"]) == 13


@pytest.mark.parametrize(
    ("spellings", "code"),
    [([], 0), (["text-code"], "0"), (["success-code"], "success"), (["text-code", "success-code"], "success")],
)
async def test_codes_of_a_success(clock: HandClock, media: Path, spellings: list[str], code: object) -> None:
    """0 is a number, a text, or a word."""
    found, bodies = await spelled(clock, media, *spellings)
    assert {repr(body["code"]) for body in (found, *bodies)} == {repr(code)}


async def test_answers_without_a_request_id(clock: HandClock, media: Path) -> None:
    """Some pages show none."""
    found, bodies = await spelled(clock, media, "no-request-id")
    assert {frozenset(body) for body in (found, *bodies)} == {frozenset({"code", "message", "data"})}


async def test_a_success_with_a_message(clock: HandClock, media: Path) -> None:
    """Only a task that succeeded bears it."""
    _, (_, _, running, done) = await spelled(clock, media, "success-message")
    *_, failed = await a_life(clock, media, fails=True, spellings=["success-message"])
    assert [body["data"]["task_status_msg"] for body in (running, done, failed)] == ["", "success", "face lost"]


async def test_every_spelling_at_once(clock: HandClock, media: Path) -> None:
    """All of them together still tell of a task and its result, also within a gateway's own task."""
    _, (created, *_, done) = await spelled(clock, media, *(spelling.value for spelling in Spelling))
    assert created["data"]["task_id"] == done["data"]["task_id"]
    assert done["data"]["task_result"]["videos"][0]["url"]
    *_, done = await a_life(clock, media, answers="task", spellings=list(Spelling))
    assert done["data"]["data"]["data"]["task_result"]["videos"][0]["url"]


async def test_news_and_the_controls_stay_klings(clock: HandClock, media: Path) -> None:
    """What the sandbox says about itself does not change with whom it plays."""
    with make_sandbox(clock, media, gateway="chainhub", answers="video", words="odd") as sandbox:
        async with connect(sandbox, prefix="/kling") as client:
            session_id = (await identify(client))["session_id"]
            await client.post(CREATE, json=make_order(session_id))
        (task,) = sandbox.tasks()
    assert task["task_status"] == "submitted"
    assert "task_info" in task


async def test_a_bought_task_keeps_its_answer_under_a_repeated_external_id(clock: HandClock, media: Path) -> None:
    """The old task is returned in the family of creates, wherever it is by then."""
    with make_sandbox(clock, media, answers="video", duplicates="return-old") as sandbox:
        async with connect(sandbox) as client:
            session_id = (await identify(client))["session_id"]
            order = make_order(session_id, external_task_id="a1")
            first = (await client.post(CREATE, json=order)).json()
            clock.now += 240
            again = (await client.post(CREATE, json=order)).json()
    assert first["id"] == again["id"]
    assert again["status"] == "completed"
    assert "metadata" not in again


async def test_klings_own_create_is_as_it_was(clock: HandClock, media: Path) -> None:
    """Without a switch the sandbox is Kling."""
    with make_sandbox(clock, media) as sandbox:
        async with connect(sandbox) as client:
            task_id = await buy(client, (await identify(client))["session_id"])
            body = await told(client, task_id)
    assert {"task_info", "watermark_info", "task_status_msg"} <= set(body["data"])
