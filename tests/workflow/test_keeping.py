"""Jobs that outlive their process."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_lipsync import Audio, Job, Speech, Video
from kling_lipsync._workflow.keeping import kept_job, revived_job

TEXT = st.text(min_size=1, max_size=20)
VIDEOS = st.builds(Video.from_url, TEXT, st.none() | st.integers(0, 60_000)) | st.builds(Video.from_id, TEXT)
SOUNDS = st.one_of(
    st.builds(Audio.from_url, TEXT),
    st.builds(Audio.from_id, TEXT, st.none() | st.integers(0, 60_000)),
    st.builds(Speech, TEXT, TEXT, language=st.sampled_from(["zh", "en"]), speed=st.floats(0.8, 2.0)),
    st.just(Audio.from_file(Path("/sounds/a.mp3"))),
)
MAYBE_MS = st.none() | st.integers(0, 60_000)
JOBS = st.builds(
    Job,
    key=TEXT,
    video=VIDEOS,
    audio=SOUNDS,
    face=TEXT,
    sound_start_ms=MAYBE_MS,
    sound_end_ms=MAYBE_MS,
    sound_insert_ms=MAYBE_MS,
    sound_volume=st.floats(0, 2),
    watermark=st.booleans(),
    callback_url=st.none() | TEXT,
    external_task_id=st.none() | TEXT,
    output=st.none() | TEXT,
    scene=st.none() | TEXT,
    meta=st.dictionaries(TEXT, TEXT, max_size=3),
)


@given(JOBS)
def test_a_kept_job_comes_back_as_it_was(job: Job) -> None:
    """Every field of a job survives."""
    text = kept_job(job)
    assert text is not None
    assert revived_job(text) == job


def test_a_sound_in_memory_is_never_kept() -> None:
    """Bodies stay out of the journal."""
    assert kept_job(Job(key="a", video=Video.from_id("1"), audio=Audio.from_bytes(b"RIFF"))) is None


@pytest.mark.parametrize("text", ["{}", "[]", '{"key": "a"}', '{"key": "a", "video": {}, "audio": {}}'])
def test_what_is_no_job_is_refused(text: str) -> None:
    """A journal that was tampered with is told from one that was not."""
    with pytest.raises(ValueError, match=r"\w"):
        revived_job(text)
