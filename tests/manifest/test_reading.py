from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_lipsync.errors import ConfigurationError
from kling_lipsync.manifest import ManifestError, read_manifest
from kling_lipsync.models import Audio, Job, Speech, Video

HEADER = "key,video_url,audio_url"
ROW = "a,https://example.com/v.mp4,https://example.com/s.mp3"


def written(folder: Path, content: str | bytes, name: str = "jobs.csv") -> Path:
    """A manifest's file with this content."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def problems(path: Path) -> tuple[str, ...]:
    """What reading this wrong manifest tells."""
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    assert isinstance(caught.value, ConfigurationError)
    return caught.value.problems


EVERY_COLUMN = {
    "key": "k1",
    "video_url": "https://example.com/v.mp4",
    "text": 'He said "hello",\nthen left',
    "voice_id": "genshin_vindi2",
    "voice_language": "en",
    "voice_speed": "1.2",
    "face": "index:1",
    "sound_start_ms": "100",
    "sound_end_ms": "4000",
    "sound_insert_ms": "250",
    "sound_volume": "1.5",
    "original_audio_volume": "0",
    "watermark": "yes",
    "callback_url": "https://example.com/hook",
    "external_task_id": "x1",
    "output": "out/one.mp4",
    "scene": "3",
    "meta_take": "7",
    "meta_note": "=1+1",
}
EVERY_JOB = Job(
    key="k1",
    video=Video.from_url("https://example.com/v.mp4"),
    audio=Speech('He said "hello",\nthen left', "genshin_vindi2", language="en", speed=1.2),
    face="index:1",
    sound_start_ms=100,
    sound_end_ms=4000,
    sound_insert_ms=250,
    sound_volume=1.5,
    original_audio_volume=0.0,
    watermark=True,
    callback_url="https://example.com/hook",
    external_task_id="x1",
    output="out/one.mp4",
    scene="3",
    meta={"take": "7", "note": "=1+1"},
)


def as_csv(row: dict[str, str], delimiter: str) -> str:
    """A CSV file of one row, every cell in quotes."""
    lines = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in cells) for cells in (row, row.values())]
    return "\r\n".join(lines) + "\r\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_column_of_csv(tmp_path: Path, delimiter: str, mark: str) -> None:
    """Every column reaches its job, whatever stands between the cells, with a byte-order mark and without."""
    manifest = read_manifest(written(tmp_path, mark + as_csv(EVERY_COLUMN, delimiter)))
    assert list(manifest) == [EVERY_JOB]
    assert len(manifest) == 1


def test_every_column_of_jsonl(tmp_path: Path) -> None:
    """JSONL takes text for everything, and numbers and booleans where they belong."""
    typed = {
        **EVERY_COLUMN,
        "key": "k2",
        "external_task_id": "x2",
        "output": "two.mp4",
        "voice_speed": 1.2,
        "sound_start_ms": 100,
        "sound_end_ms": 4000.0,
        "sound_insert_ms": 250,
        "sound_volume": 1.5,
        "original_audio_volume": 0,
        "watermark": True,
        "scene": 3,
        "meta_take": 7,
        "video_id": None,
        "audio_url": "",
    }
    lines = [json.dumps(EVERY_COLUMN), "", json.dumps(typed)]
    first, second = read_manifest(written(tmp_path, "\n".join(lines), "jobs.jsonl"))
    assert first == EVERY_JOB
    assert (second.key, second.sound_end_ms, second.watermark, second.scene) == ("k2", 4000, True, "3")
    assert second.meta == first.meta


def test_paths_are_relative_to_the_manifest(tmp_path: Path) -> None:
    """A sound's path starts at the manifest's folder; that the file is missing is the job's own check's business."""
    (job,) = read_manifest(written(tmp_path, "key,video_id,audio_file\na,v1,sounds/a.mp3\n"))
    assert job.audio == Audio.from_file(tmp_path / "sounds" / "a.mp3")
    assert job.video == Video.from_id("v1")


def test_a_local_video_is_no_mistake_of_the_manifest(tmp_path: Path) -> None:
    """A local path as the video is for the job's own check to refuse, which says what to do instead."""
    (job,) = read_manifest(written(tmp_path, "key,video_url,audio_id\na,clips/v.mp4,s1\n"))
    assert job.video.url == "clips/v.mp4"


