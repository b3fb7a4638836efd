from __future__ import annotations

import msgspec
import pytest

from durable_execution._core import decisions, transitions
from durable_execution._core.past import (
    KEPT_ATTEMPTS,
    NO_PAST,
    Attempt,
    AttemptOutcome,
    Past,
    last_attempt,
    may_have_past,
)
from durable_execution._core.patch import Finish, Requeue, Transition, patched
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import Status
from durable_execution.errors import StoredError
from tests._core.records import NOW, parked, record_in, sleeper_in

ERROR = StoredError(message="no", is_retryable=True)
TIMEOUT = StoredError(message="late", error_type="timed_out", is_retryable=True)


def _ended(move: Transition) -> Attempt:
    assert isinstance(move.patch, Requeue)
    return move.patch.ended


@pytest.mark.parametrize(
    ("move", "outcome", "error"),
    [
        (lambda row: transitions.retry(row, error=ERROR, start_at=9, now=NOW), "failed", ERROR),
        (
            lambda row: transitions.retry(row, error=TIMEOUT, start_at=9, now=NOW),
            "timed_out",
            TIMEOUT,
        ),
        (lambda row: transitions.rescue(row, now=NOW), "crashed", None),
        (lambda row: transitions.hand_back(row, now=NOW), "handed_back", None),
    ],
    ids=["retry", "retry of a timeout", "rescue", "hand back"],
)
def test_what_opens_a_row_again_says_what_the_attempt_was(
    move: object, outcome: AttemptOutcome, error: StoredError | None
) -> None:
    assert callable(move)
    assert _ended(move(record_in("running"))) == Attempt(
        attempt=1,
        outcome=outcome,
        started_at=2_000,
        ended_at=NOW,
        executor_id="executor",
        error=error,
    )


def test_an_attempt_in_another_program_was_no_executors() -> None:
    move = transitions.retry(parked(), error=ERROR, start_at=9, now=NOW)
    assert _ended(move).executor_id is None


def test_long_errors_are_cut_for_the_past() -> None:
    error = StoredError(message="m" * 5_000, traceback="t" * 5_000 + "end", cause="why")
    kept = _ended(transitions.retry(record_in("running"), error=error, start_at=9, now=NOW)).error
    assert kept is not None
    assert kept.message == "m" * 1_000 + "… (5000 characters in all)"
    assert kept.traceback == "…" + "t" * 1_997 + "end"
    assert kept.cause == "why"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (record_in("ready"), None),
        (record_in("running"), (None, None, None)),
        (record_in("completed"), ("completed", 3_000, None)),
        (record_in("failed", error=ERROR), ("failed", 3_000, ERROR)),
        (record_in("timed_out", error=TIMEOUT), ("timed_out", 3_000, TIMEOUT)),
        (record_in("cancelled", error=ERROR), ("cancelled", 3_000, ERROR)),
        (record_in("cancelled", error=ERROR, started_at=None), None),
        (record_in("waiting_for_children"), ("completed", 2_500, None)),
        (record_in("waiting_for_finalize"), ("completed", 2_500, None)),
        (
            record_in("finalize_failed", error=ERROR, waiting_for_children_at=2_500),
            ("completed", 2_500, None),
        ),
        (sleeper_in("timed_out", error=TIMEOUT), ("timed_out", 3_000, TIMEOUT)),
    ],
    ids=lambda value: value.status if isinstance(value, ExecutionRecord) else "",
)
def test_the_row_tells_of_its_last_attempt(
    record: ExecutionRecord, expected: tuple[AttemptOutcome, int, StoredError] | None
) -> None:
    last = last_attempt(record)
    assert (None if last is None else (last.outcome, last.ended_at, last.error)) == expected


def test_the_attempt_that_used_up_the_crash_budget_crashed() -> None:
    running = record_in("running", crash_count=3)
    move = decisions.rescue(running, max_crash_recoveries=3, now=NOW)
    assert isinstance(move.patch, Finish)
    last = last_attempt(patched(running, move.patch))
    assert last is not None
    assert last.outcome == "crashed"


def test_the_last_attempts_are_kept_and_all_are_counted() -> None:
    attempts = [Attempt(attempt=n, started_at=n, outcome="failed") for n in range(25)]
    past = NO_PAST
    for each in attempts:
        past = past.followed_by(each)
    assert past == Past(tuple(attempts[-KEPT_ATTEMPTS:]), 25)


def _row(status: Status, **changes: object) -> ExecutionRecord:
    return record_in(status, **changes)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (_row("ready", fence=0), False),
        (_row("ready", fence=1), True),
        (_row("running", fence=1), False),
        (_row("running", fence=2), True),
        (_row("completed", fence=1), False),
        (_row("cancelled", fence=1, started_at=None), True),
        # A fan raises the fence by its spawn and its finalize step, a sequence by each child.
        (_row("waiting_for_children", fence=2, are_children_sequential=False), False),
        (_row("waiting_for_finalize", fence=3, are_children_sequential=False), False),
        (_row("waiting_for_children", fence=3, are_children_sequential=False), True),
        (_row("waiting_for_children", fence=3, children_count=2), False),
        (_row("waiting_for_children", fence=4, children_count=2), True),
        (sleeper_in("running", fence=0), False),
        (sleeper_in("running", fence=1), True),
    ],
    ids=lambda value: "",
)
def test_the_fence_tells_whether_there_may_be_a_past(
    record: ExecutionRecord, expected: bool
) -> None:
    assert may_have_past(record) == expected


def test_what_an_attempt_has_not_is_not_stored() -> None:
    ended = _ended(transitions.rescue(record_in("running"), now=NOW))
    assert msgspec.json.decode(msgspec.json.encode(ended)) == {
        "attempt": 1,
        "outcome": "crashed",
        "startedAt": 2_000,
        "endedAt": NOW,
        "executorId": "executor",
    }
