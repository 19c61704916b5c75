from __future__ import annotations

from pathlib import Path

import pytest

from kling_lipsync.events import Event
from kling_lipsync.models import FaceSession, Status

from .facts import ACCOUNT, CHECKED, DOUBT, HandClock, begun, claimed, ended, intended, opened, write
from .test_opening import refusal

pytestmark = pytest.mark.anyio


async def test_a_refused_opening_leaves_the_file_unlocked(path: Path) -> None:
    """After an error the file may be opened by whoever does it right."""
    async with opened(path) as journal:
        await begun(journal, "a", intended())
    assert "belongs to the account" in await refusal(path, "other")
    async with opened(path):
        pass


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([intended()], Status.RUNNING),
        ([intended(), DOUBT], Status.IN_DOUBT),
        ([CHECKED], Status.RUNNING),
        ([CHECKED], Status.IN_DOUBT),
        ([intended()], Status.FAILED),
    ],
)
async def test_another_account_with_open_jobs_is_refused(path: Path, events: list[Event], status: Status) -> None:
    """Where money may hang on a job, only its account can look after it."""
    async with opened(path) as journal:
        await begun(journal, "a", *events, status=status)
    message = await refusal(path, "other account")
    assert f"belongs to the account {ACCOUNT}, where 1 of its jobs are open" in message
    assert "give the account other account a journal of its own" in message


async def test_another_account_takes_a_quiet_journal(path: Path) -> None:
    """With nothing open the journal changes hands: jobs and sums stay, the old account's face sessions go."""
    async with opened(path) as journal:
        await begun(journal, "a", intended(), ended(), status=Status.SUCCEEDED)
        await journal.keep_session("v", FaceSession(session_id="s", faces=()), HandClock().now)
        totals = await journal.totals()
    async with opened(path) as journal:
        assert await journal.session("v") is not None
    async with opened(path, account="other") as journal:
        assert await journal.session("v") is None
        assert await journal.totals() == totals
        assert len(await journal.events()) == 2


async def test_another_account_is_refused_while_anybody_is_at_work(path: Path) -> None:
    """A journal with nothing open stays with its account while another owner is on it; the same account is welcome."""
    async with opened(path), opened(path):
        message = await refusal(path, "other account")
        assert f"belongs to the account {ACCOUNT}, and another process is at work on it: wait for its end" in message
    async with opened(path, account="other account"):
        assert "belongs to the account other account, and another" in await refusal(path)


async def test_what_another_account_learnt_is_foreign(path: Path) -> None:
    """Events from before the journal changed hands are marked as such; a job about which the new account has written
    is its own, and so is one that had no events.
    """
    async with opened(path) as journal:
        for key in ("old", "gone on with"):
            await begun(journal, key, CHECKED, status=Status.NOT_STARTED)
        await journal.release(await claimed(journal, "untouched"))
        assert not (await journal.admit("untouched", "settings of untouched")).foreign
    async with opened(path, account="other") as journal:
        old = await journal.admit("old", "settings of old")
        assert (old.foreign, len(old.events)) == (True, 1)
        going_on = await journal.admit("gone on with", "settings of gone on with")
        assert going_on.foreign
        await write(journal, going_on.claim, CHECKED, after=1, status=Status.NOT_STARTED)
        assert not (await journal.admit("untouched", "settings of untouched")).foreign
        await begun(journal, "new", CHECKED, status=Status.NOT_STARTED)
    async with opened(path, account="other") as journal:
        foreign = {
            key: (await journal.admit(key, f"settings of {key}")).foreign
            for key in ("old", "gone on with", "untouched", "new")
        }
    assert foreign == {"old": True, "gone on with": False, "untouched": False, "new": False}
