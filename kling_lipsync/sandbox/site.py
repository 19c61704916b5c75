"""What the endpoints share: the parts of a sandbox, and the few steps that several endpoints take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from attrs import define, field, frozen

from kling_lipsync.sandbox import answers, render
from kling_lipsync.sandbox.callbacks import Callbacks, Post
from kling_lipsync.sandbox.faults import Faults, Stage
from kling_lipsync.sandbox.fields import Fields
from kling_lipsync.sandbox.lookup import find_result
from kling_lipsync.sandbox.model import Family, Order, Task, Video
from kling_lipsync.sandbox.naming import file_name
from kling_lipsync.sandbox.refusals import wrong
from kling_lipsync.sandbox.settings import Settings
from kling_lipsync.sandbox.shelf import Recipe
from kling_lipsync.sandbox.signing import Links
from kling_lipsync.sandbox.studio import Fetch, Studio
from kling_lipsync.sandbox.world import Account, World

UNKNOWN_FIELDS = 1000
"""How many names of unknown fields are kept, about."""


@frozen(kw_only=True)
class Call:
    """One request to the API, by an account that was let in; ``key`` is the id in its path.

    ``endpoint`` is the name of what it calls, ``under`` the product whose path that has.
    """

    account: Account
    endpoint: str
    under: Family
    origin: str
    fields: Fields
    query: Mapping[str, str]
    key: str


@define(kw_only=True)
class Site:
    """The parts of one sandbox."""

    settings: Settings
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    fetch: Fetch
    post: Post
    faults: Faults = field(init=False)
    links: Links = field(init=False)
    world: World = field(init=False)
    studio: Studio = field(init=False)
    callbacks: Callbacks = field(init=False)
    unknown_fields: set[str] = field(factory=set, init=False)
    started_at: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.started_at = self.clock()
        self.faults = Faults(self.settings.seed)
        self.links = Links(f"links of {self.settings.seed}")
        self.world = World(self.settings, self.clock)
        self.studio = Studio(settings=self.settings, clock=self.clock, links=self.links, fetch=self.fetch)
        self.callbacks = Callbacks(
            settings=self.settings, clock=self.clock, sleep=self.sleep, show=self.show, post=self.post
        )

    def link(self, origin: str) -> answers.Link:
        """How answers link to files; each link is signed anew."""
        return lambda name: self.links.sign(origin, name, self.clock() + self.settings.result_url_lifetime)

    def show(self, task: Task, now: float) -> dict[str, Any]:
        """A task as answers and callbacks show it."""
        return answers.task(task, now, self.link(task.order.origin))

    def check_known(self, unknown: Sequence[str]) -> None:
        """Keeps the names of unknown fields for the statistics.

        Raises:
            Refused: 1201, where such fields are refused.
        """
        if len(self.unknown_fields) < UNKNOWN_FIELDS:
            self.unknown_fields |= set(unknown)
        if unknown and self.settings.refuse_unknown_fields:
            raise wrong(f"{unknown[0]}: unknown field")

    async def take(self, seconds: float, since: float) -> None:
        """Sleeps until that much time has gone by since a moment, at the sandbox's speed."""
        rest = since + seconds / self.settings.speed - self.clock()
        if rest > 0:
            await self.sleep(rest)

    async def source_video(self, call: Call, fields: Fields) -> Video:
        """The one video that a request names, measured but not yet held to any limit.

        Raises:
            Refused: 1201, where it names none or two, or it cannot be had.
        """
        if self.settings.dialect.one_key and {"video_id", "video_url"} <= fields.values.keys():
            raise wrong("exactly one of the keys video_id and video_url must be sent")
        name = fields.one_of("video_id", "video_url")
        value = fields.text(name)
        if name == "video_url":
            path = await self.studio.video_file(fields.url(name), call.origin)
            return Video(path=path, facts=await self.studio.video_facts(path), url=value)
        task = find_result(call.account, value, settings=self.settings, now=self.clock())
        result = await self.studio.result(answers.result_name(task))
        if result is None:
            raise wrong("video_id: the video is gone")
        url = self.link(call.origin)(answers.result_name(task))
        return Video(path=result, facts=await self.studio.video_facts(result), url=url, video_id=value)

    def buy(self, call: Call, order: Order) -> dict[str, Any]:
        """The answer to an order that passed every check. No other request comes between its steps.

        Raises:
            Refused: 1201 for an external id in use, 1303 where no slot is free.
        """
        task = self.world.bought(call.account, order.external_task_id) if order.external_task_id else None
        if task is None:
            self.world.check_slot(call.account)
            fault = self.faults.draw(call.endpoint, Stage.TASK)
            if fault is not None and fault.kind == "fail":
                order = attrs.evolve(order, fate=fault.message or "the task failed")
            task = self.world.start(call.account, order, stuck=fault is not None and fault.kind == "stuck")
            self._offer_result(task)
            self.callbacks.schedule(task)
        return answers.created(task, self.clock())

    def _offer_result(self, task: Task) -> None:
        order = task.order
        if order.fate is not None:
            return
        make = partial(render.render_result, order.video.path, order.video.facts, order.sound.path, order.mix)
        parts = order.video.facts, order.sound.facts, order.mix
        plain = Recipe(
            file=file_name(".mp4", "result", *parts),
            make=make,
            ready_at=task.ends_at,
            gone_at=task.ends_at + self.settings.asset_lifetime,
        )
        self.studio.offer(answers.result_name(task), plain)
        if order.watermark:
            marked = attrs.evolve(plain, file=file_name(".mp4", "marked", *parts), make=partial(_mark, make))
            self.studio.offer(answers.watermarked_name(task), marked)


def _mark(make: Callable[[Path], None], into: Path) -> None:
    plain = into.with_name(f"plain-{into.name}")
    try:
        make(plain)
        render.render_watermarked(plain, into)
    finally:
        plain.unlink(missing_ok=True)
