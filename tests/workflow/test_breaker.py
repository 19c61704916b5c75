"""When a whole batch stops."""

from __future__ import annotations

from kling_lipsync._workflow.breaker import SAME_FAILURES, Breaker
from kling_lipsync.errors import AccountError, ErrorRecord
from kling_lipsync.events import CreateRefused, Event, FacesIdentified, JobFailed, StepFailed, TaskCreated
from kling_lipsync.models import FaceSession

REFUSED = CreateRefused(error=ErrorRecord(type="InvalidRequest", message="no such voice", code=1201), key="k")
REJECTED = CreateRefused(error=ErrorRecord(type="ContentRejected", message="unsafe", code=1301), key="k")
UNREACHED = StepFailed(error=ErrorRecord(type="NotSent", message="no route"), key="k")
BROKE = StepFailed(error=ErrorRecord(type="AccountError", message="pack used up", code=1102), key="k")
CREATED = TaskCreated(task_id="t", key="k")


def after(*events: Event, max_failures: int | None = None) -> Breaker:
    breaker = Breaker(max_failures=max_failures)
    for event in events:
        breaker.observe(event)
    return breaker


def test_an_account_fault_stops_at_once() -> None:
    """One answer that the pack is used up is enough, also in the middle of a batch."""
    reason = after(CREATED, BROKE).reason
    assert isinstance(reason, AccountError)
    assert reason.code == 1102


def test_the_same_refusal_of_the_first_jobs_stops() -> None:
    """Five jobs refused alike with none accepted mean that all will be."""
    assert after(*[REFUSED] * (SAME_FAILURES - 1)).reason is None
    reason = after(*[REFUSED] * SAME_FAILURES).reason
    assert "no such voice" in str(reason)


def test_refusals_after_an_acceptance_are_the_jobs_own() -> None:
    """Once a job was accepted, a refused one fails alone, however many there are."""
    assert after(CREATED, *[REJECTED] * 50).reason is None


def test_different_refusals_do_not_add_up() -> None:
    """Only what fails alike stops a batch."""
    assert after(*[REFUSED, REJECTED] * 10).reason is None


def test_a_dead_network_stops_at_any_time() -> None:
    """Five jobs in a row that cannot be sent stop the batch even after a good start; a success in between does not."""
    assert after(CREATED, *[UNREACHED] * SAME_FAILURES).reason is not None
    identified = FacesIdentified(session=FaceSession(session_id="1", faces=()), made_at=0.0)
    assert after(*[UNREACHED] * 4, identified, *[UNREACHED] * 4).reason is None


def test_max_failures_stops_after_so_many() -> None:
    """The caller's own bound counts failures of every kind."""
    failed = JobFailed(error=ErrorRecord(type="InvalidRequest", message="no face", code=1201), key="k")
    assert after(CREATED, failed, REJECTED, max_failures=3).reason is None
    assert after(CREATED, failed, REJECTED, REFUSED, max_failures=3).reason is not None
