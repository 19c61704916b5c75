"""What can be set about a sandbox, and how it answers where Kling's documents are silent."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from pathlib import Path

from attrs import evolve, field, fields_dict, frozen
from attrs.converters import optional
from attrs.validators import ge, gt

from kling_lipsync.sandbox.dialect import (
    Answers,
    Dialect,
    Errors,
    Gateway,
    Numbers,
    QueryPath,
    Spelling,
    VolumeField,
    Words,
)
from kling_lipsync.sandbox.gateways import DIALECTS

DAY = 24 * 3600.0
MIB = 1024 * 1024


class Duplicates(Enum):
    """What a create with an ``external_task_id`` that the account has used already gets."""

    REFUSE = "refuse"
    RETURN_OLD = "return-old"
    ALLOW = "allow"


class ListOrder(Enum):
    """The order of a list of tasks, by the time they were created."""

    NEWEST_FIRST = "newest-first"
    OLDEST_FIRST = "oldest-first"
    SHUFFLED = "shuffled"


class SizeCounted(Enum):
    """Whether the 5 MB of a sound sent inline are counted before or after base64."""

    DECODED = "decoded"
    ENCODED = "encoded"


def _spellings(names: Collection[Spelling | str]) -> frozenset[Spelling]:
    return frozenset(Spelling(name) for name in names)


@frozen(kw_only=True)
class Settings:
    """The sandbox's settings; every time is in seconds.

    ``speed`` divides how long identify, speech and tasks take. Lifetimes and the timestamps in answers stay real.
    Where an enumeration is wanted, its value (``"cometapi"``) does as well.
    """

    # How long things take, and how many may run.
    slots: int = field(default=5, validator=ge(1))
    speed: float = field(default=1.0, validator=gt(0))
    identify_seconds: float = field(default=15.0, validator=ge(0))
    speech_seconds: float = field(default=2.0, validator=ge(0))
    task_seconds: float = field(default=240.0, validator=ge(0))
    """The median of a lognormal distribution, whose spread is ``task_sigma``: 0 means exactly the median."""
    task_sigma: float = field(default=0.4, validator=ge(0))
    seed: int = 0

    # How long things live.
    session_lifetime: float = field(default=DAY, validator=gt(0))
    asset_lifetime: float = field(default=30 * DAY, validator=gt(0))
    """Age at which results, speech and ``video_id`` are gone."""
    result_url_lifetime: float = field(default=30 * DAY, validator=gt(0))
    """How long one signed URL opens its file; each query signs anew."""

    # Who may come in. With neither keys nor a pair, any Bearer key is an account of its own.
    api_keys: frozenset[str] = field(default=frozenset(), converter=frozenset)
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    callback_secret: str | None = field(default=None, repr=False)
    """Signs callbacks by Standard Webhooks (``whsec_…``); without it they are not signed."""

    # Media.
    media: Path | None = field(default=None, converter=lambda value: None if value is None else Path(value))
    threads: bool = True
    """False: media work runs inline, for virtual time."""
    stand_in: bool = False
    """True: a URL that cannot be fetched is taken to be the sample clip or sound."""

    # Where the documents are silent; the default is what is documented or likeliest.
    duplicates: Duplicates = field(default=Duplicates.REFUSE, converter=Duplicates)
    list_order: ListOrder = field(default=ListOrder.NEWEST_FIRST, converter=ListOrder)
    list_delay: float = field(default=0.0, validator=ge(0))
    """How late a new task shows up in the list."""
    size_counted: SizeCounted = field(default=SizeCounted.DECODED, converter=SizeCounted)
    no_face_is_empty: bool = False
    """True: a video without a face answers an empty ``face_data`` instead of a refusal."""
    charge_no_face: bool = False
    identify_takes_slot: bool = False
    refuse_early: bool = False
    """True: a create that finds no free slot is refused before its body is read."""
    refused_audio: frozenset[str] = field(default=frozenset(), converter=frozenset)
    """Sound formats (``mp3 wav m4a aac``) that are refused although they are documented."""
    refuse_unknown_fields: bool = False
    callback_copies: int = field(default=1, validator=ge(1))
    callback_reorder: bool = False
    """True: the news of the start is sent after the news of the end."""
    face_end_excess_ms: int = field(default=20, validator=ge(0))
    """By how much ``end_time`` of a face is over-reported; the rule of overlap is held to the true end."""
    pack_units: float = field(default=10_000.0, validator=gt(0))
    costs_lag: float = field(default=DAY / 2, validator=ge(0))

    # Who answers, and how. None: as that gateway's own document has it; `Dialect` explains each of them.
    gateway: Gateway = field(default=Gateway.OFFICIAL, converter=Gateway)
    answers: Answers | None = field(default=None, converter=optional(Answers))
    created: Answers | None = field(default=None, converter=optional(Answers))
    errors: Errors | None = field(default=None, converter=optional(Errors))
    words: Words | None = field(default=None, converter=optional(Words))
    spellings: frozenset[Spelling] | None = field(default=None, converter=optional(_spellings))
    """These and no others."""
    lists: bool | None = None
    find_external_ids: bool | None = None
    query_path: QueryPath | None = field(default=None, converter=optional(QueryPath))
    one_key: bool | None = None
    numbers: Numbers | None = field(default=None, converter=optional(Numbers))
    volume_field: VolumeField | None = field(default=None, converter=optional(VolumeField))

    # Bounds.
    body_bytes: int = field(default=16 * MIB, validator=gt(0))
    keep_sessions: int = field(default=10_000, validator=ge(1))
    """Sessions kept for an account; the oldest goes first."""
    keep_tasks: int = field(default=100_000, validator=ge(1))
    """Tasks kept for an account; the oldest that has ended goes first. Speech and accounts have the same bound."""
    cache_bytes: int = field(default=4096 * MIB, validator=gt(0))
    """Bytes of fetched and made files kept on disk; the least recently used goes first."""

    dialect: Dialect = field(init=False, repr=False, eq=False)
    """The gateway's, with what is set otherwise here."""

    @dialect.default
    def _spoken(self) -> Dialect:
        shared = fields_dict(Dialect).keys() & fields_dict(Settings).keys()
        chosen = {name: getattr(self, name) for name in shared if getattr(self, name) is not None}
        return evolve(DIALECTS[self.gateway], **chosen)
