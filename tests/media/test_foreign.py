"""What is no mp4, mov, m4a, wav, mp3 or aac is refused by its own name."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from kling_lipsync._media import UnreadableMedia, probe_bytes, probe_file

from .making import Film, Sound, film_bytes, sound_bytes


def named(data: bytes) -> str:
    """What the refusal of these bytes says."""
    with pytest.raises(UnreadableMedia) as caught:
        probe_bytes(data)
    return str(caught.value)


@pytest.mark.parametrize(
    ("muxer", "codec", "name"),
    [
        ("webm", "libvpx", "a WebM file"),
        ("matroska", "libx264", "a Matroska file"),
        ("avi", "mpeg4", "an AVI file"),
        ("mpegts", "libx264", "an MPEG transport stream"),
        ("mpeg", "mpeg2video", "an MPEG program stream"),
        ("flv", "libx264", "a Flash video"),
        ("asf", "mpeg4", "a Windows Media (ASF) file"),
    ],
)
def test_films(muxer: str, codec: str, name: str) -> None:
    """Other containers of films, as FFmpeg writes them."""
    assert named(film_bytes(Film(frames=10, codec=codec, muxer=muxer))) == name


@pytest.mark.parametrize(
    ("muxer", "codec", "name"),
    [
        ("flac", "flac", "a FLAC file"),
        ("ogg", "libopus", "an Ogg file"),
        ("aiff", "pcm_s16be", "an AIFF file"),
        ("caf", "pcm_s16be", "a CAF file"),
        ("webm", "libopus", "a WebM file"),
    ],
)
def test_sounds(muxer: str, codec: str, name: str) -> None:
    """Other containers of sounds, as FFmpeg writes them."""
    data = sound_bytes(Sound(codec=codec, rate=48_000, samples=48_000, muxer=muxer))
    assert named(data) == name
    if muxer == "flac":
        assert named(b"ID3\x04\x00\x00\x00\x00\x00\x20" + bytes(32) + data) == "a FLAC file behind an ID3 tag"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html><head><title>403</title>", "an HTML page"),
        (b"\xef\xbb\xbf\n  <HTML lang=en>", "an HTML page"),
        (b"<!-- error --><html>", "an HTML page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
        (b'{"code": 404, "message": "not found"}', "JSON"),
        (b'\n[{"a": 1}]', "JSON"),
        ("没有找到".encode(), "text"),
        (b"Not Found\n", "text"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", "an HLS playlist"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "a JPEG picture"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a PNG picture"),
        (b"GIF89a\x01\x00\x01\x00", "a GIF picture"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "a WebP picture"),
        (b"RIFF\x24\x00\x00\x00RMIDdata", "a RIFF file that is not WAVE"),
        (b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heic" + bytes(200), "a HEIF or AVIF picture"),
        (b"ADIF" + bytes(100), "an AAC file with an ADIF header"),
        (b"%PDF-1.7\n", "a PDF document"),
        (bytes(1000), "no media file of a known kind"),
        (b"\x01\x02\x03", "no media file of a known kind"),
        (b"RIFF\x04\x00\x00\x00WAVE", "truncated: the file ends within a chunk's header"),
    ],
)
def test_first_bytes(data: bytes, name: str) -> None:
    """What servers send instead of media, and other files, told from their first bytes."""
    assert named(data) == name


def test_archives() -> None:
    """Real archives."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("clip.mp4", b"x")
    assert named(target.getvalue()) == "a ZIP archive"
    assert named(gzip.compress(b"x")) == "a gzip archive"


def test_mpeg_audio_of_layer_two_is_no_mp3() -> None:
    """Layer II looks like MP3 at a glance, but is not."""
    data = sound_bytes(Sound(codec="mp2", rate=44_100, samples=44_100, muxer="mp2"))
    assert named(data) == "no media file of a known kind"


def test_a_directory_is_an_os_error(tmp_path: Path) -> None:
    """What the operating system says of a path passes through."""
    with pytest.raises(IsADirectoryError):
        probe_file(tmp_path)
