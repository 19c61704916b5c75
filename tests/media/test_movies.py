"""Films and m4a: as long as a player plays them, as large as it shows them, wherever their index stands."""

from __future__ import annotations

from fractions import Fraction

import pytest

from kling_lipsync._media import UnreadableMedia, probe_bytes
from kling_lipsync._media.boxes import children

from .making import Film, Sound, film_bytes, presented_ms, sound_bytes

TOLERANCE_MS = 8
AAC = Sound(codec="aac", rate=44_100, samples=100_000)
RATES = (Fraction(25), Fraction(30_000, 1001), Fraction(24_000, 1001), Fraction(60))
LAYOUTS = (
    "",
    "faststart",
    "frag_keyframe",
    "frag_keyframe+empty_moov",
    "frag_keyframe+empty_moov+default_base_moof",
    "frag_keyframe+delay_moov",
    "dash+frag_every_frame",
    "dash+global_sidx+frag_keyframe+empty_moov",
    "dash+global_sidx+frag_keyframe+delay_moov",
)


def film(flags: str = "", muxer: str = "mp4", *, frames: int = 50, **more: object) -> bytes:
    """A film whose frames depend on later ones (B-frames), which delays them and needs an edit list."""
    options = {"movflags": flags} if flags else {}
    codec_options = {"bf": "2", "g": "12"}
    return film_bytes(Film(frames=frames, muxer=muxer, options=options, codec_options=codec_options, **more))  # type: ignore[arg-type]  # as named


def outermost(data: bytes) -> list[str]:
    """The kinds of the outermost boxes, in their order."""
    return [kind for kind, _ in children(memoryview(data), "file")]


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize(
    ("muxer", "flags"), [*(("mp4", flags) for flags in LAYOUTS), *(("mov", flags) for flags in LAYOUTS[:4])]
)
@pytest.mark.parametrize("sound", [None, AAC], ids=["silent", "sound"])
def test_length(rate: Fraction, muxer: str, flags: str, sound: Sound | None) -> None:
    """A film is as long as its packets, whole or in fragments, with its index first or last."""
    data = film(flags, muxer, rate=rate, sound=sound)
    info = probe_bytes(data)
    assert info.duration_ms == pytest.approx(presented_ms(data), abs=TOLERANCE_MS)
    assert (info.container, info.width, info.height, info.video_codec) == (muxer, 64, 48, "h264")
    assert (info.has_video, info.has_audio) == (True, sound is not None)
    assert info.audio_codec == (None if sound is None else "aac")
    assert info.size == len(data)


def test_layouts_are_what_they_are_called() -> None:
    """The files above do differ in where their index stands."""
    assert outermost(film()).index("mdat") < outermost(film()).index("moov")
    first = outermost(film("faststart"))
    assert first.index("moov") < first.index("mdat")
    assert outermost(film("frag_keyframe+empty_moov")).count("moof") > 3
    assert "sidx" in outermost(film("dash+global_sidx+frag_keyframe+empty_moov"))


@pytest.mark.parametrize("codec", ["aac", "alac", "libmp3lame"])
def test_m4a(codec: str) -> None:
    """A sound alone is m4a, whatever its brand, and as long as its track after the edit list."""
    for muxer in ("ipod", "mp4"):
        if (muxer, codec) == ("ipod", "libmp3lame"):
            continue
        data = sound_bytes(Sound(codec=codec, rate=44_100, samples=100_000, muxer=muxer))
        info = probe_bytes(data)
        assert (info.container, info.has_video, info.has_audio) == ("m4a", False, True)
        assert info.audio_codec == codec.removeprefix("lib").removesuffix("lame")
        assert info.duration_ms == pytest.approx(100_000 / 44.1, abs=1)
        assert (info.width, info.height) == (None, None)


def test_other_codecs() -> None:
    """Codecs bear FFmpeg's names."""
    info = probe_bytes(film_bytes(Film(frames=10, codec="mpeg4", muxer="mov", sound=pcm_in_mov())))
    assert (info.video_codec, info.audio_codec, info.container) == ("mpeg4", "pcm_s16le", "mov")


def pcm_in_mov() -> Sound:
    """Uncompressed sound, as QuickTime holds it."""
    return Sound(codec="pcm_s16le", rate=48_000, samples=20_000)


def patched(data: bytes, path: tuple[str, ...], offset: int, new: bytes) -> bytes:
    """The file with other bytes at that offset of the body of the first box at that path."""
    view = memoryview(data)
    body = view
    for wanted in path:
        body = next(body for kind, body in children(body, "any") if kind == wanted)
    start = data.index(bytes(body)) + offset
    return data[:start] + new + data[start + len(new) :]


def matrix(*numbers: int) -> bytes:
    """A matrix `a b u c d v x y w`, given a, b, c and d."""
    a, b, c, d = (number << 16 for number in numbers)
    return b"".join(number.to_bytes(4, "big", signed=True) for number in (a, b, 0, c, d, 0, 0, 0, 1 << 30))


