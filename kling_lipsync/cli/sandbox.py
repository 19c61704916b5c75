"""``kling-lipsync sandbox``: a Kling of our own, as a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import attrs
from attrs import frozen
from cyclopts import Group, Parameter

from ..errors import ConfigurationError
from ._console import say, tell
from ._exits import Exit
from ._interrupts import interruptible
from ._options import Count, Output, Positive, Whole

if TYPE_CHECKING:
    from ..sandbox import Sandbox, Settings

_LAST_PORT = 65535
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

# The words that the sandbox knows; it is imported late, as its extra may be absent.
GatewayName: TypeAlias = Literal["official", "official-cn", "cometapi", "chainhub", "yuto", "ezmodel"]
FamilyName: TypeAlias = Literal["kling", "task", "video"]
ErrorsName: TypeAlias = Literal["kling", "kling-200", "openai", "openai-bare", "nested", "wrapped", "numeric", "html"]
WordsName: TypeAlias = Literal["kling", "newer", "task", "upper", "video", "odd"]
SpellingName: TypeAlias = Literal[
    "lean", "success-message", "result-list", "result-absent", "face-list", "seconds", "text-times",
    "text-code", "success-code", "no-request-id", "url-as-reason",
]  # fmt: skip
FormatName: TypeAlias = Literal["mp3", "wav", "m4a", "aac"]


@Parameter(name="*", group=Group("World", sort_key=5))
@frozen(kw_only=True)
class World:
    """How the sandbox behaves; its documentation has more."""

    slots: Count = 5
    """Tasks that an account may run at once; default: 5."""

    speed: Positive = 1.0
    """Divides how long everything takes; default: 1, as long as at Kling."""

    identify_seconds: float = 15.0
    """How long it takes to find faces; default: 15."""

    speech_seconds: float = 2.0
    """How long speech takes; default: 2."""

    task_seconds: float = 240.0
    """How long a task takes in the middle; default: 240."""

    task_sigma: float = 0.4
    """How much that varies; 0 is not at all; default: 0.4."""

    session_lifetime: Positive = 24 * 3600.0
    """Seconds for which faces that were found can be used; default: a day."""

    result_url_lifetime: Positive = 30 * 24 * 3600.0
    """Seconds for which a link opens its file; default: 30 days."""

    seed: Whole = 0
    """Makes another, equally repeatable, run of luck."""

    media: Path | None = None
    """A folder of your own to serve under /media/, beside the samples."""

    stand_in: bool = False
    """Take a sample for media that cannot be fetched."""

    api_keys: Annotated[tuple[str, ...], Parameter(name="--api-key", negative=(), show=True)] = ()
    """Accept this key; may be given several times. Default: any key is an account of its own."""


@Parameter(name="*", group=Group("Gateway", sort_key=6))
@frozen(kw_only=True)
class Played:
    """Whom the sandbox plays; what is not given is as that gateway's own document has it."""

    gateway: GatewayName = "official"
    """Whose API to serve; default: official."""

    answers: FamilyName | None = None
    """Answer about tasks in Kling's envelope, a gateway's own task around it, or a video object like OpenAI's."""

    created: FamilyName | None = None
    """The same for the answer to a create alone."""

    errors: ErrorsName | None = None
    """What a refusal looks like."""

    words: WordsName | None = None
    """The vocabulary for where a task is."""

    spellings: Annotated[tuple[SpellingName, ...] | None, Parameter(name="--spelling")] = None
    """Write a part of the answers otherwise than Kling; may be given several times. These and no others."""

    lists: Annotated[bool | None, Parameter(name="--list", negative="--no-list")] = None
    """Whether there is a list of tasks."""

    find_external_ids: Annotated[bool | None, Parameter(name="--external-ids", negative="--no-external-ids")] = None
    """Whether a query finds a task by its external id."""

    query_path: Literal["own", "lip-sync", "both"] | None = None
    """Where a query finds a two-step task."""

    one_key: Annotated[bool | None, Parameter(negative="--no-one-key")] = None
    """Refuse to identify where both keys of a video are sent, one of them empty."""

    numbers: Literal["numbers", "texts", "either"] | None = None
    """How a create may write its numbers."""

    volume_field: Literal["original_audio_volume", "original_sound_volume", "either"] | None = None
    """What a create calls the volume of the video's own sound."""


