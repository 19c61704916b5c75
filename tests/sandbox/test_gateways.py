from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from kling_lipsync.sandbox import Dialect, Gateway, Sandbox, Settings

from .making import CREATE, IDENTIFY, ORIGIN, HandClock, buy, connect, decode_sound, identify, look, make_order
from .making import make_sandbox as make

pytestmark = pytest.mark.anyio

CLIP = f"{ORIGIN}/media/clip.mp4"
ONE_STEP = "/v1/videos/lip-sync"
TWO_STEP_GATEWAYS = ["official", "official-cn", "cometapi", "chainhub", "ezmodel"]
GATEWAYS = [*TWO_STEP_GATEWAYS, "yuto"]
SPOKEN = {
    "video_url": CLIP,
    "mode": "text2video",
    "text": "Good morning to everybody",
    "voice_id": "girlfriend_1_speech02",
    "voice_language": "zh",
}


@contextmanager
def playing(gateway: str, clock: HandClock, media: Path, **settings: Any) -> Iterator[Sandbox]:
    """A sandbox that is this gateway."""
    with make(clock, media, gateway=gateway, **settings) as sandbox:
        yield sandbox


def reach(sandbox: Sandbox, key: str | None = "sk-test") -> httpx.AsyncClient:
    """A client with the gateway's own base URL."""
    return connect(sandbox, key, sandbox.settings.dialect.prefixes[0])


def spoken_by_kling(answer: httpx.Response) -> Any:
    """The data of a success in Kling's envelope."""
    body = answer.json()
    assert (answer.status_code, body["code"]) == (200, 0), answer.text
    assert set(body) == {"code", "message", "request_id", "data"}
    return body["data"]


async def fetch_result(sandbox: Sandbox, url: str, into: Path) -> int:
    """How many samples of sound a result has."""
    async with connect(sandbox, key=None) as stranger:
        answer = await stranger.get(url)
    assert answer.status_code == 200
    into.write_bytes(answer.content)
    return len(decode_sound(into))


@pytest.mark.parametrize("gateway", TWO_STEP_GATEWAYS)
async def test_a_two_step_job(gateway: str, clock: HandClock, media: Path, tmp_path: Path) -> None:
    """Identify, create, query and a real video, at every gateway that has the two-step API."""
    with playing(gateway, clock, media) as sandbox:
        async with reach(sandbox) as client:
            found = await identify(client)
            task_id = await buy(client, found["session_id"])
            first = await look(client, task_id)
            clock.now += 240
            last = await look(client, task_id)
        samples = await fetch_result(sandbox, last["task_result"]["videos"][0]["url"], tmp_path / "result.mp4")
        stats = sandbox.stats()
    assert [task["task_status"] for task in (first, last)] == ["submitted", "succeed"]
    assert samples == pytest.approx(4 * 44_100, rel=0.02)
    assert stats["requests"] == {"identify": 1, "create": 1, "query": 2, "results": 1}
    assert stats["leaked_keys"] == 0


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_where_the_paths_begin(gateway: str, clock: HandClock, media: Path) -> None:
    """A gateway has nothing without its prefix; Kling's own paths are found with and without one."""
    with playing(gateway, clock, media) as sandbox:
        async with connect(sandbox) as bare, connect(sandbox, prefix="/kling") as prefixed:
            statuses = [(await client.post(IDENTIFY, json={})).status_code for client in (bare, prefixed)]
    assert statuses == ([400, 400] if gateway.startswith("official") else [404, 400])


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_who_is_let_in(gateway: str, clock: HandClock, media: Path) -> None:
    """Gateways take an API key only; Kling takes a signed token as well. Nobody is let in without either."""
    claims = {"iss": "ak", "exp": int(clock.now) + 1800, "nbf": int(clock.now) - 5}
    token = jwt.encode(claims, "s" * 32, algorithm="HS256")
    with playing(gateway, clock, media) as sandbox:
        statuses = []
        for key in ("sk-any", token, None):
            async with reach(sandbox, key) as client:
                statuses.append((await client.post(IDENTIFY, json={})).status_code)
    assert statuses == [400, 400 if gateway.startswith("official") else 401, 401]


