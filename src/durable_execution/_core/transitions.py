"""The law: every legal move of an execution's status, and nothing else changes one.

Pure: reads no clock, makes no id, awaits nothing. The table comes first; each move below it has
one function, which builds the guarded change or raises `IllegalTransitionError`. Some moves have
no `Transition`, because storages do them in bulk: `claim` (see `claimed`), the cascade that cancels
descendants (see `cancelled_with_ancestor`), and what reopens a finished row that has failed: either
`run_again` or `wait_again` (see `reopened`).
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from durable_execution._core.past import AttemptOutcome, ended_attempt
from durable_execution._core.patch import Finish, Guard, Park, Patch, Requeue, Transition, Wait
from durable_execution._core.record import PARKED_PREFIX, ExecutionRecord
from durable_execution._core.status import (
    UNFINISHED,
    WAITING,
    FinishedStatus,
    Status,
    WaitingStatus,
)
from durable_execution.errors import StoredError

Move = Literal[
    "claim",
    "complete",
    "fail",
    "retry",
    "hand_back",
    "rescue",
    "park",
    "extend",
    "spawn",
    "advance",
    "finalize",
    "join",
    "fail_to_join",
    "wake_up",
    "expire",
    "cancel",
    "run_again",
    "wait_again",
]


class Law(NamedTuple):
    """From which statuses a move starts, and to which it may lead."""

    sources: frozenset[Status]
    targets: frozenset[Status]


def _law(sources: set[Status], targets: set[Status]) -> Law:
    return Law(frozenset(sources), frozenset(targets))


MOVES: Final[dict[Move, Law]] = {
    "claim": _law({"ready"}, {"running"}),
    "complete": _law({"running"}, {"completed"}),
    "fail": _law({"running"}, {"failed", "timed_out", "cancelled"}),
    "retry": _law({"running"}, {"ready"}),
    "hand_back": _law({"running"}, {"ready"}),
    "rescue": _law({"running"}, {"ready"}),
    "park": _law({"running"}, {"running"}),
    "extend": _law({"running"}, {"running"}),
    "spawn": _law({"running"}, {"waiting_for_children"}),
    "advance": _law({"waiting_for_children"}, {"waiting_for_children"}),
    "finalize": _law({"waiting_for_children"}, {"waiting_for_finalize"}),
    "join": _law({"waiting_for_children", "waiting_for_finalize"}, {"completed"}),
    "fail_to_join": _law({"waiting_for_children", "waiting_for_finalize"}, {"finalize_failed"}),
    "wake_up": _law({"running"}, {"completed", "failed"}),
    "expire": _law({"running"}, {"timed_out"}),
    "cancel": _law(set(UNFINISHED), {"cancelled"}),
    "run_again": _law({"failed", "timed_out", "cancelled"}, {"ready", "running"}),
    "wait_again": _law(
        {"finalize_failed", "cancelled"}, {"waiting_for_children", "waiting_for_finalize"}
    ),
}


class IllegalTransitionError(RuntimeError):
    """A move that the law does not know: a bug of ours, never of a user."""

    def __init__(self, move: Move, record: ExecutionRecord, reason: str = "") -> None:
        super().__init__(
            f"execution {record.execution_id} cannot {move} while {record.status}"
            + (f": {reason}" if reason else "")
        )


def claimed(record: ExecutionRecord, *, executor_id: str, now: int) -> ExecutionRecord:
    """Return the row as a claim leaves it: running, owned, its fence raised, its deadline set."""
    _check("claim", record, "running", is_sleeping=False)
    if record.start_at > now:
        raise IllegalTransitionError("claim", record, f"it starts at {record.start_at}, not {now}")
    return msgspec.structs.replace(
        record,
        status="running",
        executor_id=executor_id,
        fence=record.fence + 1,
        started_at=now,
        expires_at=now + record.timeout_ms,
        updated_at=now,
    )


def unclaimed(record: ExecutionRecord) -> ExecutionRecord:
    """Return a new row that was claimed in advance as it was before."""
    return msgspec.structs.replace(
        record,
        status="ready",
        executor_id=None,
        fence=0,
        started_at=None,
        expires_at=None,
        updated_at=record.created_at,
    )


def joining(transition: Transition, joins: Transition) -> Transition:
    """Let the parent that a move counts a child off go on in the same transaction."""
    if transition.counts_off != joins.guard.execution_id or not joins.guard.must_be_joinable:
        raise ValueError(f"{joins.guard.execution_id} does not join with this move")
    return msgspec.structs.replace(transition, joins=joins)


def complete(record: ExecutionRecord, *, output: bytes, now: int) -> Transition:
    """An attempt returned, here or, parked, in another program."""
    _check("complete", record, "completed", is_sleeping=False)
    return _finish(record, Finish(status="completed", output=output, finished_at=now))


def fail(
    record: ExecutionRecord,
    *,
    status: Literal["failed", "timed_out", "cancelled"],
    error: StoredError,
    now: int,
) -> Transition:
    """An attempt ended the execution with an error."""
    _check("fail", record, status, is_sleeping=False)
    return _finish(record, Finish(status=status, error=error, finished_at=now))


def retry(record: ExecutionRecord, *, error: StoredError, start_at: int, now: int) -> Transition:
    """An attempt failed and another follows."""
    _check("retry", record, "ready", is_sleeping=False)
    outcome: AttemptOutcome = "timed_out" if error.error_type == "timed_out" else "failed"
    return _requeue(
        record, outcome, start_at=start_at, now=now, attempt=record.attempt + 1, error=error
    )


def hand_back(record: ExecutionRecord, *, now: int) -> Transition:
    """An executor that shuts down, or has no thread for it, returns the row; no retry is spent."""
    _check("hand_back", record, "ready", is_sleeping=False, is_parked=False)
    return _requeue(record, "handed_back", start_at=now, now=now)


def rescue(record: ExecutionRecord, *, now: int) -> Transition:
    """The row's executor died; the crash is counted, no retry is spent."""
    _check("rescue", record, "ready", is_sleeping=False, is_parked=False)
    crash_count = record.crash_count + 1
    return _requeue(record, "crashed", start_at=now, now=now, crash_count=crash_count)


