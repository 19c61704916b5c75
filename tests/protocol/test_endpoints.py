from __future__ import annotations

import json
from typing import Any

import pytest

from kling_lipsync._protocol import (
    AudioId,
    Call,
    Dialect,
    OneStepOrder,
    Order,
    Sound,
    SoundData,
    SoundUrl,
    account_costs,
    create_one_step,
    create_task,
    get_task,
    get_task_elsewhere,
    identify_face,
    list_tasks,
    speak,
    write_request,
)
from kling_lipsync.errors import ConfigurationError
from kling_lipsync.gateways import GATEWAYS, load_gateway
from kling_lipsync.models import Plan, Speech, Video

from .playing import call_named

OFFICIAL = Dialect()
PLAN = Plan(100, 5100, 250)


def written(call: Call[Any]) -> Any:
    """The document that a call's body is."""
    assert call.body is not None
    body = b"".join(call.body.slices())
    assert call.body.length == len(body)
    return json.loads(body)


def order(sound: Sound, **more: Any) -> Order:
    """An order of the two-step contract."""
    return Order(session_id="8489", face_id="0", sound=sound, plan=PLAN, **more)


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        (Video.from_url("https://example.com/v.mp4?a=1&b=ü"), {"video_url": "https://example.com/v.mp4?a=1&b=ü"}),
        (Video.from_id("8271"), {"video_id": "8271"}),
    ],
)
def test_identify_names_one_source(video: Video, expected: dict[str, str]) -> None:
    """Identify sends the key of its one source, and leaves the other out."""
    call = identify_face(OFFICIAL, video)
    assert (call.name, call.method, call.path, call.repeatable) == (
        "identify",
        "POST",
        "/v1/videos/identify-face",
        True,
    )
    assert written(call) == expected


def test_create_leaves_out_what_is_default() -> None:
    """A plain order has no optional field but the volumes; its times are integers."""
    call = create_task(OFFICIAL, order(SoundUrl("https://example.com/s.mp3")))
    assert (call.name, call.method, call.path) == ("create", "POST", "/v1/videos/advanced-lip-sync")
    assert written(call) == {
        "session_id": "8489",
        "face_choose": [
            {
                "face_id": "0",
                "sound_start_time": 100,
                "sound_end_time": 5100,
                "sound_insert_time": 250,
                "sound_volume": 1.0,
                "original_audio_volume": 1.0,
                "sound_file": "https://example.com/s.mp3",
            }
        ],
    }


def test_create_says_all_that_is_asked() -> None:
    """Every option of an order is written under Kling's name for it."""
    call = create_task(
        OFFICIAL,
        order(
            AudioId("8493"),
            sound_volume=0.5,
            original_audio_volume=0,
            watermark=True,
            external_task_id="k1",
            callback_url="https://example.com/hook",
        ),
    )
    document = written(call)
    (choice,) = document.pop("face_choose")
    assert document == {
        "session_id": "8489",
        "watermark_info": {"enabled": True},
        "external_task_id": "k1",
        "callback_url": "https://example.com/hook",
    }
    assert choice["audio_id"] == "8493"
    assert "sound_file" not in choice
    assert (choice["sound_volume"], choice["original_audio_volume"]) == (0.5, 0)


def test_create_is_the_one_call_that_is_not_repeatable() -> None:
    """Only a create must not be sent twice."""
    calls = [call_named(name, load_gateway("official")) for name in ("identify", "query", "list", "speech", "costs")]
    assert all(call.repeatable for call in calls)
    assert not create_task(OFFICIAL, order(AudioId("1"))).repeatable
    assert not create_one_step(OFFICIAL, OneStepOrder(video=Video.from_id("1"), sound=SoundUrl("u"))).repeatable


def test_a_volume_that_is_no_number_is_refused() -> None:
    """JSON has no word for NaN, so none is made up."""
    with pytest.raises(ValueError, match="JSON compliant"):
        create_task(OFFICIAL, order(AudioId("1"), sound_volume=float("nan")))


