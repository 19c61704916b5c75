"""Whatever happens between a client and Kling, one attempt buys one task: played by Hypothesis, without a loop.

The steps of a job are the real ones. They run as bare coroutines: each of their requests and sleeps is handed to the
machine below, which answers it, loses it, or lets the process die there.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from typing import Any, cast

import anyio
import pytest
from attrs import evolve
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kling_lipsync import events as ev
from kling_lipsync._workflow import reconcile as reconciling
from kling_lipsync._workflow.state import JobState, Step
from kling_lipsync._workflow.steps import perform
from kling_lipsync.errors import (
    AccountError,
    AnswerLost,
    ErrorRecord,
    InvalidRequest,
    KlingError,
    NotSent,
    ProtocolError,
    RateLimited,
    ServerError,
    SlotsFull,
)
from kling_lipsync.gateways import Gateway
from kling_lipsync.models import Audio, Face, FaceSession, Interval, Job, Plan, Status, TaskStatus, Video
from kling_lipsync.sandbox import Duplicates

from .playing import AGES, GRACE, LATEST_CREATE, LATEST_IN_LIST, Asked, Kling, ask_to_sleep, context_over

PAGE = 3
"""Tasks on a page of the list, so that a few of them fill several."""

JOB = Job(key="k", video=Video.from_url("https://x/v.mp4"), audio=Audio.from_url("https://x/a.mp3"))
FACE = Face(face_id="0", interval=Interval(0, 8000))
PREPARED: list[ev.Event] = [
    ev.Checked(video_duration_ms=8000, sound_duration_ms=4000),
    ev.FacesIdentified(session=FaceSession(session_id="77", faces=(FACE,)), made_at=1.0, units=Decimal("0.05")),
    ev.FaceChosen(face=FACE, reason="the only one"),
    ev.Planned(plan=Plan(0, 4000, 0)),
]
"""What happens to a job before anything is bought."""

SURELY_NOT_TAKEN = (
    SlotsFull("full", code=1303),
    RateLimited("slower", code=1302),
    ServerError("closed", code=5001),
    AccountError("the pack is used up", code=1102),
    NotSent("refused"),
)
DELAYS = st.sampled_from([None, 0.0, LATEST_CREATE, GRACE + 5.0, AGES])
"""After how many seconds a create arrives that nobody waits for; ``None``: never. Cut to what that Kling allows."""

PERHAPS_TAKEN = (AnswerLost("gone"), ServerError("oops", code=5000), ProtocolError("<html>"))

WAYS_TO_LOOK = (
    (True, True, False),
    (True, False, True),
    (False, False, True),
    (True, False, False),
    (False, False, False),
)
"""Whether a gateway finds external ids, whether its profile promises that, and whether it has a list."""


class Played(RuleBasedStateMachine):
    """One job, its journal, the process that may die at any moment, and Kling."""

    guarded = True
    """Whether Kling may be one that takes no second task of one external id."""

    @initialize(
        looks=st.sampled_from(WAYS_TO_LOOK),
        newest=st.booleans(),
        duplicates=st.sampled_from(Duplicates),
        older=st.integers(0, 2 * PAGE),
        words=st.sampled_from(["external_task_id: already exists", "session: no", "invalid parameter"]),
    )
    def begin(
        self, looks: tuple[bool, bool, bool], newest: bool, duplicates: Duplicates, older: int, words: str
    ) -> None:
        """Any Kling, with some older tasks of others."""
        finds, promised, lists = looks
        self.kling = Kling(
            finds_external_ids=finds,
            lists_tasks=lists,
            newest_first=newest,
            duplicates=duplicates if self.guarded else Duplicates.ALLOW,
            words=words,
        )
        gateway = Gateway(name="any", finds_external_ids=promised, lists_tasks=lists)
        self.context = context_over(self.kling, gateway)
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(anyio, "sleep", ask_to_sleep)
        self.patch.setattr(reconciling, "LARGEST_PAGE", PAGE)
        self.patch.setattr(reconciling, "BETWEEN_LOOKS", GRACE / 2)
        self.patch.setattr(reconciling.logger, "disabled", True)
        self.journal: list[ev.Event] = []
        self.state = JobState(key=JOB.key)
        self.running = False
        self.coroutine: Coroutine[Asked, Any, ev.Event] | None = None
        self.asked: Asked | None = None
        self.unwritten: ev.Event | None = None
        self.others_buy("older", older)
        self.kling.pass_time(AGES)
        self.write_all(PREPARED)

    def write(self, event: ev.Event) -> None:
        """What is on disk survives; a fact that pauses ends the job's turn."""
        version = self.state.version + 1
        event = evolve(event, key=JOB.key, version=version, seq=version, at=self.kling.now)
        self.journal.append(event)
        self.state = self.state.apply(event)
        self.running = self.running and not event.pauses

    def write_all(self, events: Sequence[ev.Event]) -> None:
        for event in events:
            self.write(evolve(event, attempt=self.state.attempt))

    def settled(self) -> bool:
        """Whether nothing is left to do but to watch."""
        return self.state.next_step in (Step.WATCH, Step.DONE)

    def perform(self, state: JobState) -> Coroutine[Asked, Any, ev.Event]:
        """The step that is next."""
        return perform(self.context, state.next_step, JOB, state)

    def hear(self, answer: Any = None, error: KlingError | None = None) -> None:
        """Lets the step go on until it asks again, or has its fact."""
        assert self.coroutine is not None
        self.asked = None
        try:
            self.asked = self.coroutine.throw(error) if error else self.coroutine.send(answer)
        except StopIteration as end:
            self.unwritten, self.coroutine = end.value, None

    def wants(self, what: str) -> bool:
        return self.asked is not None and self.asked.what == what

    def start(self) -> None:
        """A run takes the job up, as ``Desk`` does: an intent without an answer is looked for."""
        self.running = True
        self.state = JobState.replay(JOB.key, self.journal)
        if self.state.next_step is Step.CREATE:
            self.write_all([ev.CreateUnanswered(error=ErrorRecord.of(AnswerLost("the run ended")))])

    def proceed(self) -> None:
        """One thing happens: a step begins, or is answered, or its fact is written."""
        if self.unwritten is not None:
            event, self.unwritten = self.unwritten, None
            self.write(event)
        elif self.asked is not None:
            self.answer(self.asked)
        else:
            self.coroutine = self.perform(self.state)
            self.hear()

    def answer(self, asked: Asked) -> None:
        answers: dict[str, Callable[..., Any]] = {
            "create": self.kling.buy,
            "get": self.kling.get,
            "list": self.kling.page,
            "sleep": self.kling.pass_time,
        }
        try:
            answer = answers[asked.what](*asked.args)
        except InvalidRequest as error:
            self.hear(error=error)
        else:
            self.hear(answer)

    def others_buy(self, external_id: str | None, many: int) -> None:
        for _ in range(many):
            self.kling.buy(external_id and f"{external_id}-{len(self.kling.tasks)}")

    def send(self, delay: float | None) -> None:
        """The create leaves, and nobody will hear of it: it arrives after ``delay`` seconds, or never (``None``)."""
        assert self.asked is not None
        if delay is not None:
            longest = LATEST_CREATE if self.kling.duplicates is Duplicates.ALLOW else AGES
            self.kling.on_its_way.append((self.kling.now + min(delay, longest), *self.asked.args))
            self.kling.pass_time(0)