@pytest.mark.parametrize("gateway", ["cometapi", "chainhub", "ezmodel", "yuto"])
async def test_what_gateways_do_not_document_is_not_there(gateway: str, clock: HandClock, media: Path) -> None:
    """No list and no account; each product at its own gateways only; the list can be switched on."""
    has_two_steps = gateway != "yuto"
    collection, other = (CREATE, ONE_STEP) if has_two_steps else (ONE_STEP, CREATE)
    with playing(gateway, clock, media) as sandbox, playing(gateway, clock, media, lists=True) as listing:
        async with reach(sandbox) as client, reach(listing) as other_client:
            listed = await client.get(collection)
            costs = await client.get("/account/costs?start_time=0&end_time=1")
            created = await client.post(other, json={})
            answer = await other_client.get(collection)
    assert [answer.status_code for answer in (listed, costs, created)] == [404, 404, 404]
    assert spoken_by_kling(answer) == []


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_external_ids_are_found_by_kling_alone(gateway: str, clock: HandClock, media: Path) -> None:
    """At a gateway "not found" proves nothing: the task is there, and only its own id finds it."""
    path = ONE_STEP if gateway == "yuto" else CREATE
    with playing(gateway, clock, media) as sandbox:
        async with reach(sandbox) as client:
            if gateway == "yuto":
                answer = await client.post(path, json={"input": SPOKEN, "external_task_id": "a1"})
                task_id = spoken_by_kling(answer)["task_id"]
            else:
                task_id = await buy(client, (await identify(client))["session_id"], external_task_id="a1")
            statuses = [(await client.get(f"{path}/{key}")).status_code for key in ("a1", task_id)]
    assert statuses == [200 if gateway.startswith("official") else 404, 200]


# CometAPI


@pytest.mark.parametrize(("one_key", "status"), [(None, 400), (False, 200)])
async def test_cometapi_wants_exactly_one_key_of_a_video(
    clock: HandClock, media: Path, *, one_key: bool | None, status: int
) -> None:
    """A second key is refused even where it is empty, as its schema has it."""
    with playing("cometapi", clock, media, one_key=one_key) as sandbox:
        async with reach(sandbox) as client:
            answer = await client.post(IDENTIFY, json={"video_url": CLIP, "video_id": ""})
    assert answer.status_code == status
    if status == 400:
        assert "exactly one" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("query_path", "found"), [(None, [200, 200]), ("own", [200, 404]), ("lip-sync", [404, 200]), ("both", [200, 200])]
)
@pytest.mark.parametrize("gateway", ["cometapi", "chainhub"])
async def test_where_a_query_finds_a_two_step_task(
    gateway: str, clock: HandClock, media: Path, query_path: str | None, found: list[int]
) -> None:
    """Under its own path, under the path of the one-step product, or under both, which is CometAPI's."""
    if query_path is None and gateway == "chainhub":
        found = [200, 404]
    with playing(gateway, clock, media, query_path=query_path) as sandbox:
        async with reach(sandbox) as client:
            task_id = await buy(client, (await identify(client))["session_id"])
            statuses = [(await client.get(f"{path}/{task_id}")).status_code for path in (CREATE, ONE_STEP)]
        assert sandbox.stats()["requests"]["query"] == 2
    assert statuses == found


async def test_kling_itself_can_be_asked_below_the_other_path(clock: HandClock, media: Path) -> None:
    """The switch moves the two-step tasks; the one-step tasks stay where they are."""
    with playing("official", clock, media, query_path="lip-sync") as sandbox:
        async with reach(sandbox) as client:
            advanced = await buy(client, (await identify(client))["session_id"])
            created = await client.post(ONE_STEP, json={"input": SPOKEN})
            one_step = spoken_by_kling(created)["task_id"]
            statuses = [(await client.get(f"{ONE_STEP}/{key}")).status_code for key in (advanced, one_step)]
            statuses.append((await client.get(f"{CREATE}/{advanced}")).status_code)
    assert statuses == [200, 200, 404]


TEXTS = {"sound_start_time": "0", "sound_end_time": "2000", "sound_insert_time": "1000"}


@pytest.mark.parametrize(
    ("numbers", "texts", "plain"), [(None, 200, 200), ("numbers", 400, 200), ("texts", 200, 400), ("either", 200, 200)]
)
async def test_times_may_be_texts(clock: HandClock, media: Path, numbers: str | None, texts: int, plain: int) -> None:
    """CometAPI's page writes times as strings; which of the two is taken can be set."""
    with playing("cometapi", clock, media, numbers=numbers) as sandbox:
        async with reach(sandbox) as client:
            session_id = (await identify(client))["session_id"]
            as_texts = await client.post(CREATE, json=make_order(session_id, **TEXTS))
            as_numbers = await client.post(CREATE, json=make_order(session_id))
            wrong = await client.post(CREATE, json=make_order(session_id, **{**TEXTS, "sound_end_time": "2 s"}))
    assert [as_texts.status_code, as_numbers.status_code, wrong.status_code] == [texts, plain, 400]


