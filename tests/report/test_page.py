from __future__ import annotations

import re
import tracemalloc

import pytest

from kling_lipsync._report import batch_page
from kling_lipsync._report.batch import Trouble
from kling_lipsync._report.story import MOST_BARS, Story
from kling_lipsync._report.words import lasting
from kling_lipsync.models import Status

from .telling import NOON, Page, batch_of, created, intent, made_up, task, told

HOSTILE = (
    "</title></svg><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "a&amp;b ]]> <!-- ",
    "\N{RIGHT-TO-LEFT OVERRIDE}\x1b[31m\x00\ud800 \N{SNOWMAN}",
    "https://user:pw1234@host.example/a.mp4?X-Signature=deadbeef#frag",
)


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_keys_and_words_stay_words(key: str) -> None:
    """Whatever a key, an error or a name holds, the page's elements are ours alone."""
    trouble = Trouble(key=key, status=Status.FAILED, attempts=2, error=f"failed: {key} <b>!", next="Run it again.")
    plain = batch_page(batch_of(told(task("k", NOON, NOON + 60)), troubles=[trouble]), "jobs")
    page = Page(batch_page(batch_of(told(task(key, NOON, NOON + 60)), troubles=[trouble]), key))
    assert [element.tag for element in page.elements] == [element.tag for element in Page(plain).elements]
    assert not re.search("[\x00-\x08\x1b\u202e\ud800-\udfff]", page.text)


def test_no_address_of_a_result_and_nothing_that_signs_one() -> None:
    """Of an error's URLs the host stays, of a key's the path too; keys of an account are cut out."""
    url = "https://user:pw1234@cdn.example.com:8443/secret/path.mp4?X-Signature=deadbeef#f"
    error = f"{url} cannot be fetched (see {url}), sent Bearer abcdef123456 and HTTPS://H.example/x?sig=deadbeef"
    trouble = Trouble(key=url, status=Status.SUCCEEDED, attempts=1, error=error, next="")
    text = batch_page(batch_of(told(task(url, NOON, NOON + 60)), troubles=[trouble]), "jobs")
    for secret in ("pw1234", "deadbeef", "abcdef123456"):
        assert secret not in text
    host = "https://cdn.example.com:8443/\N{HORIZONTAL ELLIPSIS}"
    assert Page(text).all("td")[2].words == (
        f"{host} cannot be fetched (see {host} sent [key] and HTTPS://H.example/\N{HORIZONTAL ELLIPSIS}"
    )
    assert "https://cdn.example.com:8443/secret/path.mp4" in Page(text).text


def test_what_a_small_batch_shows() -> None:
    """Numbers, a bar for each task with its key, the times in UTC."""
    events = [*task("anna", NOON, NOON + 60), *task("ben", NOON + 1, NOON + 125), intent("carl", NOON + 70)]
    page = Page(batch_page(batch_of(told([*events, created("carl", NOON + 71)]), at_work=True), "jobs.csv.journal"))
    assert [title.words for title in page.all("title")] == [
        "Report of jobs.csv.journal",
        "anna: succeeded, 12:00:00 to 12:01:00, 1 min 00 s",
        "ben: succeeded, 12:00:01 to 12:02:05, 2 min 04 s",
        "carl: running, 12:01:10 to 12:02:05, 55 s",
    ]
    assert [bar.attributes["class"] for bar in page.all("rect")] == ["succeeded", "succeeded", "running"]
    assert "2023-11-15 12:00:00 to 12:02:05 UTC, still at work" in page.text
    tiles = dict(zip([name.words for name in page.all("dt")], [v.words for v in page.all("dd")][::2], strict=True))
    assert tiles["Tasks ended"] == "2"
    assert tiles["Median task"] == "1 min 32 s"
    assert tiles["Wall time"] == "2 min 05 s"


def test_a_journal_in_which_nothing_happened() -> None:
    """There is a page all the same, without a picture."""
    page = Page(batch_page(batch_of(told([])), "empty"))
    assert "Nothing has happened yet." in page.text
    assert not page.all("svg")


def test_a_large_batch_is_drawn_in_a_bounded_page() -> None:
    """20,000 events make a curve of some hundred points; the table says how many more there are."""
    troubles = [
        Trouble(key=f"{n}" + "k" * 300, status=Status.FAILED, attempts=1, error='<&">' * 500, next="Run it.")
        for n in range(200)
    ]
    events = sorted(made_up(5000, 20), key=lambda event: event.at)
    assert len(events) == 20_000
    tracemalloc.start()
    try:
        story = Story()
        for event in events:
            story.observe(event)
        text = batch_page(batch_of(story, troubles=troubles, troubled=1234), "big")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    page = Page(text)
    assert len(text) < 1_000_000
    assert most < 8_000_000
    assert not page.all("rect")
    assert len(page.all("path")) == 3
    assert page.all("path")[0].attributes["d"].count("V") <= 242
    assert len(page.all("tr")) == 201
    assert "1,234 jobs did not come to the end" in page.text
    assert "and 1,034 more" in page.text
    assert "20 at once" in page.text


def test_the_most_bars_that_are_drawn_make_a_bounded_page() -> None:
    """Up to some hundred tasks each has its bar, in a picture that is not endlessly high; one more makes a curve."""
    most = [event for n in range(MOST_BARS) for event in task(f"{n}-" + "\N{SNOWMAN}" * 200, NOON + n / 100, NOON + 60)]
    text = batch_page(batch_of(told(most)), "jobs")
    page = Page(text)
    assert len(page.all("rect")) == MOST_BARS
    assert len(text) < 1_000_000
    assert int(page.all("svg")[0].attributes["height"]) <= 1600
    more = Page(batch_page(batch_of(told([*most, intent("one more", NOON)])), "jobs"))
    assert not more.all("rect")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        *((0, "0 s"), (0.25, "0.25 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (119.9, "2 min 00 s")),
        *((3599.8, "1 h 00 min"), (86_399.9, "1 d 00 h"), (200_000, "2 d 07 h")),
    ],
)
def test_lengths_of_time(seconds: float, told: str) -> None:
    """The two largest parts, and never 60 of a part."""
    assert lasting(seconds) == told
