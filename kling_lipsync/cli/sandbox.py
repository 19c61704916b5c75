"""``kling-lipsync sandbox``: a Kling of our own, as a server on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from attrs import frozen
from cyclopts import Group, Parameter

from ..errors import ConfigurationError
from ._console import say, tell
from ._exits import Exit
from ._interrupts import interruptible
from ._options import Count, Output, Positive

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@Parameter(name="*", group=Group("World", sort_key=5))
@frozen(kw_only=True)
class World:
    """How the sandbox behaves; its documentation has more."""

    slots: Count = 5
    """Tasks that an account may run at once; default: 5."""

    speed: Positive = 1.0
    """Divides how long everything takes; default: 1, as long as at Kling."""

    identify_seconds: Positive = 15.0
    """How long it takes to find faces; default: 15."""

    task_seconds: Positive = 240.0
    """How long a task takes in the middle; default: 240."""

    seed: int = 0
    """Makes another, equally repeatable, run of luck."""

    media: Path | None = None
    """A folder of your own to serve under /media/, beside the samples."""

    stand_in: bool = False
    """Take a sample for media that cannot be fetched."""

    api_key: Annotated[tuple[str, ...], Parameter(show=True)] = ()
    """Accept this key; may be given several times. Default: any key is an account of its own."""


async def sandbox(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    world: World = World(),
    output: Output = Output(),
) -> int:
    """Serves a sandbox until it is interrupted; its address is the first line on stdout.

    Parameters
    ----------
    host
        A loopback address: the sandbox protects nothing.
    port
        0 takes any that is free; default: 8000.
    """
    output.set_up()
    if host not in _LOOPBACK:
        raise ConfigurationError(f"--host {host}: the sandbox is for this machine only: {', '.join(_LOOPBACK)}")
    try:
        from ..sandbox import Sandbox, Settings, serve
    except ImportError as error:
        raise ConfigurationError(str(error)) from error
    if world.media is not None and not world.media.is_dir():
        raise ConfigurationError(f"--media {world.media}: not a folder")
    settings = Settings(
        slots=world.slots,
        speed=world.speed,
        identify_seconds=world.identify_seconds,
        task_seconds=world.task_seconds,
        seed=world.seed,
        media=world.media,
        stand_in=world.stand_in,
        api_keys=world.api_key,  # type: ignore[arg-type] # a converter of attrs loses what its items are
    )
    async with interruptible(note="stopping") as interruption:
        with Sandbox(settings) as served:
            try:
                await serve(served, host=host, port=port, started=_say_address)
            except OSError as error:
                raise ConfigurationError(f"{host}:{port} cannot be listened on: {error.strerror or error}") from error
    return interruption.exit or Exit.SUCCEEDED


def _say_address(url: str) -> None:
    say(url)
    tell(f"in another terminal: export KLING_BASE_URL={url} KLING_API_KEY=any-key")
    tell(f"sample media: {url}/media/one-face.mp4, two-faces.mp4, speech.mp3; Ctrl-C stops")
