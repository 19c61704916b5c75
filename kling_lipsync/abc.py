"""The contracts: what a transport, a clock, a journal and callbacks promise, each raise included."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol, TypeVar

from attrs import field, frozen

from .events import Event, Outcome
from .models import FaceSession, Status

SomeEvent = TypeVar("SomeEvent", bound=Event)


class Clock(Protocol):
    """Time, injected everywhere so that tests can move it."""

    def wall(self) -> float:
        """Unix time in seconds; may jump when the machine's clock is set."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back; the time that ``anyio.sleep`` sleeps on."""


class Body(Protocol):
    """A request's body, written in slices as it is sent; a second send starts over."""

    @property
    def length(self) -> int:
        """Its exact length in bytes."""

    @property
    def content_type(self) -> str:
        """Its media type."""

    def slices(self) -> Iterator[bytes]:
        """The body from its beginning, in pieces of at most some hundred KB.

        Raises OSError where a file cannot be read.
        """


@frozen(kw_only=True)
class Request:
    """One HTTP request, complete but for the connection.

    ``read_timeout`` is in seconds, ``largest_answer`` in bytes.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: Body | None = field(default=None, repr=False)
    read_timeout: float = 60.0
    largest_answer: int = 16 * 1024 * 1024


@frozen(kw_only=True)
class Response:
    """One HTTP answer, read to its end; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = field(default=b"", repr=False)


class Transport(Protocol):
    """Carries one request; knows HTTP, never Kling."""

    async def send(self, request: Request) -> Response:
        """The answer, whatever its status; redirects are not followed.

        Raises ``NotSent`` where the request surely did not leave whole, ``AnswerLost`` for everything else that goes
        wrong on the way, an answer larger than ``request.largest_answer`` among it. Anything else that a foreign
        transport raises is taken as ``AnswerLost``.
        """

    async def aclose(self) -> None:
        """Closes what this transport opened itself."""


class Pacer(Protocol):
    """Says when the next request may leave."""

    async def wait(self) -> None:
        """Returns when it is this request's turn.

        Raises ``JournalError`` where the pace is kept in a journal that fails.
        """


class Callbacks(Protocol):
    """News of tasks that Kling sends by itself: a hint to look again, never the truth."""

    def subscribe(self, wake: Callable[[str], None]) -> Callable[[], None]:
        """Has ``wake`` called with the task's id for each genuine callback, until what is given back is called.

        ``wake`` is called in the event loop in which this was called: at once where that loop serves the request, soon
        where another does. What it raises is logged, never answered to the sender.
        """


class NoSlot(Exception):
    """The journal holds as many slots as the ceiling allows; the event was not written."""


@frozen
class Claim:
    """The right to write about one job, held by one owner."""

    key: str
    owner: str


@frozen(kw_only=True)
class Admission:
    """What the journal knows of a job as it is claimed: its events so far, whether its settings differ from those it
    was first given with, and the face session that it keeps for the job's video, with the Unix time it was made.

    ``foreign``: the journal has passed to another account since the last of the events, so that ids in them may mean
    nothing any more.
    """

    claim: Claim
    events: tuple[Event, ...]
    changed: bool = False
    foreign: bool = False
    session: tuple[FaceSession, float] | None = None


@frozen(kw_only=True)
class JobRow:
    """One job as the journal keeps it, without its events.

    ``settings`` is what may not change; ``file`` is where its result was put, if it was; ``has_error`` says whether
    its outcome tells of an error; ``read_outcome`` is asked for the outcome once, when it is wanted, ``read_plain`` for
    it in values that JSON has, what has its default left out.
    """

    key: str
    settings: str
    version: int
    attempt: int
    status: Status
    holds_slot: bool
    file: str | None
    has_error: bool
    read_outcome: Callable[[], Outcome | None] = field(eq=False, repr=False)
    read_plain: Callable[[], Mapping[str, Any] | None] = field(eq=False, repr=False)

    @cached_property
    def outcome(self) -> Outcome | None:
        """How the job stands, ``None`` before its first event. Raises ``JournalError`` where it cannot be read."""
        return self.read_outcome()


@frozen(kw_only=True)
class Totals:
    """A journal in numbers: jobs by status, slots held, units spent, reserved by running tasks, and in doubt; and the
    ``seq`` of its last event and the Unix time it was written at (0 where there is none).

    A job whose create has left without an answer so far counts as running while its owner works on it, and so does what
    it reserves; as in doubt once its run has left it there, or its owner is dead. (Its row says ``in_doubt`` from its
    intent on: that is how it would stand if the power failed.)
    """

    jobs: Mapping[Status, int]
    slots: int
    spent: Decimal
    reserved: Decimal
    in_doubt: Decimal
    last_seq: int = 0
    last_at: float = 0.0