class PaidOnce(Played):
    """What may happen, in any order, and what must hold throughout."""

    @precondition(lambda self: not self.settled())
    @rule(steps=st.integers(1, 16))
    def go_on(self, steps: int) -> None:
        """A run takes the job up if none has, and nothing goes wrong for a while, or until a create is to leave."""
        if not self.running:
            self.start()
        self.proceed()
        for _ in range(steps):
            if self.running and not self.settled() and not self.wants("create"):
                self.proceed()

    @precondition(lambda self: self.wants("create"))
    @rule(delay=DELAYS, error=st.sampled_from(PERHAPS_TAKEN))
    def lose_the_answer(self, delay: float | None, error: KlingError) -> None:
        """A time-out, or an error that may come after the act."""
        self.send(delay)
        self.hear(error=error)

    @precondition(lambda self: self.wants("create"))
    @rule(error=st.sampled_from(SURELY_NOT_TAKEN))
    def refuse_for_now(self, error: KlingError) -> None:
        """A refusal that says that nothing was done."""
        self.hear(error=error)

    @precondition(lambda self: self.wants("get") or self.wants("list"))
    @rule()
    def fail_a_look(self) -> None:
        """A query that is not answered."""
        self.hear(error=AnswerLost("gone"))

    @precondition(lambda self: self.running)
    @rule(delay=DELAYS)
    def die(self, delay: float | None) -> None:
        """The process ends where it stands: what it had not written is forgotten, what it had sent may arrive."""
        if self.wants("create"):
            self.send(delay)
        if self.coroutine is not None:
            self.coroutine.close()
        self.running = False
        self.coroutine = self.asked = self.unwritten = None

    @rule(
        seconds=st.sampled_from([1.0, LATEST_IN_LIST, GRACE, GRACE, AGES, 25 * 3600.0]),
        others=st.integers(0, 2 * PAGE),
        external_id=st.sampled_from([None, "somebody-else"]),
    )
    def pass_time(self, seconds: float, others: int, external_id: str | None) -> None:
        """The process stands still, and the account gets other tasks, with external ids or without."""
        self.kling.pass_time(seconds)
        self.others_buy(external_id, others)

    @precondition(lambda self: self.state.next_step is Step.WATCH)
    @rule()
    def fail_and_try_again(self) -> None:
        """The task fails, and the caller wants a new attempt."""
        task = evolve(self.kling.get(cast("str", self.state.task_id)), status=TaskStatus.FAILED)
        self.write_all([ev.TaskEnded(task=task)])
        self.write(ev.AttemptStarted(attempt=self.state.attempt + 1))
        self.write_all(PREPARED)
        self.running = False

    @invariant()
    def no_attempt_buys_two_tasks(self) -> None:
        if hasattr(self, "kling"):
            bought = [
                task.external_task_id for task in self.kling.tasks if (task.external_task_id or "").startswith("kl-")
            ]
            assert len(bought) == len(set(bought)) <= self.state.attempt, f"bought twice: {bought}"

    @invariant()
    def what_is_believed_is_true(self) -> None:
        if hasattr(self, "kling") and self.state.task_id is not None:
            assert self.kling.get(self.state.task_id).external_task_id == self.state.external_task_id

    def teardown(self) -> None:
        """From wherever it stands, runs in which nothing goes wrong bring the job to its task, or to a doubt that has
        its reason.
        """
        if not hasattr(self, "kling"):
            return
        try:
            self.come_to_an_end()
            self.kling.pass_time(AGES)
            self.no_attempt_buys_two_tasks()
            self.what_is_believed_is_true()
        finally:
            self.die(None)
            self.patch.undo()

    def come_to_an_end(self) -> None:
        for _run in range(4):
            if not self.running:
                self.kling.pass_time(2 * GRACE)
                self.start()
            self.run_out()
            if self.settled():
                assert self.state.next_step is Step.WATCH, "it is told as failed, and was paid"
                return
        assert self.state.status is Status.IN_DOUBT, self.state
        assert self.nobody_can_tell(), self.state.record

    def run_out(self) -> None:
        for _step in range(1000):
            if self.settled() or not self.running:
                return
            self.proceed()
        raise AssertionError("the run does not end")

    def nobody_can_tell(self) -> bool:
        """Whether the rules let a job stay in doubt: there is no way to look; or no task shows, and the intent is old,
        or the list has tasks without external ids, among which ours might be.
        """
        gateway, tasks = self.context.client.gateway, self.kling.tasks
        shown = any(task.external_task_id == self.state.external_task_id for task in tasks)
        if not (gateway.finds_external_ids or gateway.lists_tasks):
            return not (shown and self.kling.finds_external_ids)
        # A process that stood still between deciding and writing has an intent that is older than its record.
        decided_at = min(cast("float", self.state.intended_at), cast("float", self.state.server_at))
        old = self.kling.now - decided_at > reconciling.OLDEST_PROOF
        blurred = not gateway.finds_external_ids and any(task.external_task_id is None for task in tasks)
        return not shown and (old or blurred)


