"""The numbers of Kling's contracts, from its documentation of identify-face, advanced-lip-sync and speech."""

from __future__ import annotations

from attrs import evolve, field, frozen

MIB = 1024 * 1024


@frozen
class Range:
    """All numbers from ``low`` to ``high``, both included; never NaN."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"


@frozen
class SizeLimit:
    """A limit that the documents give in "MB", in bytes.

    Up to ``sure`` a file is small enough however MB are counted; above ``most`` it is too large however they are.
    """

    sure: int
    most: int

    @property
    def inline(self) -> SizeLimit:
        """The limit for a file that travels as base64, which is a third longer: nobody says which of the two counts."""
        return SizeLimit(self.sure * 3 // 4, self.most)

    def __str__(self) -> str:
        return f"{self.most // MIB} MB ({self.most} bytes)"


@frozen(kw_only=True)
class Contract:
    """What a kind of gateway takes: durations in ms, sizes in bytes, sides in pixels, lengths of text in characters.

    ``lacks`` names the fields of a job that it has no place for.
    """

    video_containers: tuple[str, ...] = ("mp4", "mov")
    video_ms: Range = Range(2_000, 60_000)
    video_bytes: SizeLimit = SizeLimit(100_000_000, 100 * MIB)
    side_px: Range = Range(512, 2160)
    short_sides_px: tuple[int, ...] = (720, 1080)
    sound_containers: tuple[str, ...] = ("mp3", "wav", "m4a", "aac")
    sound_ms: Range = Range(2_000, 60_000)
    sound_bytes: SizeLimit = SizeLimit(5_000_000, 5 * MIB)
    volume: Range = Range(0, 2)
    text_length: Range = Range(1, 1000)
    speed: Range = Range(0.8, 2.0)
    languages: tuple[str, ...] = ("zh", "en")
    takes_audio_id: bool = True
    lacks: frozenset[str] = field(default=frozenset())

    @property
    def has_timing(self) -> bool:
        """Whether it takes a crop of the sound and its place in the video, so that a job needs a plan."""
        return "sound_insert_ms" not in self.lacks


TWO_STEP = Contract()
"""identify-face, then advanced-lip-sync."""

ONE_STEP = evolve(
    TWO_STEP,
    video_ms=Range(2_000, 10_000),
    text_length=Range(1, 120),
    takes_audio_id=False,
    lacks=frozenset(
        {
            "face",
            "sound_start_ms",
            "sound_end_ms",
            "sound_insert_ms",
            "sound_volume",
            "original_audio_volume",
            "watermark",
            "external_task_id",
        }
    ),
)
"""The older lip-sync, which takes a video and a sound or a text, and nothing else."""
