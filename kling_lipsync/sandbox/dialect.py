"""How a gateway differs from Kling: everything that a gateway's document or its code says otherwise, as data."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from kling_lipsync.sandbox.model import Family


class Gateway(Enum):
    """Whom the sandbox plays."""

    OFFICIAL = "official"
    OFFICIAL_CN = "official-cn"
    COMETAPI = "cometapi"
    CHAINHUB = "chainhub"
    YUTO = "yuto"
    EZMODEL = "ezmodel"


class Answers(Enum):
    """What tasks are answered in: Kling's envelope, a gateway's own task around it, or a video object like OpenAI's."""

    KLING = "kling"
    TASK = "task"
    VIDEO = "video"


class Errors(Enum):
    """What a refusal looks like."""

    KLING = "kling"
    KLING_200 = "kling-200"
    """Kling's envelope under HTTP 200."""
    OPENAI = "openai"
    """``{"error": {message, type, param, code}}``"""
    OPENAI_BARE = "openai-bare"
    """``{message, type, param, code}``"""
    NESTED = "nested"
    """Kling's envelope as a text within ``{"code": "fail_to_fetch_task", "message": …}``."""
    WRAPPED = "wrapped"
    """Kling's envelope two objects deep in ``{"message": …, "data": {"data": …, "message": …}}``."""
    NUMERIC = "numeric"
    """``{code, message, error}`` whose code is the HTTP status: Kling's own code is lost."""
    HTML = "html"
    """A proxy's page."""


class Words(Enum):
    """The vocabulary for where a task is."""

    KLING = "kling"
    NEWER = "newer"
    """Kling's newer API: ``succeeded``."""
    TASK = "task"
    """``SUBMITTED IN_PROGRESS SUCCESS FAILURE``"""
    UPPER = "upper"
    """``SUBMITTED PROCESSING SUCCESS FAILED``"""
    VIDEO = "video"
    """``queued in_progress completed failed``"""
    ODD = "odd"
    """Kling's at the end; before it nothing at all, and then a word of no document."""


class Spelling(Enum):
    """One way to write a part of an answer otherwise than Kling does; several apply in this order."""

    LEAN = "lean"
    """No deductions, no ``task_info``, no ``watermark_info``, no empty message or URL."""
    SUCCESS_MESSAGE = "success-message"
    """A task that succeeded has the message ``success``."""
    RESULT_LIST = "result-list"
    """``task_result`` is an empty array before there is a result."""
    RESULT_ABSENT = "result-absent"
    """``task_result`` is not there before there is a result."""
    FACE_LIST = "face-list"
    """``face_list`` instead of ``face_data``."""
    SECONDS = "seconds"
    """``created_at`` and ``updated_at`` in seconds."""
    TEXT_TIMES = "text-times"
    """Every time is a string."""
    TEXT_CODE = "text-code"
    """The code of a success is ``"0"``."""
    SUCCESS_CODE = "success-code"
    """The code of a success is ``"success"``."""
    NO_REQUEST_ID = "no-request-id"
    URL_AS_REASON = "url-as-reason"
    """In a gateway's own task, ``fail_reason`` of one that succeeded is the URL of its result."""


class QueryPath(Enum):
    """Where a two-step task is found by its id."""

    OWN = "own"
    """Under ``advanced-lip-sync``, where it was created."""
    LIP_SYNC = "lip-sync"
    """Under ``lip-sync`` only."""
    BOTH = "both"


class Numbers(Enum):
    """How a create may write its numbers."""

    NUMBERS = "numbers"
    TEXTS = "texts"
    """Times only as strings of digits."""
    EITHER = "either"


class VolumeField(Enum):
    """What the volume of the video's own sound is called in a create; what is not understood is ignored."""

    AUDIO = "original_audio_volume"
    SOUND = "original_sound_volume"
    EITHER = "either"

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are understood, the better one first."""
        both = (VolumeField.AUDIO.value, VolumeField.SOUND.value)
        return both if self is VolumeField.EITHER else (self.value,)


@frozen(kw_only=True)
class Operation:
    """A method of a path: ``name`` is its endpoint in faults and statistics, ``under`` the product whose path it is."""

    method: str
    path: str
    name: str
    under: Family = Family.ADVANCED


@frozen(kw_only=True)
class Dialect:
    """One gateway's HTTP API, as far as it is not Kling's."""

    prefixes: tuple[str, ...]
    """What the paths begin with; the first one belongs to the base URL that clients are given."""
    operations: tuple[Operation, ...]
    takes_jwt: bool = False
    """Whether a token signed with a secret key is let in; else only API keys are."""
    message: str = "SUCCEED"
    """The message of a success."""

    answers: Answers = Answers.KLING
    created: Answers | None = None
    """What a create is answered in; None: a video where all tasks are videos, and else Kling's envelope."""
    errors: Errors = Errors.KLING
    words: Words | None = None
    """None: those that go with ``answers``."""
    spellings: frozenset[Spelling] = frozenset()

    lists: bool = False
    query_path: QueryPath = QueryPath.OWN
    find_external_ids: bool = False
    one_key: bool = False
    """Whether identify refuses a body with both keys of a video, even where one of them is empty."""
    numbers: Numbers = Numbers.NUMBERS
    volume_field: VolumeField = VolumeField.AUDIO
    needs_language: bool = False
    """Whether a one-step text must name its ``voice_language``."""

    def answers_to(self, name: str) -> Answers:
        """What the endpoint of this name answers in."""
        if name in CREATES:
            return self.created or (Answers.VIDEO if self.answers is Answers.VIDEO else Answers.KLING)
        return self.answers if name in QUERIES | LISTS else Answers.KLING


CREATES = frozenset({"create", "one_step_create"})
QUERIES = frozenset({"query", "one_step_query"})
LISTS = frozenset({"list", "one_step_list"})
"""Endpoints whose answers are about tasks."""
