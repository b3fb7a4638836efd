from __future__ import annotations

import pytest

from durable_execution._core import decisions, transitions
from durable_execution._core.decisions import HandedBack, Parked, Raised, Returned, Spawned
from durable_execution._core.patch import Finish, Requeue, patched
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.retry import RetryPolicy
from durable_execution.errors import ErrorType, StoredError
from tests._core.acts import CHILD
from tests._core.records import NOW, parked, record_in, sleeper_in

RETRYABLE = StoredError(message="not yet", is_retryable=True)


def test_a_returned_output_completes() -> None:
    record = record_in("running")
    expected = transitions.complete(record, output=b"x", now=NOW)
    assert decisions.conclude(record, Returned(b"x"), now=NOW) == expected


def test_spawned_children_are_waited_for() -> None:
    record, children = record_in("running"), (CHILD,)
    expected = transitions.spawn(record, run_output=b"r", children=children, now=NOW)
    assert decisions.conclude(record, Spawned(b"r", children), now=NOW) == expected


def test_a_row_handed_back_is_ready_at_once_and_spends_no_retry() -> None:
    record = record_in("running")
    patch = decisions.conclude(record, HandedBack(), now=NOW).patch
    assert isinstance(patch, Requeue)
    assert (patch.attempt, patch.crash_count, patch.start_at) == (1, 1, NOW)


def test_a_retryable_error_is_retried_after_the_delay_of_this_attempt() -> None:
    record = record_in("running", attempt=2)
    patch = decisions.conclude(record, Raised(RETRYABLE), now=NOW).patch
    assert isinstance(patch, Requeue)
    assert (patch.attempt, patch.start_at, patch.error) == (3, NOW + 400, RETRYABLE)


@pytest.mark.parametrize(("attempt", "is_retried"), [(0, True), (2, True), (3, False)])
def test_retries_end_with_the_last_one_granted(attempt: int, is_retried: bool) -> None:
    record = record_in("running", attempt=attempt)
    patch = decisions.conclude(record, Raised(RETRYABLE), now=NOW).patch
    assert isinstance(patch, Requeue) == is_retried


@pytest.mark.parametrize(
    ("error_type", "status"),
    [
        ("generic", "failed"),
        ("not_found", "failed"),
        ("timed_out", "timed_out"),
        ("cancelled", "cancelled"),
    ],
)
def test_the_error_type_selects_the_final_status(error_type: ErrorType, status: str) -> None:
    error = StoredError(error_type=error_type, message="no")
    patch = decisions.conclude(record_in("running"), Raised(error), now=NOW).patch
    assert isinstance(patch, Finish)
    assert (patch.status, patch.error, patch.output) == (status, error, None)


def test_a_cancelled_attempt_is_never_retried() -> None:
    error = StoredError(error_type="cancelled", message="stop", is_retryable=True)
    patch = decisions.conclude(record_in("running"), Raised(error), now=NOW).patch
    assert isinstance(patch, Finish)


@pytest.mark.parametrize(("crash_count", "is_rescued"), [(0, True), (2, True), (3, False)])
def test_rescue_lasts_as_long_as_the_crash_budget(crash_count: int, is_rescued: bool) -> None:
    record = record_in("running", crash_count=crash_count)
    patch = decisions.rescue(record, max_crash_recoveries=3, now=NOW).patch
    if is_rescued:
        assert isinstance(patch, Requeue)
        assert patch.crash_count == crash_count + 1
    else:
        assert isinstance(patch, Finish)
        assert patch.status == "failed"


def test_a_spent_crash_budget_says_how_often_where_and_which_limit() -> None:
    assert _message_after_crashes(3) == (
        "Executor crashed or lost its lease 4 times while running this execution, last on "
        "executor; not recovered again [maxCrashRecoveries=3]"
    )


def test_a_budget_of_none_fails_at_the_first_crash() -> None:
    message = _message_after_crashes(0)
    assert "lease 1 time while" in message
    assert message.endswith("[maxCrashRecoveries=0]")


def test_a_spent_crash_budget_is_the_systems_fault_and_final() -> None:
    record = record_in("running", crash_count=3, retry=RetryPolicy(max_retries=9))
    patch = decisions.rescue(record, max_crash_recoveries=3, now=NOW).patch
    assert isinstance(patch, Finish)
    assert patch.error is not None
    assert patch.error.is_internal
    assert not patch.error.is_retryable


@pytest.mark.parametrize(
    ("timeout_ms", "words"), [(1_500, "1.5 s"), (60_000, "60 s"), (2_592_000_000, "2592000 s")]
)
def test_an_expired_sleeper_says_how_long_it_slept(timeout_ms: int, words: str) -> None:
    patch = decisions.expire(sleeper_in("running", timeout_ms=timeout_ms), now=NOW).patch
    assert isinstance(patch, Finish)
    assert patch.status == "timed_out"
    assert patch.error == StoredError(
        error_type="timed_out", message=f"Sleeping task was not woken up within {words}"
    )


def test_an_attempt_that_goes_on_elsewhere_is_parked_under_its_lease() -> None:
    record = record_in("running")
    expected = transitions.park(record, lease_ms=7, now=NOW)
    assert decisions.conclude(record, Parked(7), now=NOW) == expected


def test_an_answer_from_outside_ends_an_attempt_as_one_from_here_does() -> None:
    completed = decisions.conclude(parked(), Returned(b"x"), now=NOW)
    assert completed == transitions.complete(parked(), output=b"x", now=NOW)
    patch = decisions.conclude(parked(), Raised(RETRYABLE), now=NOW).patch
    assert isinstance(patch, Requeue)
    assert (patch.attempt, patch.start_at) == (2, NOW + 200)


def test_a_lease_that_ends_costs_an_attempt() -> None:
    patch = decisions.expire(parked(), now=NOW).patch
    assert isinstance(patch, Requeue)
    assert (patch.attempt, patch.crash_count) == (2, 1)
    assert patch.error is not None
    assert "neither ended it nor sent a heartbeat" in patch.error.message


def test_the_last_lease_that_ends_fails_the_execution_and_says_why() -> None:
    patch = decisions.expire(parked(attempt=3), now=NOW).patch
    assert isinstance(patch, Finish)
    assert patch.error is not None
    assert (patch.status, patch.error.error_type) == ("failed", "generic")
    assert "Lease of the callback is over" in patch.error.message


@pytest.mark.parametrize("attempt", [1, 3])
def test_a_parked_row_whose_time_is_over_ends_as_an_attempt_that_timed_out(attempt: int) -> None:
    row = parked(attempt=attempt, expires_at=62_000)
    expected = decisions.conclude(row, Raised(decisions.timed_out(row)), now=NOW)
    assert decisions.expire(row, now=NOW).patch == expected.patch
    after = patched(row, expected.patch)
    assert after.status == ("ready" if attempt == 1 else "timed_out")


def test_a_lease_that_was_extended_since_it_was_read_has_not_ended() -> None:
    guard = decisions.expire(parked(), now=NOW).guard
    assert guard.holds(parked())
    assert not guard.holds(parked(expires_at=12_001))


def _message_after_crashes(budget: int) -> str:
    record: ExecutionRecord = record_in("running", crash_count=budget)
    patch = decisions.rescue(record, max_crash_recoveries=budget, now=NOW).patch
    assert isinstance(patch, Finish)
    assert patch.error is not None
    return patch.error.message