@Parameter(name="*", group=Group("Unknowns", sort_key=7))
@frozen(kw_only=True)
class Unknowns:
    """What no document answers."""

    duplicates: Literal["refuse", "return-old", "allow"] = "refuse"
    """What a create with a used external id gets; default: refuse."""

    list_order: Literal["newest-first", "oldest-first", "shuffled"] = "newest-first"
    """The order of the list; default: newest-first."""

    list_delay: float = 0.0
    """Seconds before a new task shows in the list; default: 0."""

    size_counted: Literal["decoded", "encoded"] = "decoded"
    """Whether the 5 MB of a sound are counted before or after base64; default: decoded."""

    no_face_is_empty: Annotated[bool, Parameter(negative=())] = False
    """Answer an empty list where there is no face, instead of a refusal."""

    charge_no_face: Annotated[bool, Parameter(negative=())] = False
    """Charge for a look that finds no face."""

    identify_takes_slot: Annotated[bool, Parameter(negative=())] = False
    """Count a look for faces as a running task."""

    refuse_early: Annotated[bool, Parameter(negative=())] = False
    """Refuse a create for want of a slot before its body is read."""

    refuse_unknown_fields: Annotated[bool, Parameter(negative=())] = False
    """Refuse bodies with fields that no document has."""

    refused_audio: Annotated[tuple[FormatName, ...], Parameter(name="--refuse-audio", negative=())] = ()
    """Refuse this format of sound although it is documented; may be given several times."""

    callback_secret: str | None = None
    """Sign callbacks with this secret, whsec_…; default: they are not signed."""

    callback_copies: Count = 1
    """How often each callback is sent; default: 1."""

    callback_reorder: Annotated[bool, Parameter(negative=())] = False
    """Send the news of a task's start after the news of its end."""


async def sandbox(
    *,
    host: str = "127.0.0.1",
    port: Whole = 8000,
    faults: Path | None = None,
    world: World = World(),
    played: Played = Played(),
    unknowns: Unknowns = Unknowns(),
    output: Output = Output(),
) -> int:
    """Serves a sandbox until it is interrupted; its address is the first line on stdout.

    Parameters
    ----------
    host
        A loopback address: the sandbox protects nothing.
    port
        0 takes any that is free; default: 8000.
    faults
        A JSON file of failures to begin with: what /sandbox/faults takes while it runs.
    """
    output.set_up()
    if host not in _LOOPBACK:
        raise ConfigurationError(f"--host {host}: the sandbox is for this machine only: {', '.join(_LOOPBACK)}")
    if not 0 <= port <= _LAST_PORT:
        raise ConfigurationError(f"--port {port}: give 0 to {_LAST_PORT}")
    if world.media is not None and not world.media.is_dir():
        raise ConfigurationError(f"--media {world.media}: not a folder")
    settings, serve, make = _build(_given(world) | _given(played) | _given(unknowns))
    async with interruptible(note="stopping") as interruption:
        with make(settings) as served:
            if faults is not None:
                _add_faults(served, faults)
            try:
                await serve(served, host=host, port=port, started=partial(_say_address, settings))
            except OSError as error:
                raise ConfigurationError(f"{host}:{port} cannot be listened on: {error.strerror or error}") from error
    return interruption.exit or Exit.SUCCEEDED


def _given(options: Any) -> dict[str, Any]:  # noqa: ANN401 - each of the classes of options
    """Options by the names of the sandbox's settings, which they share."""
    return {name: value for name, value in attrs.asdict(options, recurse=False).items() if value is not None}


def _build(options: dict[str, Any]) -> tuple[Settings, Callable[..., Any], type[Sandbox]]:
    """The sandbox's settings, its server and its class. Raises ConfigurationError."""
    try:
        from ..sandbox import Sandbox, Settings, serve
    except ImportError as error:
        raise ConfigurationError(str(error)) from error
    try:
        return Settings(**options), serve, Sandbox
    except ValueError as error:
        raise ConfigurationError(str(error.args[0])) from error


def _add_faults(served: Sandbox, path: Path) -> None:
    from ..sandbox import Refused

    try:
        served.faults.add_json(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigurationError(f"--faults {path}: {error.strerror}") from error
    except (ValueError, Refused) as error:
        raise ConfigurationError(f"--faults {path}: {error}") from error


def _say_address(settings: Settings, url: str) -> None:
    say(url)
    base = url + settings.dialect.prefixes[0]
    name = settings.gateway.value
    gateway = "" if name == "official" else f"KLING_GATEWAY={name} "
    tell(f"in another terminal: export {gateway}KLING_BASE_URL={base} KLING_API_KEY=any-key")
    tell(f"sample media: {url}/media/one-face.mp4, two-faces.mp4, speech.mp3; Ctrl-C stops")