@pytest.mark.parametrize(
    ("turn", "size"),
    [((1, 0, 0, 1), (64, 48)), ((0, 1, -1, 0), (48, 64)), ((-1, 0, 0, -1), (64, 48)), ((0, -1, 1, 0), (48, 64))],
    ids=["upright", "90", "180", "270"],
)
def test_rotation(turn: tuple[int, int, int, int], size: tuple[int, int]) -> None:
    """A telephone's film is stored lying and shown standing: a quarter's turn swaps width and height."""
    info = probe_bytes(patched(film(), ("moov", "trak", "tkhd"), 40, matrix(*turn)))
    assert (info.width, info.height) == size


def test_two_rotations_cancel() -> None:
    """The movie's own matrix turns the turned track back."""
    turned = patched(film(), ("moov", "trak", "tkhd"), 40, matrix(0, 1, -1, 0))
    info = probe_bytes(patched(turned, ("moov", "mvhd"), 36, matrix(0, -1, 1, 0)))
    assert (info.width, info.height) == (64, 48)


def test_length_unknown_to_its_header() -> None:
    """A track whose header says nothing is as long as its samples."""
    data = film(sound=None)
    for unknown in (bytes(4), b"\xff\xff\xff\xff"):
        patient = patched(data, ("moov", "trak", "mdia", "mdhd"), 16, unknown)
        assert probe_bytes(patient).duration_ms == probe_bytes(data).duration_ms == 2_000


def test_a_film_that_was_cut_plays_its_edit_list() -> None:
    """An edit list that leaves half of the film out makes it half as long; an empty edit delays it."""
    data = film()
    half = patched(data, ("moov", "trak", "edts", "elst"), 8, (1_000).to_bytes(4, "big"))
    assert probe_bytes(half).duration_ms == 1_000
    delay = patched(data, ("moov", "trak", "edts", "elst"), 8, (3_000).to_bytes(4, "big") + b"\xff\xff\xff\xff")
    assert probe_bytes(delay).duration_ms == 3_000


def test_an_edit_without_end_plays_on() -> None:
    """Duration 0 in an edit list means all that follows, as in the index of a fragmented film."""
    data = patched(film(), ("moov", "trak", "edts", "elst"), 8, bytes(4))
    assert probe_bytes(data).duration_ms == 2_000


def test_a_disabled_track_is_not_played() -> None:
    """Only an enabled track makes a film longer, unless all are disabled."""
    data = film(frames=25, sound=AAC)
    assert probe_bytes(data).duration_ms == pytest.approx(100_000 / 44.1, abs=TOLERANCE_MS)
    silent = patched(data, ("moov", "trak", "tkhd"), 0, bytes(4))
    assert probe_bytes(silent).has_video, "the only video track plays even if it is disabled"


def test_a_file_with_64_bit_sizes() -> None:
    """A box may give its length in 8 bytes, and the last one none at all."""
    data = film("faststart")
    at = data.index(b"mdat") - 4
    wide = data[:at] + b"\0\0\0\1mdat" + (len(data) - at + 8).to_bytes(8, "big") + data[at + 8 :]
    assert probe_bytes(wide).duration_ms == 2_000
    endless = data[:at] + bytes(4) + data[at + 4 :]
    assert probe_bytes(endless).duration_ms == 2_000


def test_old_quicktime_without_brand() -> None:
    """A file that begins with its index or its media, without `ftyp`, is QuickTime's."""
    data = film("faststart", "mov")
    at = data.index(b"moov") - 4
    assert probe_bytes(data[at:]).container == "mov"


