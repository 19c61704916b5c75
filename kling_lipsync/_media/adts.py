"""AAC in ADTS frames (ISO 13818-7, 6.2): no header of the file tells the length, so the frames are counted."""

from __future__ import annotations

from .frames import Frame, Sync, count_samples
from .info import MediaInfo, Steps
from .reader import Reader

RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
SAMPLES_IN_A_BLOCK = 1024


def parse_adts(data: bytes) -> Frame | None:
    """Reads an ADTS header; None where the bytes are none."""
    if len(data) < 7 or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return None
    rate_index = data[2] >> 2 & 0xF
    length = (data[3] & 0x03) << 11 | data[4] << 3 | data[5] >> 5
    if rate_index >= len(RATES) or length < 7:
        return None
    blocks = 1 + (data[6] & 0x03)
    version, profile = data[1] & 0x08, data[2] & 0xFC
    return Frame(length, blocks * SAMPLES_IN_A_BLOCK, RATES[rate_index], ("adts", version, profile))


def read_adts(reader: Reader, first: Sync) -> Steps[MediaInfo]:
    """Counts the frames from the first one on."""
    _, samples = yield from count_samples(reader, first, parse_adts)
    return MediaInfo(
        container="aac",
        duration_ms=samples * 1000 // first.frame.rate,
        size=reader.size,
        has_audio=True,
        audio_codec="aac",
    )
