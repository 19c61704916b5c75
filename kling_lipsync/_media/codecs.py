"""FFmpeg's names for the codecs that containers abbreviate."""

from __future__ import annotations

FOUR_LETTERS = {
    ".mp3": "mp3",
    "Opus": "opus",
    "ac-3": "ac3",
    "alac": "alac",
    "alaw": "pcm_alaw",
    "ap4h": "prores",
    "apch": "prores",
    "apcn": "prores",
    "apco": "prores",
    "apcs": "prores",
    "av01": "av1",
    "avc1": "h264",
    "avc3": "h264",
    "ec-3": "eac3",
    "fLaC": "flac",
    "hev1": "hevc",
    "hvc1": "hevc",
    "jpeg": "mjpeg",
    "mp4v": "mpeg4",
    "samr": "amr_nb",
    "sowt": "pcm_s16le",
    "twos": "pcm_s16be",
    "ulaw": "pcm_mulaw",
    "vp08": "vp8",
    "vp09": "vp9",
}
"""By sample entry of an ISO file. `mp4a` is missing: an object type inside tells what it is."""

OBJECT_TYPES = {0x40: "aac", 0x66: "aac", 0x67: "aac", 0x68: "aac", 0x69: "mp3", 0x6B: "mp3"}
"""By object type indication of ISO 14496-1; 0x69 and 0x6B are MPEG-2 and MPEG-1 audio."""

WAVE_FORMATS = {
    0x0002: "adpcm_ms",
    0x0006: "pcm_alaw",
    0x0007: "pcm_mulaw",
    0x0011: "adpcm_ima_wav",
    0x0031: "gsm_ms",
    0x0055: "mp3",
    0x00FF: "aac",
}
"""By format tag of a WAVE file; PCM (1) and floating point (3) are named after their sample size."""


def wave_codec(format_tag: int, bits: int) -> str | None:
    """The codec of a WAVE file, None where the format tag is not known."""
    if format_tag == 1:
        return "pcm_u8" if bits <= 8 else f"pcm_s{bits}le"
    if format_tag == 3:
        return f"pcm_f{bits}le"
    return WAVE_FORMATS.get(format_tag)
