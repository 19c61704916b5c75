"""Sounds: to the millisecond what a decoder makes of them."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest

from kling_lipsync._media import UnreadableMedia, probe_bytes, probe_file
from kling_lipsync._media.mp3 import parse_mp3

from .driving import drive, reading
from .making import Sound, decoded_ms, make_sound, sound_bytes

MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
VARIABLE = {"q": "4", "flags": "+qscale"}
NO_TAG = {"write_xing": "0", "id3v2_version": "0"}


def mp3(rate: int = 44_100, seconds: float = 1.1, **more: object) -> Sound:
    """An MP3 to be made."""
    samples = int(rate * seconds)
    return Sound(codec="libmp3lame", rate=rate, samples=samples, muxer="mp3", **more)  # type: ignore[arg-type]  # as named


def pcm(codec: str = "pcm_s16le", **more: object) -> Sound:
    """A WAVE file to be made."""
    return Sound(codec=codec, rate=22_050, samples=50_777, muxer="wav", **more)  # type: ignore[arg-type]  # as named


def adts(rate: int = 44_100, **more: object) -> Sound:
    """A stream of ADTS frames to be made."""
    return Sound(codec="aac", rate=rate, samples=rate * 2 + 777, muxer="adts", **more)  # type: ignore[arg-type]  # as named


def frames_of(data: bytes) -> list[bytes]:
    """The frames of an MP3 without tags."""
    frames = []
    while data:
        frame = parse_mp3(data[:4])
        assert frame is not None
        frames.append(data[: frame.length])
        data = data[frame.length :]
    return frames


@pytest.mark.parametrize("rate", MP3_RATES)
@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize(
    ("codec_options", "options"),
    [({"b": "64000"}, {}), (VARIABLE, {}), ({"b": "64000"}, NO_TAG), (VARIABLE, NO_TAG)],
    ids=["constant", "variable", "constant-untagged", "variable-untagged"],
)
def test_mp3(rate: int, layout: str, codec_options: dict[str, str], options: dict[str, str]) -> None:
    """An MP3 of any rate, with a tag and without, is as long as what a decoder makes of it."""
    data = sound_bytes(mp3(rate, layout=layout, codec_options=codec_options, options=options))
    info = probe_bytes(data)
    assert (info.container, info.audio_codec, info.has_audio, info.has_video) == ("mp3", "mp3", True, False)
    assert info.duration_ms == decoded_ms(data)
    assert info.size == len(data)


def test_mp3_that_varies_without_tag_differs_from_its_bit_rate() -> None:
    """The untagged file of the test above does vary: dividing its size by its first frame's rate would be wrong."""
    data = sound_bytes(mp3(layout="stereo", codec_options=VARIABLE, options=NO_TAG))
    assert len({len(frame) for frame in frames_of(data)}) > 3


def test_mp3_between_tags() -> None:
    """ID3v2 before and ID3v1 behind the frames count for nothing."""
    data = sound_bytes(mp3(options={"id3v2_version": "4"})) + b"TAG".ljust(128, b"\0")
    assert data.startswith(b"ID3")
    assert probe_bytes(data).duration_ms == decoded_ms(data)
    footed = b"ID3\x04\x00\x10" + bytes([0, 0, 2, 0]) + bytes(256) + b"3DI\x04\x00\x10" + bytes([0, 0, 2, 0])
    assert probe_bytes(footed + data).duration_ms == decoded_ms(data)


def test_mp3_cut_short_is_as_long_as_its_whole_frames() -> None:
    """A tag that promises more than the file has is not believed."""
    frames = frames_of(sound_bytes(mp3(options={"id3v2_version": "0"})))
    assert b"Xing" in frames[0] or b"Info" in frames[0]
    data = b"".join(frames[:41])
    assert probe_bytes(data).duration_ms == decoded_ms(data)
    assert probe_bytes(data + frames[41][:20]).duration_ms == probe_bytes(data).duration_ms


def test_mp3_files_put_together_are_counted_through() -> None:
    """Two files behind one another are longer than the first one's tag says."""
    one = sound_bytes(mp3(options={"id3v2_version": "0"}))
    alone, both = probe_bytes(one).duration_ms, probe_bytes(one + one).duration_ms
    assert alone is not None
    assert both is not None
    assert both > 2 * alone