@pytest.mark.parametrize("flags", ["faststart", "frag_keyframe+empty_moov"])
def test_a_film_cut_short_is_refused(flags: str) -> None:
    """The index says 2 s, but the media end before: half a download."""
    data = film(flags, sound=AAC)
    with pytest.raises(UnreadableMedia, match=r"^truncated"):
        probe_bytes(data[: len(data) * 3 // 4])


@pytest.mark.parametrize("junk", [b"\0\0\0\1", b"x" * 7, b"0123456789abcdef" * 9, bytes(100), b"\0\0\0\2junkjunkjunk"])
def test_junk_behind_the_film(junk: bytes) -> None:
    """Players pass over what was left behind the last box, and so do we."""
    for flags in ("", "faststart"):
        assert probe_bytes(film(flags) + junk).duration_ms == 2_000


def test_a_film_without_index_is_refused() -> None:
    """A recorder that crashed leaves media without `moov`; a download that stopped loses it."""
    data = film()
    with pytest.raises(UnreadableMedia, match="without its index"):
        probe_bytes(data[: data.index(b"moov") - 4])


def test_a_lone_fragment_is_refused() -> None:
    """A segment of a stream means nothing without the index in another file."""
    data = film("frag_keyframe+empty_moov")
    with pytest.raises(UnreadableMedia, match="a fragment of an MP4 file"):
        probe_bytes(data[data.index(b"moof") - 4 :])


def test_fragments_that_begin_later() -> None:
    """An empty edit delays the track of a fragmented film; what is shown begins that much later, and is as long."""
    data = film("frag_keyframe+empty_moov", frames=75, sound=AAC)
    edits = (200).to_bytes(4, "big") + b"\xff\xff\xff\xff\0\1\0\0"
    box = (36).to_bytes(4, "big") + b"edts" + (28).to_bytes(4, "big") + b"elst" + bytes(4) + b"\0\0\0\1" + edits
    at = data.index(b"mdia") - 4
    delayed = grown(data, at, box, ("moov", "trak"))
    whole, later = probe_bytes(data).duration_ms, probe_bytes(delayed).duration_ms
    assert whole == pytest.approx(presented_ms(data), abs=TOLERANCE_MS)
    assert later == pytest.approx(3_000 + 80 + 200, abs=TOLERANCE_MS), "the picture ends last, 0.2 s late"


def grown(data: bytes, at: int, new: bytes, parents: tuple[str, ...]) -> bytes:
    """The file with a box more at that offset, which lies in the first boxes of these names."""
    longer = bytearray(data[:at] + new + data[at:])
    for parent in parents:
        start = data.index(parent.encode()) - 4
        longer[start : start + 4] = (int.from_bytes(longer[start : start + 4], "big") + len(new)).to_bytes(4, "big")
    return bytes(longer)


def test_an_announced_length_spares_the_fragments() -> None:
    """`mehd` tells how long all fragments together are."""
    data = film("frag_keyframe+empty_moov")
    movie_header = 1_000  # ticks per second that FFmpeg gives a movie
    box = (16).to_bytes(4, "big") + b"mehd" + bytes(4) + (2 * movie_header).to_bytes(4, "big")
    announced = grown(data, data.index(b"mvex") + 4, box, ("moov", "mvex"))
    assert probe_bytes(announced).duration_ms == 2_000
    broken = announced.replace(b"trun", b"junk")
    assert probe_bytes(broken).duration_ms == 2_000, "the fragments were not needed"


def test_fragments_that_are_missing() -> None:
    """An index that leaves everything to fragments, and then none: a download that stopped early."""
    data = film("frag_keyframe+empty_moov")
    with pytest.raises(UnreadableMedia, match="fragments, none of which is there"):
        probe_bytes(data[: data.index(b"moof") - 4])


@pytest.mark.parametrize(
    ("path", "offset", "new", "message"),
    [
        (("moov", "mvhd"), 12, bytes(4), "0 ticks per second"),
        (("moov", "trak", "mdia", "mdhd"), 12, bytes(4), "0 ticks per second"),
        (("moov", "trak", "edts", "elst"), 4, b"\0\1\0\0", "claims 65536 edits"),
        (("moov", "trak", "edts", "elst"), 4, b"\0\0\0\2", "elst box is too short"),
        (("moov", "trak", "mdia", "minf", "stbl", "stts"), 4, b"\xff\xff\xff\xff", "stts box is too short"),
    ],
)
def test_lies_of_the_index(path: tuple[str, ...], offset: int, new: bytes, message: str) -> None:
    """Numbers that cannot be are refused by the box that they stand in."""
    with pytest.raises(UnreadableMedia, match=message):
        probe_bytes(patched(film(), path, offset, new))


@pytest.mark.parametrize(("box", "message"), [(b"mvhd", "its index has no header"), (b"mdhd", "a track has no header")])
def test_a_missing_header(box: bytes, message: str) -> None:
    """Without its header an index or a track means nothing."""
    with pytest.raises(UnreadableMedia, match=message):
        probe_bytes(film().replace(box, b"junk"))


def test_no_track_of_picture_or_sound() -> None:
    """Subtitles alone are no media for a lip-sync."""
    with pytest.raises(UnreadableMedia, match="without picture and sound"):
        probe_bytes(film().replace(b"vide", b"text"))


def test_too_many_tracks() -> None:
    """More tracks than any player would look at."""
    data = film("faststart")
    tracks = ((8).to_bytes(4, "big") + b"trak") * 40
    with pytest.raises(UnreadableMedia, match="claims 41 tracks"):
        probe_bytes(grown(data, data.index(b"moov") + 4, tracks, ("moov",)))


def test_what_is_not_said_stays_unknown() -> None:
    """Without sample descriptions the codec is None, and the size is the one that the track is shown at."""
    info = probe_bytes(film(sound=AAC).replace(b"stsd", b"junk"))
    assert (info.video_codec, info.audio_codec, info.width, info.height) == (None, None, 64, 48)
    assert probe_bytes(film(sound=AAC).replace(b"esds", b"junk")).audio_codec == "aac"
