"""What follows from what happened: given a record and an outcome, which move.

`transitions` says what is legal; this module says what is wanted. Both are pure.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, assert_never

import msgspec

from durable_execution._core import transitions
from durable_execution._core.past import GIVEN_UP
from durable_execution._core.patch import Transition
from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import StoredError

DEFAULT_MAX_CRASH_RECOVERIES: Final = 3

_SILENT: Final = StoredError(
    message=(
        "Lease of the callback is over: the app that accepted this execution has neither ended it "
        "nor sent a heartbeat in time"
    ),
    is_retryable=True,
)


class Returned(msgspec.Struct, frozen=True, gc=False):
    """A run returned its output."""

    output: bytes


class Spawned(msgspec.Struct, frozen=True, gc=False):
    """A parent's run returned its output and its children."""

    run_output: bytes
    children: tuple[ExecutionRecord, ...]


class Raised(msgspec.Struct, frozen=True, gc=False):
    """A run raised, or ran into its deadline, or its input or output was unfit."""

    error: StoredError


class HandedBack(msgspec.Struct, frozen=True, gc=False):
    """The executor shuts down before the run has ended, or no thread began with it in time."""


class Parked(msgspec.Struct, frozen=True, gc=False):
    """Another program goes on with the run, and is to be heard of within `lease_ms`."""

    lease_ms: int


Outcome: TypeAlias = Returned | Spawned | Raised | HandedBack | Parked


def conclude(record: ExecutionRecord, outcome: Outcome, *, now: int) -> Transition:
    """Decide how an attempt at a running record ends, wherever it ran."""
    match outcome:
        case Returned(output):
            return transitions.complete(record, output=output, now=now)
        case Spawned(run_output, children):
            return transitions.spawn(record, run_output=run_output, children=children, now=now)
        case HandedBack():
            return transitions.hand_back(record, now=now)
        case Parked(lease_ms):
            return transitions.park(record, lease_ms=lease_ms, now=now)
        case Raised(error):
            return _conclude_with_error(record, error, now)
        case _:
            assert_never(outcome)


def rescue(record: ExecutionRecord, *, max_crash_recoveries: int, now: int) -> Transition:
    """Decide what becomes of a running record whose executor died: again, or the end.

    The crash budget ends work that kills whoever runs it: after `max_crash_recoveries` returns the
    execution is failed, and its error says so.
    """
    if record.crash_count < max_crash_recoveries:
        return transitions.rescue(record, now=now)
    crashes = record.crash_count + 1
    error = StoredError(
        message=(
            f"{GIVEN_UP} {crashes} {'time' if crashes == 1 else 'times'} "
            f"while running this execution, last on {record.executor_id}; "
            f"not recovered again [maxCrashRecoveries={max_crash_recoveries}]"
        ),
        is_internal=True,
    )
    return transitions.fail(record, status="failed", error=error, now=now)


def expire(record: ExecutionRecord, *, now: int) -> Transition:
    """Decide what becomes of a record that nobody was heard of in time.

    A sleeping one has timed out. The attempt of a parked one has failed: it has timed out where
    its own time is over, or else the lease is, and another attempt follows if retries are left.
    Nothing becomes of one whose lease has been extended since it was read.
    """
    if record.is_parked:
        error = timed_out(record) if record.expires_at == record.attempt_ends_at else _SILENT
        return transitions.unless_extended(_conclude_with_error(record, error, now), record)
    error = StoredError(
        error_type="timed_out",
        message=f"Sleeping task was not woken up within {record.timeout_ms / 1000:.15g} s",
    )
    return transitions.expire(record, error=error, now=now)


def timed_out(record: ExecutionRecord) -> StoredError:
    """Return the error of an attempt whose time is over."""
    return StoredError(
        error_type="timed_out",
        message=f"Task execution timed out after {record.timeout_ms / 1000:g} s",
        is_retryable=True,
    )


def _conclude_with_error(record: ExecutionRecord, error: StoredError, now: int) -> Transition:
    status = _status_of(error)
    can_retry = status != "cancelled" and error.is_retryable
    if can_retry and record.attempt < record.retry.max_retries:
        start_at = now + record.retry.delay_ms(record.attempt)
        return transitions.retry(record, error=error, start_at=start_at, now=now)
    return transitions.fail(record, status=status, error=error, now=now)


def _status_of(error: StoredError) -> Literal["failed", "timed_out", "cancelled"]:
    match error.error_type:
        case "timed_out":
            return "timed_out"
        case "cancelled":
            return "cancelled"
        case "generic" | "not_found":
            return "failed"
        case _:
            assert_never(error.error_type)
