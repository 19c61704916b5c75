"""Speech without a voice: a pattern of tones, one for each syllable of the text."""

from __future__ import annotations

import array
import csv
import math
import re
from functools import cache
from pathlib import Path

import av
from av.audio.frame import AudioFrame

RATE = 22_050
SYLLABLE_MS = 200
"""The time of one syllable at speed 1; a gap between words or at a full stop takes as long as one."""

LONGEST_MS = 60_000
PITCHES_HZ = (196.0, 220.0, 246.9, 261.6, 293.7, 329.6)
VOWELS = re.compile(r"[aeiouyäöüáéíóúàèìòùâêîôû]+", re.IGNORECASE)
WORDS = re.compile(r"[^\W\d_]+|\d", re.UNICODE)


@cache
def voices() -> frozenset[tuple[str, str]]:
    """The pairs of voice id and language that exist."""
    with (Path(__file__).parent / "voices.csv").open(encoding="utf-8", newline="") as lines:
        return frozenset((row["voice_id"], row["voice_language"]) for row in csv.DictReader(lines))


def syllables(text: str) -> list[int]:
    """How many syllables each word of the text has: an ideogram or a digit is one."""
    return [_count(word) for word in WORDS.findall(text)]


def _count(word: str) -> int:
    ideograms = sum(1 for letter in word if "\u3400" <= letter <= "\u9fff")
    return ideograms or max(1, len(VOWELS.findall(word)))


def speak(text: str, speed: float, into: Path) -> None:
    """Writes an mp3 whose length follows from the text's syllables and the speed, at most a minute."""
    samples = _pattern(text, round(RATE * SYLLABLE_MS / 1000 / speed))
    with av.open(str(into), "w", format="mp3") as result:
        stream = result.add_stream("libmp3lame", rate=RATE, layout="mono", bit_rate=64_000)
        frame = AudioFrame(format="s16", layout="mono", samples=len(samples))
        frame.rate, frame.pts = RATE, 0
        frame.planes[0].update(samples.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=RATE)
        for converted in [*resampler.resample(frame), *resampler.resample(None)]:
            result.mux(stream.encode(converted))
        result.mux(stream.encode(None))


def _pattern(text: str, syllable_samples: int) -> array.array[int]:
    silence = array.array("h", bytes(2 * syllable_samples))
    tones = [_tone(pitch, syllable_samples) for pitch in PITCHES_HZ]
    pattern = array.array("h")
    for number, count in enumerate(syllables(text)):
        for syllable in range(count):
            pattern += tones[(number + syllable) % len(tones)]
        pattern += silence[: syllable_samples // 2]
    pattern += silence
    return pattern[: RATE * LONGEST_MS // 1000 - RATE // 10]


def _tone(pitch: float, samples: int) -> array.array[int]:
    """One syllable: it swells and fades."""
    swell = (9000 * math.sin(math.pi * at / samples) for at in range(samples))
    return array.array("h", (int(loud * math.sin(2 * math.pi * pitch * at / RATE)) for at, loud in enumerate(swell)))