def test_mp3_with_junk_before_and_within() -> None:
    """What is no frame is passed over, wherever it stands, even if it looks like the beginning of one."""
    frames = frames_of(sound_bytes(mp3(options=NO_TAG)))
    junk = bytes(50) + b"\xff\xfb\x90\x00" * 100 + bytes(5000)
    whole = b"".join(frames)
    broken = bytes(3000) + b"".join(frames[:20]) + junk + b"".join(frames[20:]) + bytes(2000)
    assert probe_bytes(broken).duration_ms == probe_bytes(whole).duration_ms == decoded_ms(whole)


def test_mp3_whose_tag_is_not_lames() -> None:
    """A Xing tag without LAME's part tells the frames; nothing is taken away from them at their ends."""
    data = sound_bytes(mp3(options={"id3v2_version": "0"}))
    frames = frames_of(data)
    at = data.index(b"Info") + 120
    assert probe_bytes(data[:at] + bytes(24) + data[at + 24 :]).duration_ms == (len(frames) - 1) * 1152 * 1000 // 44_100


def test_mp3_whose_tag_says_nothing() -> None:
    """A Xing tag may leave everything out: then the frames are counted."""
    data = sound_bytes(mp3(options={"id3v2_version": "0"}))
    frames = frames_of(data)
    at = data.index(b"Info") + 4
    empty = data[:at] + bytes(140) + data[at + 140 :]
    assert probe_bytes(empty).duration_ms == (len(frames) - 1) * 1152 * 1000 // 44_100


def test_mp3_with_a_vbri_tag() -> None:
    """Fraunhofer's tag is believed where it agrees with the size of the file, and not where it does not."""
    frames = frames_of(sound_bytes(mp3(layout="stereo", codec_options={"b": "128000"}, options=NO_TAG)))
    length = sum(map(len, frames)) + len(frames[1])

    def tagged(announced: int) -> bytes:
        tag = b"VBRI" + struct.pack(">HHHII", 1, 0, 75, announced, len(frames) + 5)
        first = (frames[1][:4] + bytes(32) + tag).ljust(len(frames[1]), b"\0")
        return first + b"".join(frames)

    assert probe_bytes(tagged(length)).duration_ms == (len(frames) + 5) * 1152 * 1000 // 44_100
    assert probe_bytes(tagged(length * 2)).duration_ms == len(frames) * 1152 * 1000 // 44_100


@pytest.mark.parametrize("rate", [7_350, 8_000, 16_000, 24_000, 44_100, 48_000, 96_000])
def test_adts(rate: int) -> None:
    """An ADTS stream, whose headers tell no length, is as long as what a decoder makes of it."""
    data = sound_bytes(adts(rate))
    info = probe_bytes(data)
    assert (info.container, info.audio_codec, info.has_audio) == ("aac", "aac", True)
    assert info.duration_ms == decoded_ms(data)


def test_adts_behind_an_id3_tag() -> None:
    """An ID3 tag does not make an MP3."""
    data = sound_bytes(adts(options={"write_id3v2": "1"}))
    tagged = data if data.startswith(b"ID3") else b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256) + data
    info = probe_bytes(tagged)
    assert info.container == "aac"
    assert info.duration_ms == decoded_ms(data)


def test_adts_cut_short() -> None:
    """A last frame that is not whole does not count."""
    data = sound_bytes(adts())
    whole, cut = probe_bytes(data).duration_ms, probe_bytes(data[:-5]).duration_ms
    assert whole is not None
    assert cut is not None
    assert 0 < whole - cut <= 24


