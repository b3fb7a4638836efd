"""A change of one row as data: which row must still be what, and which fields become what.

Four patch shapes cover every transition, so that a storage needs four fixed statements. The
function `patched` is their meaning; storages without set-based updates use it as it stands.

Records and patches hold no containers but tuples of texts, so they can be in no cycle: the
collector is told to leave them alone, of which a busy executor has a great many.
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

import msgspec

from durable_execution._core.past import Attempt
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import WAITING, FinishedStatus, Status, WaitingStatus
from durable_execution.errors import StoredError


class Guard(msgspec.Struct, frozen=True, gc=False):
    """What must still be true of a row for a change to apply."""

    execution_id: str
    status: Status
    fence: int
    must_be_joinable: bool = False
    expires_at: int | None = None
    """When the row must expire still, for a move that no extension may cross; None: whenever."""
    children_count: int | None = None
    """How many children the row had, for a move that steps may come before: the fence has then
    risen with the children, one by one. None: none may come before."""

    def holds(self, record: ExecutionRecord) -> bool:
        """Whether the row is still as expected."""
        return (
            record.status == self.status
            and record.fence == self.fence + self._steps_of(record)
            and (not self.must_be_joinable or record.active_children_count == 0)
            and (self.expires_at is None or record.expires_at == self.expires_at)
        )

    def _steps_of(self, record: ExecutionRecord) -> int:
        if self.children_count is None:
            return 0
        return record.children_count - self.children_count


class Finish(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Reach a final status. Clears the count of active children."""

    status: FinishedStatus
    finished_at: int
    output: bytes | None = None
    error: StoredError | None = None


class Requeue(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Give a running row back to be claimed from `start_at` on.

    Clears owner and deadlines, and the sleeping id of a parked row. The attempt that ended goes to
    the row's past (`past.Past.followed_by`), which is kept beside the record.
    """

    start_at: int
    updated_at: int
    attempt: int
    crash_count: int
    error: StoredError | None
    ended: Attempt


class Wait(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Wait for children. Raises the fence, so that two joiners of one moment cannot both act."""

    status: WaitingStatus
    updated_at: int
    run_output: bytes | None
    children_count: int
    active_children_count: int
    waiting_for_children_at: int
    waiting_for_finalize_at: int | None


class Park(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Let go of a running row until `expires_at`, or extend that of one let go of before.

    Clears the owner. The expiry of a parked row is never brought forward, so that a repeated or
    late park and the extensions that came since may be applied in any order.
    """

    sleeping_unique_id: str
    expires_at: int
    updated_at: int


Patch: TypeAlias = Finish | Requeue | Wait | Park


class Transition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One legal move: applied whole, in one database transaction, or not at all.

    Where the guard holds: the row is patched, `children` are inserted, the parent named by
    `counts_off` has one active child less, and with `cancels_descendants` all unfinished
    descendants become `cancelled` with that error.

    With `joins` the parent goes on at the same moment: where its guard holds once this child is
    counted off, it is applied whole, in the place of the count-off.
    """

    guard: Guard
    patch: Patch
    children: tuple[ExecutionRecord, ...] = ()
    counts_off: str | None = None
    cancels_descendants: StoredError | None = None
    joins: Transition | None = None
    """Of the parent that `counts_off` names. It neither joins another one nor cancels."""


def patched(record: ExecutionRecord, patch: Patch) -> ExecutionRecord:
    """Return the row as it is after the patch."""
    match patch:
        case Finish():
            return msgspec.structs.replace(
                record,
                status=patch.status,
                output=patch.output,
                error=patch.error,
                finished_at=patch.finished_at,
                updated_at=patch.finished_at,
                active_children_count=0,
            )
        case Requeue():
            return msgspec.structs.replace(
                record,
                status="ready",
                executor_id=None,
                sleeping_unique_id=None,
                start_at=patch.start_at,
                started_at=None,
                expires_at=None,
                updated_at=patch.updated_at,
                attempt=patch.attempt,
                crash_count=patch.crash_count,
                error=patch.error,
            )
        case Wait():
            return msgspec.structs.replace(
                record,
                status=patch.status,
                fence=record.fence + 1,
                error=None,
                run_output=patch.run_output,
                children_count=patch.children_count,
                active_children_count=patch.active_children_count,
                waiting_for_children_at=patch.waiting_for_children_at,
                waiting_for_finalize_at=patch.waiting_for_finalize_at,
                updated_at=patch.updated_at,
            )
        case Park():
            expires_at = patch.expires_at
            if record.sleeping_unique_id is not None and record.expires_at is not None:
                expires_at = max(expires_at, record.expires_at)
            return msgspec.structs.replace(
                record,
                executor_id=None,
                sleeping_unique_id=patch.sleeping_unique_id,
                expires_at=expires_at,
                updated_at=patch.updated_at,
            )
        case _:
            assert_never(patch)


def joined_by(move: Transition, parent: ExecutionRecord | None) -> bool:
    """Whether the parent, as it is before the move, goes on with it as `Transition.joins` says."""
    joins = move.joins
    if joins is None or parent is None:
        return False
    return joins.guard.holds(counted_off(parent, 1, parent.updated_at))


def counted_off(parent: ExecutionRecord, finished_children: int, now: int) -> ExecutionRecord:
    """Return the parent with that many active children less; unchanged unless it waits."""
    if parent.status not in WAITING:
        return parent
    left = max(0, parent.active_children_count - finished_children)
    return msgspec.structs.replace(parent, active_children_count=left, updated_at=now)