def park(record: ExecutionRecord, *, lease_ms: int, now: int) -> Transition:
    """The attempt goes on in another program, which is to be heard of within the lease.

    The lease ends with the time of the attempt at the latest.
    """
    _check("park", record, "running", is_sleeping=False, is_parked=False)
    return _park("park", record, lease_ms, now)


def extend(record: ExecutionRecord, *, lease_ms: int, now: int) -> Transition:
    """The other program was heard of: its lease begins anew, and ends as `park` says."""
    _check("extend", record, "running", is_parked=True)
    return _park("extend", record, lease_ms, now)


def unless_extended(transition: Transition, record: ExecutionRecord) -> Transition:
    """Let a move apply only while the row expires when it did as it was read."""
    guard = msgspec.structs.replace(transition.guard, expires_at=record.expires_at)
    return msgspec.structs.replace(transition, guard=guard)


def spawn(
    record: ExecutionRecord, *, run_output: bytes, children: tuple[ExecutionRecord, ...], now: int
) -> Transition:
    """A parent's run returned its children; with none it is joinable at once."""
    _check("spawn", record, "waiting_for_children", is_sleeping=False, is_parked=False)
    for index, child in enumerate(children):
        _check_place("spawn", record, child, index)
    return Transition(
        guard=_guard(record),
        patch=Wait(
            status="waiting_for_children",
            updated_at=now,
            run_output=run_output,
            children_count=len(children),
            active_children_count=len(children),
            waiting_for_children_at=now,
            waiting_for_finalize_at=None,
        ),
        children=children,
    )


