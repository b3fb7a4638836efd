"""Records, patches and guards as rows of values, in the order of the statements' parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, TypeAlias, cast

import msgspec

from durable_execution._core.past import Attempt, Past
from durable_execution._core.patch import Finish, Guard, Park, Requeue, Wait
from durable_execution._core.progress import Progress, Report
from durable_execution._core.record import ExecutionRecord, Tags
from durable_execution._core.reopening import Reopening
from durable_execution._core.retry import RetryPolicy
from durable_execution._core.status import Status
from durable_execution.errors import StoredError
from durable_execution.storage.protocol import Backlog, Glance, ListedExecutor

Value: TypeAlias = str | int | float | bytes | None
Row: TypeAlias = tuple[Value, ...]

BOOLEANS: Final = ("is_only_child", "is_finalize", "are_children_sequential")
PAYLOADS: Final = ("input", "run_output", "output")
FIELDS_BUT_PAYLOADS: Final = (
    "execution_id",
    "task_id",
    "root_task_id",
    "root_execution_id",
    "parent_task_id",
    "parent_execution_id",
    "index_in_parent",
    "is_only_child",
    "is_finalize",
    "sleeping_unique_id",
    "idempotency_key",
    "retry",
    "sleep_before_run_ms",
    "timeout_ms",
    "are_children_sequential",
    "status",
    "fence",
    "executor_id",
    "attempt",
    "crash_count",
    "start_at",
    "created_at",
    "updated_at",
    "started_at",
    "expires_at",
    "waiting_for_children_at",
    "waiting_for_finalize_at",
    "finished_at",
    "children_count",
    "active_children_count",
    "tags",
    "error",
)
FIELDS: Final = (*FIELDS_BUT_PAYLOADS, *PAYLOADS, "traceparent")
"""The columns of an execution, in the order in which rows are written and read. What is behind
the payloads came later, and is read with them: databases add a column as the last one."""
PAST: Final = ("past_attempts", "past_attempts_count")
"""Columns that only `Storage.past_of` reads, and no insert names."""
GUARD: Final = (
    "guard_id",
    "guard_status",
    "guard_fence",
    "at_most_active",
    "guard_expires_at",
)
FINISH: Final = (
    "status",
    "output",
    "error",
    "finished_at",
    "finished_at",
    *GUARD[:3],
    "guard_children_count",
    *GUARD[3:],
)
COMPLETE: Final = ("output", "finished_at", "guard_id", "guard_fence")
"""A `FINISH` of what has run well, as nearly all are."""
REQUEUE: Final = ("start_at", "updated_at", "attempt", "crash_count", "error", "ended", *GUARD)
PARK: Final = ("expires_at", "expires_at", "sleeping_unique_id", "updated_at", *GUARD)
ANY_NUMBER: Final = 2**31 - 1
"""So many children may be active, for a move that does not depend on it."""
REOPEN: Final = (
    "status",
    "executor_id",
    "sleeping_unique_id",
    "start_at",
    "started_at",
    "expires_at",
    "updated_at",
    "error",
    "active_children_count",
    "ended",
    "ended_count",
    "guard_id",
    "guard_status",
    "guard_fence",
)
EXECUTOR: Final = (
    "executor_id",
    "lease_expires_at",
    "task_ids",
    "started_at",
    "beat_at",
    "held_count",
    "ended_count",
)
TAG: Final = ("name", "value", "execution_id")
PROGRESS: Final = ("execution_id", "fence", "number", "fraction", "message", "updated_at")
WAIT: Final = (
    "status",
    "run_output",
    "children_count",
    "active_children_count",
    "waiting_for_children_at",
    "waiting_for_finalize_at",
    "updated_at",
    *GUARD,
)

_RECORD: Final = ExecutionRecord.__struct_fields__
_in_order_of_record = itemgetter(*map(FIELDS.index, _RECORD))
_BOOLEAN_PLACES: Final = tuple(map(_RECORD.index, BOOLEANS))
_RETRY_PLACE: Final = _RECORD.index("retry")
_TAGS_PLACE: Final = _RECORD.index("tags")
_ERROR_PLACE: Final = _RECORD.index("error")

_encode = msgspec.json.Encoder().encode
_RETRY: Final = msgspec.json.Decoder(RetryPolicy)
_ERROR: Final = msgspec.json.Decoder(StoredError)
_TASK_IDS: Final = msgspec.json.Decoder(list[str])
_TAGS: Final = msgspec.json.Decoder(dict[str, str])
_PAST: Final = msgspec.json.Decoder(tuple[Attempt, ...])


def to_row(record: ExecutionRecord) -> Row:
    """Return the record as a row of `FIELDS`."""
    return (
        record.execution_id,
        record.task_id,
        record.root_task_id,
        record.root_execution_id,
        record.parent_task_id,
        record.parent_execution_id,
        record.index_in_parent,
        record.is_only_child,
        record.is_finalize,
        record.sleeping_unique_id,
        record.idempotency_key,
        retry_text(record.retry),
        record.sleep_before_run_ms,
        record.timeout_ms,
        record.are_children_sequential,
        record.status,
        record.fence,
        record.executor_id,
        record.attempt,
        record.crash_count,
        record.start_at,
        record.created_at,
        record.updated_at,
        record.started_at,
        record.expires_at,
        record.waiting_for_children_at,
        record.waiting_for_finalize_at,
        record.finished_at,
        record.children_count,
        record.active_children_count,
        tags_text(record.tags),
        error_text(record.error),
        record.input,
        record.run_output,
        record.output,
        record.traceparent,
    )


def without_payloads(row: Row) -> Row:
    """Return a row of `FIELDS_BUT_PAYLOADS` as one of `FIELDS`, its payloads empty."""
    return (*row, b"", None, None, None)


def to_record(row: tuple[Any, ...]) -> ExecutionRecord:
    """Return the record of a row of `FIELDS`."""
    values = list(_in_order_of_record(row))
    # Databases without booleans return 0 and 1; the rest has been checked when it was written.
    for place in _BOOLEAN_PLACES:
        values[place] = bool(values[place])
    values[_RETRY_PLACE] = _to_retry(values[_RETRY_PLACE])
    if values[_TAGS_PLACE] is None:
        values[_TAGS_PLACE] = ()
    else:
        values[_TAGS_PLACE] = to_tags(values[_TAGS_PLACE])
    if values[_ERROR_PLACE] is not None:
        values[_ERROR_PLACE] = _ERROR.decode(values[_ERROR_PLACE])
    return ExecutionRecord(*values)


def progress_row(report: Report) -> Row:
    """Return the values of `PROGRESS`."""
    told = report.progress
    return (
        report.execution_id,
        told.fence,
        told.number,
        told.fraction,
        told.message,
        told.updated_at,
    )


def to_glance(row: tuple[Any, ...]) -> Glance:
    """Return the glance of a row of status, fence and what `PROGRESS` has besides the id."""
    status, fence, *progress = row
    return Glance(status, fence, None if progress[0] is None else Progress(*progress))


def to_past(row: tuple[Any, ...]) -> Past:
    """Return the past of a row of `PAST`, which has one."""
    attempts, count = row
    return Past(_PAST.decode(attempts), count)


def to_instant(value: Value) -> int | None:
    """Return an instant that may be missing."""
    return value if isinstance(value, int) else None


def to_counts(rows: Sequence[Row]) -> dict[str, dict[Status, int]]:
    """Return rows of task id, status and number as numbers by task and status."""
    counts: dict[str, dict[Status, int]] = {}
    for task_id, status, number in rows:
        counts.setdefault(str(task_id), {})[cast("Status", status)] = cast("int", number)
    return counts


def to_backlog(
    ready: Sequence[Row], failed: Sequence[Row], sleeping: Sequence[Row], created: Sequence[Row]
) -> Backlog:
    """Return the backlog of the rows of its four statements."""
    return Backlog(
        ready={str(row[0]): (int(str(row[1])), int(str(row[2]))) for row in ready},
        failed=to_counts(failed),
        sleeping=int(str(sleeping[0][0])),
        created=int(str(created[0][0])),
        finished=int(str(created[0][1])),
    )


def to_executor(row: tuple[Any, ...]) -> ListedExecutor:
    """Return the executor of a row of `EXECUTOR`."""
    values = dict(zip(EXECUTOR, row, strict=True))
    if values["task_ids"] is not None:
        values["task_ids"] = frozenset(_TASK_IDS.decode(values["task_ids"]))
    return ListedExecutor(**values)


def guard_values(guard: Guard, counted_off: int = 0) -> Row:
    """Return the values of `GUARD`."""
    return (
        guard.execution_id,
        guard.status,
        guard.fence,
        at_most_active(guard, counted_off),
        guard.expires_at,
    )


def at_most_active(guard: Guard, counted_off: int = 0) -> int:
    """Return how many children may be active; so many of them are counted off by the move."""
    return counted_off if guard.must_be_joinable else ANY_NUMBER


def finish_row(guard: Guard, patch: Finish, *, counted_off: int = 0) -> Row:
    """Return the values of `FINISH`, of a row one of whose children may end at this moment."""
    return (
        patch.status,
        patch.output,
        error_text(patch.error),
        patch.finished_at,
        patch.finished_at,
        guard.execution_id,
        guard.status,
        guard.fence,
        guard.children_count,
        at_most_active(guard, counted_off),
        guard.expires_at,
    )


def is_completion(guard: Guard, patch: Finish) -> bool:
    """Whether a row of `COMPLETE` says it all."""
    return (
        patch.status == "completed"
        and guard.status == "running"
        and patch.error is None
        and not guard.must_be_joinable
        and guard.expires_at is None
    )


def complete_row(guard: Guard, patch: Finish, *, is_positional: bool) -> Row:
    """Return the values of `COMPLETE`; those of one place in the text each if it is positional."""
    at = patch.finished_at
    if is_positional:
        return patch.output, at, at, guard.execution_id, guard.fence
    return patch.output, at, guard.execution_id, guard.fence


def requeue_row(guard: Guard, patch: Requeue) -> Row:
    """Return the values of `REQUEUE`."""
    return (
        patch.start_at,
        patch.updated_at,
        patch.attempt,
        patch.crash_count,
        error_text(patch.error),
        _encode(patch.ended).decode(),
        *guard_values(guard),
    )


def wait_row(guard: Guard, patch: Wait, *, counted_off: int = 0) -> Row:
    """Return the values of `WAIT`, of a row one of whose children may end at this moment."""
    return (
        patch.status,
        patch.run_output,
        patch.children_count,
        patch.active_children_count,
        patch.waiting_for_children_at,
        patch.waiting_for_finalize_at,
        patch.updated_at,
        *guard_values(guard, counted_off),
    )


def park_row(guard: Guard, patch: Park) -> Row:
    """Return the values of `PARK`."""
    return (
        patch.expires_at,
        patch.expires_at,
        patch.sleeping_unique_id,
        patch.updated_at,
        *guard_values(guard),
    )


def reopen_row(reopening: Reopening) -> Row:
    """Return the values of `REOPEN`."""
    before, after, ended = reopening.before, reopening.after, reopening.ended
    return (
        after.status,
        after.executor_id,
        after.sleeping_unique_id,
        after.start_at,
        after.started_at,
        after.expires_at,
        after.updated_at,
        error_text(after.error),
        after.active_children_count,
        None if ended is None else _encode(ended).decode(),
        0 if ended is None else 1,
        before.execution_id,
        before.status,
        before.fence,
    )


def error_text(error: StoredError | None) -> str | None:
    """Return an error as it is stored."""
    return None if error is None else _encode(error).decode()


def tags_text(tags: Tags) -> str | None:
    """Return tags as they are stored: an object, or nothing."""
    return _encode(dict(tags)).decode() if tags else None


def to_tags(text: object) -> Tags:
    """Return tags as the record has them."""
    return () if text is None else tuple(_TAGS.decode(text).items())  # type: ignore[arg-type]  # a text column


@lru_cache(maxsize=1024)
def retry_text(retry: RetryPolicy) -> str:
    """Return a retry policy as it is stored."""
    return _encode(retry).decode()


@lru_cache(maxsize=1024)
def _to_retry(text: str) -> RetryPolicy:
    return _RETRY.decode(text)
