"""Tells observers what becomes of attempts and executions."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import assert_never

from durable_execution._core.decisions import (
    HandedBack,
    Outcome,
    Parked,
    Raised,
    Returned,
    Spawned,
)
from durable_execution._core.patch import Finish, Transition
from durable_execution._core.record import ExecutionRecord
from durable_execution._engine.running import Attempt
from durable_execution._observing import (
    AttemptEnded,
    AttemptLost,
    AttemptOutcome,
    AttemptStarted,
    ExecutionFinished,
    Fact,
    TasksEnqueued,
)


class AttemptsTold:
    """Tells of attempts, each on the event loop and in the context of its own."""

    def __init__(self, tell: Callable[[Fact], None]) -> None:
        self._tell = tell

    def started(self, attempt: Attempt) -> None:
        """Tell that an attempt begins."""
        record = attempt.record
        started_at = record.start_at if record.started_at is None else record.started_at
        lag = max(0, started_at - record.start_at) / 1000
        self._tell(AttemptStarted(record.task_id, record.execution_id, record.attempt, lag))

    def ended(self, attempt: Attempt, outcome: Outcome, transition: Transition) -> None:
        """Tell how an attempt has ended, and what follows from it."""
        self._ended(attempt, _word_for(outcome, transition))

    def stopped(self, attempt: Attempt) -> None:
        """Tell that an attempt was stopped whose outcome is not ours to write."""
        self._ended(attempt, "cancelled" if attempt.stop_reason == "cancelled" else "lost")

    def rejected(self, attempt: Attempt) -> None:
        """Tell that the outcome of an attempt came too late."""
        record = attempt.record
        self._tell(AttemptLost(record.task_id, record.execution_id))

    def _ended(self, attempt: Attempt, word: AttemptOutcome) -> None:
        record = attempt.record
        duration = asyncio.get_running_loop().time() - attempt.began_at
        self._tell(
            AttemptEnded(record.task_id, record.execution_id, record.attempt, word, duration)
        )


def tell_enqueued(
    tell: Callable[[Fact], None],
    records: Sequence[ExecutionRecord],
    holders: Sequence[ExecutionRecord | None],
) -> None:
    """Tell of executions that were enqueued together, without those whose keys others have."""
    counts = Counter(
        record.task_id for record, holder in zip(records, holders, strict=True) if holder is None
    )
    for task_id, count in counts.items():
        tell(TasksEnqueued(task_id, count))


def tell_finished(
    tell: Callable[[Fact], None], finished: Sequence[tuple[ExecutionRecord, Finish]]
) -> None:
    """Tell of executions that have finished."""
    for record, finish in finished:
        duration = max(0, finish.finished_at - record.created_at) / 1000
        tell(ExecutionFinished(record.task_id, record.execution_id, finish.status, duration))


def _word_for(outcome: Outcome, transition: Transition) -> AttemptOutcome:
    match outcome:
        case Returned():
            return "completed"
        case Spawned():
            return "spawned"
        case Parked():
            return "parked"
        case HandedBack():
            return "handed_back"
        case Raised():
            patch = transition.patch
            if not isinstance(patch, Finish):
                return "retried"
            if patch.status in ("timed_out", "cancelled"):
                return patch.status
            return "failed"
        case _:
            assert_never(outcome)
