"""Identify once: what is looked up in the journal, what is remembered, and what is asked of Kling."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest
from attrs import define, field

from kling_lipsync import FaceSession, Video
from kling_lipsync._journal import SqliteJournal
from kling_lipsync._workflow.sessions import LIFE, Sessions, video_name

from .conftest import VIDEO, World

pytestmark = pytest.mark.anyio

OURS = Video.from_url(VIDEO)
NAME = video_name(OURS)


class CountingJournal(SqliteJournal):
    """Counts the looks for a session."""

    looks = 0

    async def session(self, video: str) -> tuple[FaceSession, float] | None:
        """As the journal's."""
        self.looks += 1
        return await super().session(video)


@define
class Scene:
    """Sessions over a journal in memory and the sandbox."""

    world: World
    journal: CountingJournal
    sessions: Sessions
    now: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.now = self.world.clock.wall()

    def calls(self) -> int:
        """How often Kling was asked."""
        return int(self.world.stats()["identify_calls"])


@asynccontextmanager
async def scene(world: World) -> AsyncIterator[Scene]:
    """Such a scene, open inside."""
    journal = CountingJournal(":memory:", clock=world.clock, inline=True)
    await journal.open("account")
    async with world.client() as client, anyio.create_task_group() as group:
        yield Scene(world, journal, Sessions(client, journal, world.clock, group))
    await journal.aclose()


def session(name: str) -> FaceSession:
    """A session without faces."""
    return FaceSession(session_id=name, faces=())


async def test_what_an_admission_told_spares_one_look(world: World) -> None:
    """A video noted to have no session is not looked up again by the job that was admitted, but by the next."""
    async with scene(world) as it:
        it.sessions.note(NAME, None)
        assert await it.sessions.kept(OURS) is None
        assert it.journal.looks == 0
        await it.journal.keep_session(NAME, session("theirs"), it.now)  # another process
        kept = await it.sessions.kept(OURS)
        assert kept is not None
        assert (kept[0].session_id, it.journal.looks) == ("theirs", 1)


async def test_a_session_that_was_told_is_not_looked_up(world: World) -> None:
    """One that the admission found alive serves at once; one that is too old, or that Kling has forgotten, does not."""
    async with scene(world) as it:
        it.sessions.note(NAME, (session("kept"), it.now - 60))
        assert await it.sessions.kept(OURS) == (session("kept"), it.now - 60)
        assert it.journal.looks == 0
        assert await it.sessions.kept(OURS, not_before=it.now - 60) is None
        assert it.journal.looks == 1
        old = Video.from_url(VIDEO + "?old")
        it.sessions.note(video_name(old), (session("old"), it.now - LIFE))
        assert await it.sessions.kept(old) is None


async def test_an_older_session_does_not_replace_a_newer_one(world: World) -> None:
    """An admission that had looked before the newer session was told changes nothing."""
    async with scene(world) as it:
        it.sessions.note(NAME, (session("new"), it.now))
        it.sessions.note(NAME, (session("old"), it.now - 60))
        it.sessions.note(NAME, None)
        assert await it.sessions.kept(OURS) == (session("new"), it.now)


async def test_what_was_noted_does_not_outlast_what_was_told_since(world: World) -> None:
    """A note that nobody used, as of a job that was refused, hides neither a newer session nor another process's."""
    async with scene(world) as it:
        it.sessions.note(NAME, None)
        assert (await it.sessions.ask(OURS))[2]
        for number in range(300):  # until the video is no longer among the remembered
            it.sessions.note(f"another {number}", (session("another"), it.now))
        await anyio.lowlevel.checkpoint()
        assert await it.sessions.kept(OURS) is not None
        other = Video.from_url(VIDEO + "?other")
        it.sessions.note(video_name(other), None)
        await it.journal.keep_session(video_name(other), session("theirs"), it.now)
        assert (await it.sessions.get(other)).session_id == "theirs"
        assert it.calls() == 1


async def test_who_asks_after_the_answer_gets_it_without_a_call(world: World) -> None:
    """A job that had looked too early, and asks when the session is there already, buys no second one."""
    async with scene(world) as it:
        assert await it.sessions.kept(OURS) is None
        first = await it.sessions.ask(OURS)
        assert first[2]
        assert await it.sessions.ask(OURS) == (*first[:2], False)
        assert it.calls() == 1


async def test_a_session_is_kept_though_all_is_cancelled(world: World) -> None:
    """What was paid is in the journal even where the coordinator's own cancellation comes with the answer."""
    async with world.client() as client:
        journal = CountingJournal(":memory:", clock=world.clock, inline=True)
        await journal.open("account")
        async with anyio.create_task_group() as group:
            sessions = Sessions(client, journal, world.clock, group)
            assert (await sessions.ask(OURS))[2]
            group.cancel_scope.cancel()
        assert await journal.session(NAME) is not None
        await journal.aclose()