def test_left_out_cells_take_the_defaults(tmp_path: Path) -> None:
    """Empty cells are as good as no column."""
    (job,) = read_manifest(written(tmp_path, f"{HEADER},face,sound_volume,output\n{ROW},,,\n"))
    assert (job.face, job.sound_volume, job.output, job.meta) == ("longest", 1.0, None, {})


@pytest.mark.parametrize("word", ["true", "TRUE", "1", "yes", "false", "0", "No"])
def test_switches(tmp_path: Path, word: str) -> None:
    """A watermark is asked for in the words that spreadsheets and people use."""
    (job,) = read_manifest(written(tmp_path, f"{HEADER},watermark\n{ROW},{word}\n"))
    assert job.watermark is (word.lower() in ("true", "1", "yes"))


def test_jobs_are_read_again_for_each_iteration(tmp_path: Path) -> None:
    """A manifest can be walked several times, and knows its keys."""
    manifest = read_manifest(written(tmp_path, f"{HEADER}\n{ROW}\n"))
    assert list(manifest) == list(manifest)
    assert "a" in manifest
    assert "b" not in manifest


def test_line_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    """Blank rows and line breaks inside quotes are counted as an editor counts them."""
    text = f'{HEADER},meta_note\n\n{ROW},"two\nlines"\n,,,\nb,https://example.com/v.mp4,,\n'
    assert problems(written(tmp_path, text)) == ("line 6: no sound: give one of audio_file, audio_url, audio_id, text",)


def test_all_wrong_lines_are_told_at_once(tmp_path: Path) -> None:
    """Each kind of mistake is told with its line, and none hides another."""
    text = "\n".join(
        [
            "key,video_url,video_id,audio_url,audio_file,text,voice_id,sound_start_ms,sound_volume,watermark,adio",
            "a,https://x/v,v1,https://x/s,,,,,,,",
            "b,,,https://x/s,,,,,,,",
            "c,https://x/v,,https://x/s,s.mp3,,,,,,",
            "d,https://x/v,,,,,,,,,",
            ",https://x/v,,https://x/s,,,,,,,",
            'e,https://x/v,,https://x/s,,,,1.5,"0,5",maybe,',
            "a,https://x/v,,https://x/s,,,,,,,",
            "f,https://x/v,,,,hello,,,,,",
            "g,https://x/v,,https://x/s,,,v1,,,,",
            "h,https://x/v,,https://x/s",
            "i,https://x/v,,https://x/s,,,,nan,inf,,",
        ]
    )
    assert problems(written(tmp_path, text)) == (
        "line 1: unknown column 'adio'; did you mean 'audio_id'?",
        "line 2: 2 sources of video: video_url, video_id; give one",
        "line 3: no video: give one of video_url, video_id",
        "line 4: 2 sources of sound: audio_file, audio_url; give one",
        "line 5: no sound: give one of audio_file, audio_url, audio_id, text",
        "line 6: no key",
        "line 7: sound_start_ms: '1.5' is not a whole number",
        "line 7: sound_volume: '0,5' is not a number (write it like 0.5)",
        "line 7: watermark: 'maybe' is neither true nor false (write true, false, 1, 0, yes or no)",
        "line 8: key 'a' stands on line 2 already",
        "line 9: a text needs a voice_id (see: kling-lipsync voices)",
        "line 10: voice_id: only a text has a voice",
        "line 11: 4 cells, but the header has 11",
        "line 12: sound_start_ms: 'nan' is not a whole number",
        "line 12: sound_volume: 'inf' is not a number (write it like 0.5)",
    )