def advance(record: ExecutionRecord, *, child: ExecutionRecord, now: int) -> Transition:
    """A sequence or a loop inserts its next child."""
    _check_joinable("advance", record, "waiting_for_children")
    _check_place("advance", record, child, record.children_count)
    return _wait_on(record, child, "waiting_for_children", record.children_count + 1, None, now)


def finalize(record: ExecutionRecord, *, child: ExecutionRecord, now: int) -> Transition:
    """All children ended; the finalize child is inserted and counted like any other."""
    _check_joinable("finalize", record, "waiting_for_finalize")
    _check_place("finalize", record, child, None)
    return _wait_on(record, child, "waiting_for_finalize", record.children_count, now, now)


def join(record: ExecutionRecord, *, output: bytes, now: int) -> Transition:
    """All children ended and the parent is complete."""
    _check_joinable("join", record, "completed")
    return _finish(record, Finish(status="completed", output=output, finished_at=now))


def fail_to_join(record: ExecutionRecord, *, error: StoredError, now: int) -> Transition:
    """All children ended and the parent cannot be completed."""
    _check_joinable("fail_to_join", record, "finalize_failed")
    return _finish(record, Finish(status="finalize_failed", error=error, finished_at=now))


def wake_up(
    record: ExecutionRecord, *, output: bytes | None, error: StoredError | None, now: int
) -> Transition:
    """Somebody outside ended a sleeping execution."""
    status: FinishedStatus = "completed" if error is None else "failed"
    _check("wake_up", record, status, is_sleeping=True)
    return _finish(record, Finish(status=status, output=output, error=error, finished_at=now))


def expire(record: ExecutionRecord, *, error: StoredError, now: int) -> Transition:
    """Nobody woke a sleeping execution in time."""
    _check("expire", record, "timed_out", is_sleeping=True)
    return _finish(record, Finish(status="timed_out", error=error, finished_at=now))


def cancel(record: ExecutionRecord, *, error: StoredError, now: int) -> Transition:
    """Somebody cancelled the execution; whatever still runs below it is cancelled with it.

    A loop of short turns would always be one ahead: a row that waits is cancelled whatever step it
    has come to.
    """
    _check("cancel", record, "cancelled")
    transition = _finish(record, Finish(status="cancelled", error=error, finished_at=now))
    guard = transition.guard
    if record.status in WAITING:
        guard = msgspec.structs.replace(
            guard, must_be_joinable=False, children_count=record.children_count
        )
    return msgspec.structs.replace(transition, guard=guard, cancels_descendants=error)


def cancelled_with_ancestor(
    record: ExecutionRecord, *, error: StoredError, now: int
) -> ExecutionRecord:
    """Return an unfinished descendant as the cascade leaves it."""
    _check("cancel", record, "cancelled")
    return msgspec.structs.replace(
        record,
        status="cancelled",
        error=error,
        finished_at=now,
        updated_at=now,
        active_children_count=0,
    )


def reopened(
    record: ExecutionRecord, *, to: WaitingStatus | None = None, children: int = 0, now: int
) -> ExecutionRecord:
    """Return a row that has failed as it is when it is run again, its budgets whole.

    A row that has spawned waits, for that many children. Any other is ready; a sleeping one sleeps
    again, from now on. The fence is raised: whatever was meant for the row as it was is void. An
    error stays, as after any retry, until the next attempt has ended.
    """
    status: Status = to or ("running" if record.is_sleeping else "ready")
    move: Move = "run_again" if to is None else "wait_again"
    _check(move, record, status, is_sleeping=None if to is None else False)
    if (to is None) != (record.waiting_for_children_at is None):
        raise IllegalTransitionError(move, record, "only what has spawned waits again")
    after = msgspec.structs.replace(
        record,
        status=status,
        fence=record.fence + 1,
        attempt=0,
        crash_count=0,
        updated_at=now,
        finished_at=None,
        active_children_count=children,
    )
    if to is not None:
        return msgspec.structs.replace(after, error=None)
    if record.is_sleeping:
        expires_at = now + record.timeout_ms
        return msgspec.structs.replace(
            after, start_at=now, started_at=now, expires_at=expires_at, error=None
        )
    return msgspec.structs.replace(
        after,
        executor_id=None,
        sleeping_unique_id=None,
        start_at=now,
        started_at=None,
        expires_at=None,
    )