async def test_volumes_may_be_texts_where_numbers_may(clock: HandClock, media: Path) -> None:
    """A text that is a number counts as it, and is held to the same bounds."""
    with playing("cometapi", clock, media) as sandbox:
        async with reach(sandbox) as client:
            session_id = (await identify(client))["session_id"]
            answers = [
                await client.post(CREATE, json=make_order(session_id, sound_volume=volume))
                for volume in ("1.5", "2.5", "loud")
            ]
    assert [answer.status_code for answer in answers] == [200, 400, 400]


@pytest.mark.parametrize("volume_field", [None, "original_audio_volume", "original_sound_volume"])
@pytest.mark.parametrize("name", ["original_audio_volume", "original_sound_volume"])
async def test_the_volume_of_the_videos_sound_has_two_names(
    clock: HandClock, media: Path, volume_field: str | None, name: str
) -> None:
    """CometAPI takes either; where only one is understood, the other is ignored and the statistics tell."""
    with playing("cometapi", clock, media, volume_field=volume_field) as sandbox:
        async with reach(sandbox) as client:
            session_id = (await identify(client))["session_id"]
            # What is understood is held to its bounds.
            answer = await client.post(CREATE, json=make_order(session_id, **{name: 3}))
        unknown = sandbox.stats()["unknown_fields"]
    is_understood = volume_field in (None, name)
    assert answer.status_code == (400 if is_understood else 200)
    assert unknown == ([] if is_understood else [f"face_choose[0].{name}"])


# ChainHub and EzModel


async def test_chainhub_answers_leanly(clock: HandClock, media: Path) -> None:
    """Nothing beyond what a task needs: no deductions, no ``task_info``, an empty result until there is one."""
    with playing("chainhub", clock, media) as sandbox:
        async with reach(sandbox) as client:
            found = await identify(client)
            created = spoken_by_kling(await client.post(CREATE, json=make_order(found["session_id"])))
            running = await look(client, created["task_id"])
            clock.now += 240
            done = await look(client, created["task_id"])
    assert set(found) == {"session_id", "face_data"}
    assert set(created) == {"task_id", "task_status", "created_at", "updated_at"}
    assert set(running) == {*created, "task_result"}
    assert running["task_result"] == {}
    assert set(done["task_result"]["videos"][0]) == {"id", "url", "duration"}


async def test_ezmodel_says_success_even_as_a_reason(clock: HandClock, media: Path) -> None:
    """Its example has ``success`` for the message of the answer and of the task."""
    with playing("ezmodel", clock, media) as sandbox:
        async with reach(sandbox) as client:
            task_id = await buy(client, (await identify(client))["session_id"])
            clock.now += 240
            answer = await client.get(f"{CREATE}/{task_id}")
    assert answer.json()["message"] == "success"
    assert answer.json()["data"]["task_status_msg"] == "success"


async def test_speech_is_at_every_two_step_gateway(clock: HandClock, media: Path) -> None:
    """Its ``audio_id`` is taken by a create."""
    speech = {"text": "Hello there, how are you today my friend?", "voice_id": "oversea_male1", "voice_language": "en"}
    with playing("chainhub", clock, media) as sandbox:
        async with reach(sandbox) as client:
            made = spoken_by_kling(await client.post("/v1/audio/tts", json=speech))
            audio_id = made["task_result"]["audios"][0]["id"]
            session_id = (await identify(client))["session_id"]
            order = make_order(session_id, audio_id=audio_id)
            del order["face_choose"][0]["sound_file"]
            answer = await client.post(CREATE, json=order)
    assert answer.status_code == 200


# Yuto


