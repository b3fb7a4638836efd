"""The attempts of an execution that have ended: the last of them, and how many there were.

An attempt after which another one follows goes to the past of its row, in the write that opens the
row again. The last attempt is the row itself, so that what runs well at once has no past, and
writes none.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import Status
from durable_execution.errors import StoredError, bounded_text

AttemptOutcome = Literal["completed", "failed", "timed_out", "cancelled", "crashed", "handed_back"]
"""How an attempt ended. One that crashed was lost with its executor, or with that one's lease; one
that was handed back had not ended when its executor shut down, or got no thread to begin in."""

KEPT_ATTEMPTS: Final = 20
"""Past attempts of a row that are kept; of those before them the number is known."""
GIVEN_UP: Final = "Executor crashed or lost its lease"
"""Begins the message of an execution whose crashes are no longer recovered from."""

_MAX_MESSAGE: Final = 1_000
_MAX_TRACEBACK: Final = 2_000
_ENDED: Final[dict[Status, AttemptOutcome]] = {
    "completed": "completed",
    "failed": "failed",
    "timed_out": "timed_out",
    "cancelled": "cancelled",
}


class Attempt(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False
):
    """One attempt: where it ran, from when to when, and how it ended."""

    attempt: int
    """As the task was told: attempts before it that failed, since it was enqueued or retried."""
    outcome: AttemptOutcome | None = None
    """None while it goes on."""
    started_at: int
    ended_at: int | None = None
    """When its end was noticed."""
    executor_id: str | None = None
    """None where nobody ran it: it slept, or went on in another program."""
    error: StoredError | None = None


class Past(msgspec.Struct, frozen=True, gc=False):
    """The past attempts of one row."""

    attempts: tuple[Attempt, ...] = ()
    """The last of them, the oldest first."""
    count: int = 0
    """How many there were."""

    def followed_by(self, attempt: Attempt) -> Past:
        """Return the past with one attempt more, as a storage keeps it."""
        return Past((*self.attempts, attempt)[-KEPT_ATTEMPTS:], self.count + 1)


NO_PAST: Final = Past()


def ended_attempt(
    record: ExecutionRecord, outcome: AttemptOutcome, *, error: StoredError | None = None, now: int
) -> Attempt:
    """Return the attempt under way of a running row, as it goes to the past."""
    started_at = now if record.started_at is None else record.started_at
    return _attempt(record, outcome, started_at, now, error)


def last_attempt(record: ExecutionRecord) -> Attempt | None:
    """Return the attempt that the row itself tells of; None if none began since it was opened."""
    if record.started_at is None:
        return None
    outcome, ended_at, error = _ENDED.get(record.status), record.finished_at, record.error
    if record.waiting_for_children_at is not None:
        outcome, ended_at, error = "completed", record.waiting_for_children_at, None
    elif record.status == "running":
        error = None  # that of the attempt before
    elif outcome == "failed" and error is not None and error.message.startswith(GIVEN_UP):
        outcome = "crashed"
    return _attempt(record, outcome, record.started_at, ended_at, error)


def may_have_past(record: ExecutionRecord) -> bool:
    """Whether an attempt before the last one can have ended; what says no has no past.

    The fence tells: it is raised by each claim, each reopening and each step of a waiting row.
    """
    sleeping_id, started_at = record.sleeping_unique_id, record.started_at
    if record.fence <= 1 and sleeping_id is None and started_at is not None:
        return False  # as nearly all are
    if record.is_sleeping:
        return record.fence > 0
    steps = 0
    if record.waiting_for_children_at is not None:
        steps = max(1, record.children_count) if record.are_children_sequential else 1
        steps += record.waiting_for_finalize_at is not None
    return record.fence - steps > (0 if started_at is None else 1)


def _attempt(
    record: ExecutionRecord,
    outcome: AttemptOutcome | None,
    started_at: int,
    ended_at: int | None,
    error: StoredError | None,
) -> Attempt:
    return Attempt(
        attempt=record.attempt,
        outcome=outcome,
        started_at=started_at,
        # Instants are of several machines' clocks: none is before the one that it follows.
        ended_at=None if ended_at is None else max(started_at, ended_at),
        executor_id=record.executor_id,
        error=None if error is None else _shortened(error),
    )


def _shortened(error: StoredError) -> StoredError:
    """Cut what is long: an error may come twenty times."""
    traceback = error.traceback
    if traceback and len(traceback) > _MAX_TRACEBACK:
        traceback = f"…{traceback[-_MAX_TRACEBACK:]}"
    message = bounded_text(error.message, _MAX_MESSAGE)
    if (message, traceback) == (error.message, error.traceback):
        return error
    return msgspec.structs.replace(error, message=message, traceback=traceback)