def test_two_rows_cannot_share_a_file(tmp_path: Path) -> None:
    """Two results under one name would overwrite each other, however the name is written or made."""
    outputs = {"a": "x.mp4", "b": "./x.mp4", "c": "", "d": "c.mp4", "e": "f.mp4", "f": ""}
    rows = "".join(f"{key},https://x/v,https://x/s,{output}\n" for key, output in outputs.items())
    assert problems(written(tmp_path, f"{HEADER},output\n{rows}")) == (
        "line 3: output 'x.mp4' is that of line 2 already",
        "line 5: output 'c.mp4' is that of line 4 already",
        "line 7: its file 'f.mp4' is that of line 6 already",
    )


def test_two_rows_cannot_share_a_task(tmp_path: Path) -> None:
    """Two jobs with one external id would be one task."""
    rows = "".join(f"{key},https://x/v,https://x/s,same\n" for key in "abc")
    assert problems(written(tmp_path, f"{HEADER},external_task_id\n{rows}")) == (
        "line 3: external_task_id 'same' stands on line 2 already",
        "line 4: external_task_id 'same' stands on line 2 already",
    )


def test_the_list_is_bounded(tmp_path: Path) -> None:
    """Of very many wrong lines the first hundred are told, the rest is counted."""
    path = written(tmp_path, f"{HEADER}\n" + "x,,\n" * 400)
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    assert len(caught.value.problems) == 100
    assert caught.value.count == 400 * 2 + 399
    assert str(caught.value).endswith("… and 1099 more")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"key,video_url\n", "there is no job in it"),
        ("key,video_url\n".encode("utf-16"), "UTF-16; save it as UTF-8"),
    ],
)
def test_files_that_are_no_manifest(tmp_path: Path, content: bytes, told: str) -> None:
    """A file without jobs, or in an encoding of its own, is refused in one line."""
    path = written(tmp_path, content)
    with pytest.raises(ManifestError, match=told) as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value)


def test_missing_folder_and_unknown_endings(tmp_path: Path) -> None:
    """No file, a folder, and a name that is neither .csv nor .jsonl are told apart."""
    with pytest.raises(ManifestError, match="no such file"):
        read_manifest(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ManifestError, match="not a file"):
        read_manifest(tmp_path / "folder.csv")
    with pytest.raises(ManifestError, match=r"\.csv or \.jsonl"):
        read_manifest(written(tmp_path, "key", "jobs.xlsx"))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"b,https://x/v,https://x/\xe4\n", "line 3: not UTF-8; save the file as UTF-8"),
        (b"b,https://x/v\0,https://x/s\n", "line 3: holds a NUL byte"),
        (b"b,https://x/v," + b"y" * 40_000 + b"\n", "line 3: audio_url: 40000 characters, at most 32767 fit"),
        (b"b,https://x/v," + b"y" * 3_000_000 + b"\n", "line 3: longer than 1048576 characters"),
    ],
)
def test_hostile_lines(tmp_path: Path, line: bytes, told: str) -> None:
    """One line that cannot be read is told, and the lines around it are still read."""
    content = f"{HEADER}\n{ROW}\n".encode() + line + b"c,https://x/v,\n"
    assert problems(written(tmp_path, content)) == (
        told,
        "line 4: no sound: give one of audio_file, audio_url, audio_id, text",
    )