@pytest.mark.parametrize("path", [IDENTIFY, ONE_STEP])
async def test_a_yuto_job(path: str, clock: HandClock, media: Path, tmp_path: Path) -> None:
    """The one-step body makes a task under either path, whose real video is found below ``lip-sync``."""
    with playing("yuto", clock, media) as sandbox:
        async with reach(sandbox) as client:
            created = spoken_by_kling(await client.post(path, json={"input": SPOKEN}))
            clock.now += 240
            done = spoken_by_kling(await client.get(f"{ONE_STEP}/{created['task_id']}"))
        (video,) = done["task_result"]["videos"]
        samples = await fetch_result(sandbox, video["url"], tmp_path / "result.mp4")
        stats = sandbox.stats()
    assert set(created) == {"task_id", "task_status", "created_at", "updated_at"}
    assert (created["task_status"], done["task_status"]) == ("submitted", "succeed")
    assert samples == pytest.approx(4 * 44_100, rel=0.02)
    assert stats["requests"] == {"one_step_create": 1, "one_step_query": 1, "results": 1}
    assert stats["identify_calls"] == 0


async def test_a_yuto_result_can_be_talked_over_by_its_id(clock: HandClock, media: Path) -> None:
    """``video_id`` of a result is the source of another task; ``task_id`` beside it changes nothing."""
    with playing("yuto", clock, media) as sandbox:
        async with reach(sandbox) as client:
            first = spoken_by_kling(await client.post(IDENTIFY, json={"input": SPOKEN}))
            clock.now += 240
            done = spoken_by_kling(await client.get(f"{ONE_STEP}/{first['task_id']}"))
            again = {**SPOKEN, "video_id": done["task_result"]["videos"][0]["id"], "task_id": first["task_id"]}
            both = await client.post(IDENTIFY, json={"input": again})
            del again["video_url"]
            alone = await client.post(IDENTIFY, json={"input": again})
        assert sandbox.stats()["unknown_fields"] == []
    assert [both.status_code, alone.status_code] == [400, 200]
    assert "mutually exclusive" in both.json()["message"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"voice_language": ""}, "input.voice_language"),
        ({"mode": ""}, "input.mode"),
        ({"text": "x" * 121}, "input.text"),
        ({"text": ""}, "text is required"),
        ({"voice_id": "nobody"}, "Voice id"),
        ({"video_url": ""}, "video_id or video_url"),
        ({"video_url": f"{ORIGIN}/media/long.mp4"}, "10"),
    ],
)
async def test_yuto_is_strict(
    clock: HandClock, media: Path, changes: dict[str, str], told: str, long_clip: Path
) -> None:
    """What its page shows must be there, also the language, which Kling has a default for; and 2 to 10 seconds."""
    assert long_clip.is_file()
    with playing("yuto", clock, long_clip.parent if "long" in str(changes) else media) as sandbox:
        async with reach(sandbox) as client:
            answer = await client.post(IDENTIFY, json={"input": {**SPOKEN, **changes}})
    assert (answer.status_code, answer.json()["code"]) == (400, 1201)
    assert told in answer.json()["message"]


async def test_unknown_fields_of_a_one_step_body_are_told(clock: HandClock, media: Path) -> None:
    """Names that no document has end up in the statistics."""
    with playing("yuto", clock, media) as sandbox:
        async with reach(sandbox) as client:
            await client.post(ONE_STEP, json={"input": {**SPOKEN, "voice": "x"}, "model": "kling"})
        assert sandbox.stats()["unknown_fields"] == ["input.voice", "model"]


# The tables


def test_settings_without_a_word_about_it_leave_the_gateways_own() -> None:
    """Each switch of a dialect is the gateway's unless it is set; words may be given as texts."""
    for gateway in Gateway:
        assert Settings(gateway=gateway).dialect == Settings(gateway=gateway.value).dialect
    own = Settings(gateway="cometapi").dialect
    changed = Settings(gateway="cometapi", one_key=False, errors="html", spellings={"lean"}).dialect
    assert isinstance(own, Dialect)
    assert (own.one_key, own.errors.value, own.spellings) == (True, "openai", frozenset())
    assert (changed.one_key, changed.errors.value, {each.value for each in changed.spellings}) == (
        False,
        "html",
        {"lean"},
    )
    assert changed.query_path is own.query_path


@pytest.mark.parametrize(
    "settings", [{"gateway": "other"}, {"answers": "xml"}, {"errors": "soap"}, {"spellings": {"odd"}}, {"words": "x"}]
)
def test_words_that_do_not_exist_are_refused(settings: dict[str, Any]) -> None:
    """A gateway or a switch that is misspelled is a ValueError."""
    with pytest.raises(ValueError, match="is not a valid"):
        Settings(**settings)