def _finish(record: ExecutionRecord, patch: Finish) -> Transition:
    return Transition(guard=_guard(record), patch=patch, counts_off=record.parent_execution_id)


def _requeue(
    record: ExecutionRecord,
    outcome: AttemptOutcome,
    *,
    start_at: int,
    now: int,
    attempt: int | None = None,
    crash_count: int | None = None,
    error: StoredError | None = None,
) -> Transition:
    patch: Patch = Requeue(
        start_at=start_at,
        updated_at=now,
        attempt=record.attempt if attempt is None else attempt,
        crash_count=record.crash_count if crash_count is None else crash_count,
        error=record.error if error is None else error,
        ended=ended_attempt(record, outcome, error=error, now=now),
    )
    return Transition(guard=_guard(record), patch=patch)


def _park(move: Move, record: ExecutionRecord, lease_ms: int, now: int) -> Transition:
    if record.attempt_ends_at is None:
        raise IllegalTransitionError(move, record, "it was never claimed")
    patch = Park(
        sleeping_unique_id=f"{PARKED_PREFIX}{record.execution_id}",
        expires_at=min(now + lease_ms, record.attempt_ends_at),
        updated_at=now,
    )
    return Transition(guard=_guard(record), patch=patch)


def _wait_on(
    record: ExecutionRecord,
    child: ExecutionRecord,
    status: Literal["waiting_for_children", "waiting_for_finalize"],
    children_count: int,
    finalize_at: int | None,
    now: int,
) -> Transition:
    return Transition(
        guard=_guard(record),
        patch=Wait(
            status=status,
            updated_at=now,
            run_output=record.run_output,
            children_count=children_count,
            active_children_count=1,
            waiting_for_children_at=record.waiting_for_children_at or now,
            waiting_for_finalize_at=finalize_at,
        ),
        children=(child,),
    )


def _guard(record: ExecutionRecord) -> Guard:
    return Guard(
        execution_id=record.execution_id,
        status=record.status,
        fence=record.fence,
        must_be_joinable=record.is_joinable,
    )


def _check_place(
    move: Move, record: ExecutionRecord, child: ExecutionRecord, index: int | None
) -> None:
    """A child names its parent and comes next; a step built on an old read would not."""
    if child.parent_execution_id != record.execution_id:
        raise IllegalTransitionError(move, record, f"{child.execution_id} is not its child")
    if child.is_finalize != (index is None):
        raise IllegalTransitionError(move, record, "a finalize child is no other child")
    if index is not None and child.index_in_parent != index:
        raise IllegalTransitionError(
            move, record, f"child {child.index_in_parent} was given for place {index}"
        )


def _check_joinable(move: Move, record: ExecutionRecord, target: Status) -> None:
    _check(move, record, target)
    if not record.is_joinable:
        raise IllegalTransitionError(
            move, record, f"{record.active_children_count} children have not ended"
        )


def _check(
    move: Move,
    record: ExecutionRecord,
    target: Status,
    *,
    is_sleeping: bool | None = None,
    is_parked: bool | None = None,
) -> None:
    sources, targets = MOVES[move]
    if record.status not in sources:
        raise IllegalTransitionError(move, record)
    if target not in targets:
        raise IllegalTransitionError(move, record, f"it may not become {target}")
    if record.sleeping_unique_id is None and not is_sleeping and not is_parked:
        return
    if is_sleeping is not None and record.is_sleeping != is_sleeping:
        raise IllegalTransitionError(
            move, record, "it sleeps" if record.is_sleeping else "it does not sleep"
        )
    if is_parked is not None and record.is_parked != is_parked:
        raise IllegalTransitionError(
            move, record, "it is parked" if record.is_parked else "it is not parked"
        )