def test_an_unclosed_quote_is_told_where_it_opens(tmp_path: Path) -> None:
    """A quote without its end would swallow the rest of the file, and jobs with it."""
    (told,) = problems(written(tmp_path, f'{HEADER}\n{ROW}\nb,"https://x/v,https://x/s\nc,d,e\n'))
    assert told.startswith("line 3: not to be read as CSV")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[1]", "not a JSON object {…}"),
        ('{"key": "b"', "not to be read as JSON: Expecting ',' delimiter (character 13)"),
        ('{"key": "b", "key": "c"}', "not to be read as JSON: a name stands there twice"),
        ('{"key": NaN}', "not to be read as JSON: NaN is not a number"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_wrong_json(tmp_path: Path, line: str, told: str) -> None:
    """A line that is no JSON object is told as such."""
    assert problems(written(tmp_path, line + "\n", "jobs.jsonl")) == (f"line 1: {told}",)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"key": True}, "key: must be text (in quotes)"),
        ({"key": ["a"]}, "key: must be text, a number, true or false"),
        ({"face": 1.5}, "face: must be text (in quotes)"),
        ({"sound_volume": True}, "sound_volume: True is not a number (write it like 0.5)"),
        ({"sound_start_ms": False}, "sound_start_ms: False is not a whole number"),
        ({"meta_x": "\0"}, "meta_x: holds a NUL character"),
        ({"meta_x": "\ud800"}, "meta_x: holds half a character (a lone surrogate)"),
        ({"meta_": "x"}, "unknown column 'meta_'; name your own columns meta_…"),
    ],
)
def test_wrong_json_cells(tmp_path: Path, cells: dict[str, object], told: str) -> None:
    """A value of a kind that its column cannot hold is told."""
    row = {"key": "a", "video_url": "https://x/v", "audio_url": "https://x/s", **cells}
    assert f"line 1: {told}" in problems(written(tmp_path, json.dumps(row), "jobs.jsonl"))


def test_formulas_are_text(tmp_path: Path) -> None:
    """Cells that look like a formula pass through as the text they are."""
    (job,) = read_manifest(written(tmp_path, f"{HEADER},meta_x\n=HYPERLINK(1),https://x/v,https://x/s,@SUM(A1)\n"))
    assert (job.key, job.meta) == ("=HYPERLINK(1)", {"x": "@SUM(A1)"})


def test_a_manifest_that_changes_while_it_runs(tmp_path: Path) -> None:
    """A row that was not there when the manifest was checked is never bought."""
    path = written(tmp_path, f"{HEADER}\n{ROW}\n")
    manifest = read_manifest(path)
    path.write_text(f"{HEADER}\n{ROW}\n{ROW.replace('a', 'b', 1)}\n")
    with pytest.raises(ManifestError, match="changed at line 3"):
        list(manifest)


def test_a_manifest_whose_rows_moved(tmp_path: Path) -> None:
    """Jobs are known by their place: a row that is no longer on its line is told, as if it were new."""
    path = written(tmp_path, f"{HEADER}\n{ROW}\n{ROW.replace('a', 'b', 1)}\n")
    manifest = read_manifest(path)
    path.write_text(f"{HEADER}\n{ROW.replace('a', 'b', 1)}\n{ROW}\n")
    with pytest.raises(ManifestError, match="changed at line 2"):
        list(manifest)


def test_memory_stays_small(tmp_path: Path) -> None:
    """A manifest of many rows with long texts is never held whole."""
    path = tmp_path / "jobs.csv"
    with path.open("w") as file:
        file.write(f"{HEADER},meta_note\n")
        file.writelines(f"k{n},https://x/v,https://x/s,{'n' * 2000}\n" for n in range(3000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_manifest(path)) == 3000
        assert tracemalloc.get_traced_memory()[1] < 2_500_000
    finally:
        tracemalloc.stop()


@settings(max_examples=150, deadline=None)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)), csv=st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes, csv: bool) -> None:
    """Whatever a file holds, it is a manifest or a ManifestError, never another exception."""
    path = tmp_path_factory.mktemp("fuzz") / ("jobs.csv" if csv else "jobs.jsonl")
    path.write_bytes((b"key,video_id,audio_id\n" if csv else b"") + content)
    try:
        jobs = list(read_manifest(path))
    except ManifestError:
        return
    assert all(job.key for job in jobs)