class WithoutReconciling(PaidOnce):
    """The same with a client that takes a lost answer for a failure, before a Kling that takes whatever it is sent."""

    guarded = False

    def perform(self, state: JobState) -> Coroutine[Asked, Any, ev.Event]:
        if state.next_step is not Step.RECONCILE:
            return super().perform(state)

        async def believe_that_it_failed() -> ev.Event:
            return ev.TaskAbsent()

        return believe_that_it_failed()


THOROUGH = settings(
    max_examples=400, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_no_sequence_of_crashes_and_lost_answers_buys_twice_or_strands_a_job() -> None:
    """Crashes anywhere, answers that are lost, creates and lists that are late, gateways that cannot look: one attempt
    buys at most one task, and a job always comes to its task, or to a doubt that the rules name.
    """
    run_state_machine_as_test(PaidOnce, settings=THOROUGH)  # type: ignore[no-untyped-call]


def test_without_reconciling_the_same_play_finds_a_task_bought_twice() -> None:
    """The play has teeth: a client that sends again without a look is found out."""
    found_out = settings(THOROUGH, derandomize=True, database=None, phases=[Phase.generate])
    with pytest.raises(AssertionError, match="bought twice"):
        run_state_machine_as_test(WithoutReconciling, settings=found_out)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("words", ["external_task_id: already exists", "session id: no", "invalid parameter"])
def test_a_create_that_arrives_after_the_second_look_collides_and_is_found(words: str) -> None:
    """A create is later than the grace period: the same attempt sends again under the same id, Kling refuses that, in
    whatever words, and the refusal leads to the late task.
    """
    play = PaidOnce()
    play.begin(looks=(False, False, True), newest=True, duplicates=Duplicates.REFUSE, older=4, words=words)
    try:
        play.go_on(steps=16)
        play.lose_the_answer(delay=GRACE + 5.0, error=PERHAPS_TAKEN[0])
        while not play.wants("create"):
            play.go_on(steps=16)
        play.pass_time(seconds=GRACE, others=0, external_id=None)
        play.go_on(steps=16)
        assert [event.row for event in play.journal[len(PREPARED) :]] == [
            *("CreateIntended", "CreateUnanswered", "TaskAbsent"),
            *("CreateIntended", "CreateUnanswered", "TaskFound"),
        ]
    finally:
        play.teardown()