@pytest.mark.parametrize(
    ("sound", "expected"),
    [
        (
            SoundUrl("https://example.com/s.mp3"),
            {"mode": "audio2video", "audio_type": "url", "audio_url": "https://example.com/s.mp3"},
        ),
        (SoundData.from_bytes(b"RIFF"), {"mode": "audio2video", "audio_type": "file", "audio_file": "UklGRg=="}),
        (
            Speech("Hello.", "girlfriend_1_speech02", language="en", speed=1.2),
            {
                "mode": "text2video",
                "text": "Hello.",
                "voice_id": "girlfriend_1_speech02",
                "voice_language": "en",
                "voice_speed": 1.2,
            },
        ),
    ],
)
def test_one_step_order(sound: SoundUrl | SoundData | Speech, expected: dict[str, object]) -> None:
    """The older contract has one ``input``, whose mode says where the sound comes from."""
    gateway = load_gateway("yuto", base_url="https://yuto.example.com/kling")
    call = create_one_step(gateway.dialect, OneStepOrder(video=Video.from_id("de1b"), sound=sound, callback_url="c"))
    assert (call.method, call.path) == ("POST", "/v1/videos/identify-face")
    assert written(call) == {"callback_url": "c", "input": {"video_id": "de1b", **expected}}
    assert get_task(gateway.dialect, "t").path == "/v1/videos/lip-sync/t"


def test_speech_says_the_speed_only_where_it_is_not_one() -> None:
    """The voice's id and language are its name together; the speed is an option."""
    plain = written(speak(OFFICIAL, Speech("Hi", "v", language="en")))
    assert plain == {"text": "Hi", "voice_id": "v", "voice_language": "en"}
    assert written(speak(OFFICIAL, Speech("Hi", "v", speed=0.8)))["voice_speed"] == 0.8


def test_queries_have_no_body() -> None:
    """Reads carry their parameters in the URL."""
    listed = list_tasks(OFFICIAL, 2, 100)
    assert (listed.method, listed.path, listed.body) == ("GET", "/v1/videos/advanced-lip-sync", None)
    assert listed.query == {"pageNum": "2", "pageSize": "100"}
    costs = account_costs(OFFICIAL, 1, 2)
    assert (costs.path, costs.query) == ("/account/costs", {"start_time": "1", "end_time": "2"})


@pytest.mark.parametrize(
    ("task_id", "tail"), [("8489", "8489"), ("a/../b?c#d", "a%2F..%2Fb%3Fc%23d"), ("k é", "k%20%C3%A9")]
)
def test_a_task_id_stays_one_segment_of_the_path(task_id: str, tail: str) -> None:
    """Whatever an id contains, it leads nowhere else."""
    assert get_task(OFFICIAL, task_id).path == f"/v1/videos/advanced-lip-sync/{tail}"


@pytest.mark.parametrize("task_id", ["", ".", ".."])
def test_what_is_no_task_id_is_refused(task_id: str) -> None:
    """An empty id would ask for the list, and dots for another resource."""
    with pytest.raises(ValueError, match="no task id"):
        get_task(OFFICIAL, task_id)


def test_other_places_to_ask_for_a_task() -> None:
    """Where a gateway's document disagrees with its own endpoint, both places are known; elsewhere there is one."""
    (other,) = get_task_elsewhere(load_gateway("cometapi").dialect, "t1")
    assert other.path == "/v1/videos/lip-sync/t1"
    assert get_task_elsewhere(OFFICIAL, "t1") == ()


@pytest.mark.parametrize("name", ["identify", "speech", "costs"])
def test_what_a_gateway_does_not_serve_is_not_sent(name: str) -> None:
    """A call that the gateway has no endpoint for is a matter of configuration."""
    gateway = load_gateway("yuto", base_url="https://yuto.example.com/kling")
    with pytest.raises(ConfigurationError, match="no endpoint to"):
        call_named(name, gateway)


def test_request_of_a_call() -> None:
    """A call becomes a whole HTTP request, which does not show the key."""
    request = write_request(
        list_tasks(OFFICIAL, 1, 30), base_url="https://example.com/kling", authorization="Bearer K", read_timeout=9.0
    )
    assert request.url == "https://example.com/kling/v1/videos/advanced-lip-sync?pageNum=1&pageSize=30"
    assert request.headers["authorization"] == "Bearer K"
    assert (request.method, request.read_timeout, request.body) == ("GET", 9.0, None)
    assert "content-type" not in request.headers
    assert "Bearer K" not in repr(request)


def test_request_with_a_body_says_its_type() -> None:
    """A body is sent as JSON."""
    call = identify_face(OFFICIAL, Video.from_id("1"))
    request = write_request(call, base_url="https://example.com", authorization="Bearer K")
    assert request.headers["content-type"] == "application/json"
    assert request.body is call.body


@pytest.mark.parametrize("name", GATEWAYS)
def test_paths_are_in_lower_case(name: str) -> None:
    """Older documents have capitals in a path; every gateway takes lower case."""
    dialect = load_gateway(name, base_url="https://example.com").dialect
    paths = (dialect.identify, dialect.create, dialect.tasks, *dialect.other_tasks, dialect.speech, dialect.costs)
    assert all(path == path.lower() for path in paths if path is not None)