@pytest.mark.parametrize(
    "codec", ["pcm_s16le", "pcm_u8", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"]
)
@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_wav(codec: str, layout: str) -> None:
    """A WAVE file of uncompressed samples is exactly as long as they are."""
    data = sound_bytes(pcm(codec, layout=layout))
    info = probe_bytes(data)
    assert (info.container, info.audio_codec, info.has_audio, info.has_video) == ("wav", codec, True, False)
    assert info.duration_ms == decoded_ms(data) == 50_777 * 1000 // 22_050


def test_wav_of_six_channels() -> None:
    """The extensible format names its codec elsewhere."""
    data = sound_bytes(pcm("pcm_s24le", layout="5.1"))
    info = probe_bytes(data)
    assert struct.unpack_from("<H", data, data.index(b"fmt ") + 8) == (0xFFFE,)
    assert (info.duration_ms, info.audio_codec) == (decoded_ms(data), "pcm_s24le")


@pytest.mark.parametrize("codec", ["adpcm_ms", "adpcm_ima_wav"])
def test_wav_of_compressed_samples(codec: str) -> None:
    """The `fact` chunk tells how many samples a compressed format holds; without it the byte rate comes near."""
    data = sound_bytes(pcm(codec))
    info = probe_bytes(data)
    assert (info.duration_ms, info.audio_codec) == (decoded_ms(data), codec)
    at = data.index(b"fmt ") + 8
    rate, block, samples_per_block = struct.unpack("<I4xH4xH", data[at + 4 : at + 20])
    byte_rate = struct.pack("<I", rate * block // samples_per_block)
    without_fact = data[: at + 8] + byte_rate + data[at + 12 :].replace(b"fact", b"junk", 1)
    estimate = probe_bytes(without_fact).duration_ms
    assert estimate == pytest.approx(decoded_ms(data), rel=0.02)


def test_wav_of_a_compression_that_tells_nothing() -> None:
    """Without `fact` and byte rate the length is not known, and nothing is made up."""
    layout = struct.pack("<HHIIHH", 0x0031, 1, 8000, 0, 65, 0)
    data = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 16) + layout + b"data" + struct.pack("<I", 650) + bytes(650)
    assert probe_bytes(data).duration_ms is None


def test_wav_with_too_short_a_format() -> None:
    """A `fmt ` chunk that ends before the sample rate's neighbours tells nothing."""
    data = sound_bytes(pcm())
    at = data.index(b"fmt ") + 4
    with pytest.raises(UnreadableMedia, match="fmt chunk is too short"):
        probe_bytes(data[:at] + struct.pack("<I", 8) + data[at + 4 :])


def test_rf64() -> None:
    """What is longer than 32 bits can say stands in `ds64`."""
    data = sound_bytes(pcm(options={"rf64": "always"}))
    assert data.startswith(b"RF64")
    assert probe_bytes(data).duration_ms == decoded_ms(data)


class Pipe(io.RawIOBase):
    """Something to write to that cannot go back."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: object) -> int:
        """Appends."""
        view = memoryview(data)  # type: ignore[arg-type]  # bytes of some kind
        self.written += view
        return len(view)


@pytest.mark.parametrize("size_known", [True, False])
def test_wav_written_to_a_pipe(size_known: bool) -> None:
    """A stream's header cannot know its length: the sound goes to the end of the file, wherever that is."""
    pipe = Pipe()
    make_sound(pipe, pcm())  # type: ignore[arg-type]  # all that a writer needs
    data = bytes(pipe.written)
    at = data.index(b"data") + 4
    assert data[at : at + 4] == b"\xff\xff\xff\xff"
    for placeholder in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"):
        streamed = data[:at] + placeholder + data[at + 4 :]
        info, _ = drive(reading(streamed), len(streamed) if size_known else None)
        assert (info.duration_ms, info.size) == (50_777 * 1000 // 22_050, len(data))


def test_wav_cut_short_is_refused() -> None:
    """Half an upload would be half a sound: the header tells."""
    data = sound_bytes(pcm())
    with pytest.raises(UnreadableMedia, match="truncated: 101554 bytes of sound are announced"):
        probe_bytes(data[: len(data) // 2])


def test_wav_whose_writer_counted_the_header() -> None:
    """A length that is too long by the header's length is a common mistake, and plays."""
    data = sound_bytes(pcm())
    at = data.index(b"data") + 4
    mistaken = data[:at] + struct.pack("<I", 101_554 + 44) + data[at + 4 :]
    assert probe_bytes(mistaken).duration_ms == decoded_ms(data)


@pytest.mark.parametrize(("suffix", "container"), [("wav", "wav"), ("mp3", "mp3"), ("m4a", "m4a"), ("aac", "aac")])
def test_a_files_name_does_not_matter(tmp_path: Path, suffix: str, container: str) -> None:
    """A file is what its content says, even under a wrong name."""
    codec = {"wav": "pcm_s16le", "mp3": "libmp3lame"}.get(suffix, "aac")
    right, wrong = tmp_path / f"sound.{suffix}", tmp_path / "sound.txt"
    make_sound(right, Sound(codec=codec, rate=44_100, samples=100_000))
    right.rename(wrong)
    assert probe_file(wrong).container == container


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    """What the operating system says of a path passes through."""
    with pytest.raises(FileNotFoundError):
        probe_file(tmp_path / "missing.mp3")