class JournalReader(Protocol):
    """What a journal tells. Every method raises ``JournalError`` where it cannot be read."""

    async def events(self, *, after: int = 0, key: str | None = None) -> Sequence[Event]:
        """Up to 1000 events in order, those after ``seq`` ``after`` (exclusive), of one job or of all."""

    def rows(self) -> AsyncIterator[JobRow]:
        """Every job in the order it was first given."""

    async def row(self, key: str) -> JobRow | None:
        """One job, or ``None`` where the journal does not know it."""

    async def rows_of(self, keys: Sequence[str]) -> dict[str, JobRow]:
        """Those of ``keys`` that the journal knows; cheap for many at once."""

    async def holders(self) -> Sequence[JobRow]:
        """The jobs that hold a slot."""

    async def dead_claims(self) -> Sequence[JobRow]:
        """The jobs that need somebody and have nobody: they hold a slot, run, or had a request under way, and their
        owner is dead or gave them back. Whoever admits one goes on with it. Cheap where there are none.
        """

    async def told(self, after: int) -> Sequence[tuple[int, str]]:
        """The ids of tasks that ``tell`` was given, each after its number, from number ``after`` (exclusive) on."""

    async def unclaimed(self, keys: Sequence[str]) -> Sequence[str]:
        """Those of ``keys`` that no living owner has claimed."""

    async def keys_of(self, external_task_ids: Sequence[str]) -> dict[str, str]:
        """The keys of the jobs by the external task ids that were ever intended for them; unknown ids are left out."""

    async def kept_job(self, key: str) -> str | None:
        """What ``keep_job`` kept of a job that has not ended, or ``None``."""

    async def kept_keys(self) -> Sequence[str]:
        """The keys of all jobs that are kept, in the order they were first given."""

    async def session(self, video: str) -> tuple[FaceSession, float] | None:
        """The face session kept for a video and the Unix time it was made, or ``None``."""

    async def totals(self) -> Totals:
        """The journal in numbers."""


class Journal(JournalReader, Protocol):
    """Keeps the events, and counts claims, slots, pace and money; belongs to one account.

    Several owners may have one journal open at a time: each opened one is an owner, in this process or in another,
    until ``aclose`` or the end of its process. Every method raises ``JournalError`` where the journal cannot be read or
    written.
    """

    @property
    def journal_id(self) -> str:
        """The journal's own random id, from which external task ids are derived."""

    async def open(self, account: str) -> None:
        """Opens it for ``account`` (a string that names gateway, host and credential, without the secret).

        Raises ``JournalError`` where it is corrupt, foreign, newer, not writable, on a disk that cannot lock, or
        belongs to another account and has open jobs or living owners.
        """

    async def aclose(self) -> None:
        """Gives the claims back and closes the file."""

    async def admit(self, key: str, settings: str, video: str | None = None) -> Admission:
        """Claims the job, adding it if it is new.

        ``settings`` is compared with what it was first given; ``video`` is the name under which its video's face
        session would be kept. Raises ``ClaimLost`` where a living owner has it.
        """

    async def release(self, claim: Claim, *, ended: bool = False) -> None:
        """Gives a claim back, so that any owner may admit the job; a claim given back already is ignored.

        ``ended``: nothing is left to do for the job, and what ``keep_job`` kept of it is dropped. Cancelling the caller
        does not stop it.
        """

    async def replace_settings(self, claim: Claim, settings: str) -> None:
        """Takes new settings for a job that has neither a running task, a result nor a doubt. Raises ``ClaimLost``."""

    async def append(
        self,
        claim: Claim,
        *events: SomeEvent,
        after: int,
        outcome: Outcome,
        ended: bool = False,
        slots: int | None = None,
        budget: Decimal | None = None,
    ) -> tuple[SomeEvent, ...]:
        """Writes ``events``, all or none, if the job's last version is ``after``, and gives them back with their
        ``seq``, ``key``, ``at`` and ``version``.

        ``outcome`` is how the job stands once they are written; ``ended``: nothing is left to do for it, and it is
        given back with them, as by ``release``. For an event that takes a slot, the claim, the ceiling
        ``slots``, the ``budget`` and the events are one transaction, over the jobs of all owners. They are on disk when
        this returns. Raises ``ClaimLost``, ``NoSlot``, ``BudgetExceeded``, and ``InvalidJob`` for an intent whose
        external task id is that of another job.
        """

    async def slots_of_others(self) -> int:
        """How many slots are held by jobs that this owner has not claimed."""

    async def keep_job(self, key: str, settings: str, job: str) -> None:
        """Adds the job if it is new, and keeps ``job``, which tells all of it, until it has ended."""

    async def keep_session(self, video: str, session: FaceSession, made_at: float) -> None:
        """Keeps a face session for other jobs on the same video, and for the next run; cancelling the caller does not
        stop it.
        """

    async def tell(self, task_id: str) -> None:
        """Lets all owners know that there is news of a task; the last few hundred are kept."""

    async def wait_for_others(self, timeout: float) -> bool:  # noqa: ASYNC109 - its end is an answer, not a failure
        """Whether another owner has written anything since this was last asked: ``True`` as soon as one has, ``False``
        after ``timeout`` seconds. For one caller at a time: what it was told, another is not told again.
        """

    def pacer(self, rate: float | None) -> Pacer:
        """Lets at most ``rate`` requests leave per second over all owners on the journal; ``None`` does not pace."""
