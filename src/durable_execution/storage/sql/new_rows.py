"""New rows as narrow ones: most of what is inserted differs in some of thirty-five columns.

Every value of a batch is bound, checked and, for a server, encoded; the constants are part of the
statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, false, literal_column

from durable_execution._core.record import ExecutionRecord
from durable_execution.storage.sql.rows import Row, retry_text
from durable_execution.storage.sql.schema import executions

ROOT: Final = (
    "execution_id",
    "task_id",
    "retry",
    "sleep_before_run_ms",
    "timeout_ms",
    "are_children_sequential",
    "status",
    "fence",
    "executor_id",
    "start_at",
    "created_at",
    "updated_at",
    "started_at",
    "expires_at",
    "input",
)
"""What tells new roots apart, ready ones and those that are claimed already."""
CHILD: Final = (
    "execution_id",
    "task_id",
    "root_task_id",
    "root_execution_id",
    "parent_task_id",
    "parent_execution_id",
    "index_in_parent",
    "is_only_child",
    "is_finalize",
    "retry",
    "sleep_before_run_ms",
    "timeout_ms",
    "are_children_sequential",
    "start_at",
    "created_at",
    "updated_at",
    "input",
)
"""What tells new children apart. All in the order of the table, as statements are written."""
CLAIMED_CHILD: Final = (
    *CHILD[:13],
    "status",
    "fence",
    "executor_id",
    *CHILD[13:16],
    "started_at",
    "expires_at",
    *CHILD[16:],
)
"""What tells new children apart that are claimed already."""
TRACED_ROOT: Final = (*ROOT, "traceparent")
TRACED_CHILD: Final = (*CHILD, "traceparent")
TRACED_CLAIMED_CHILD: Final = (*CLAIMED_CHILD, "traceparent")
"""The same for batches in which an execution belongs to a trace; others do not pay for it."""

_TRACEPARENT: Final = attrgetter("traceparent")
_ZEROS: Final = (
    "fence",
    "index_in_parent",
    "attempt",
    "crash_count",
    "children_count",
    "active_children_count",
)
_FALSE: Final = ("is_only_child", "is_finalize")


def constants_beside(names: Sequence[str]) -> dict[str, ColumnElement[Any]]:
    """Return what new rows have in the columns that are not named and that have no NULL."""
    columns = executions.c
    constants = {
        "status": literal_column("'ready'", columns.status.type),
        **{name: literal_column("0", columns[name].type) for name in _ZEROS},
        **{name: false() for name in _FALSE},
    }
    return {name: value for name, value in constants.items() if name not in names}


def is_new_root(record: ExecutionRecord) -> bool:
    """Whether the record is a ready root, as it was made, without key and tags."""
    return (
        _is_new(record)
        and record.parent_execution_id is None
        and record.parent_task_id is None
        and record.root_execution_id is None
        and record.root_task_id is None
        and not (record.index_in_parent or record.is_only_child or record.is_finalize)
    )


def is_new_child(record: ExecutionRecord) -> bool:
    """Whether the record is a ready child, as it was made."""
    return record.parent_execution_id is not None and _is_new(record)


def is_claimed_child(record: ExecutionRecord) -> bool:
    """Whether the record is a child that an executor has claimed in advance."""
    return record.executor_id is not None


def _is_new(record: ExecutionRecord) -> bool:
    return (
        record.status == "ready"
        and record.fence == 0
        and record.executor_id is None
        and record.started_at is None
        and record.expires_at is None
        and record.updated_at == record.created_at
        and record.idempotency_key is None
        and record.sleeping_unique_id is None
        and record.waiting_for_children_at is None
        and record.waiting_for_finalize_at is None
        and record.finished_at is None
        and record.run_output is None
        and record.output is None
        and record.error is None
        and not (
            record.attempt
            or record.crash_count
            or record.children_count
            or record.active_children_count
            or record.tags
        )
    )


def are_traced(records: Sequence[ExecutionRecord]) -> bool:
    """Whether one of the records belongs to a trace."""
    return any(map(_TRACEPARENT, records))


def to_traced_root_row(record: ExecutionRecord) -> Row:
    """Return a new root, ready or just claimed, as a row of `TRACED_ROOT`."""
    return (*to_root_row(record), record.traceparent)


def to_traced_child_row(record: ExecutionRecord) -> Row:
    """Return a new child as a row of `TRACED_CHILD`."""
    return (*to_child_row(record), record.traceparent)


def to_traced_claimed_child_row(record: ExecutionRecord) -> Row:
    """Return a child that was claimed in advance as a row of `TRACED_CLAIMED_CHILD`."""
    return (*to_claimed_child_row(record), record.traceparent)


def to_claimed_child_row(record: ExecutionRecord) -> Row:
    """Return a child that was claimed in advance as a row of `CLAIMED_CHILD`."""
    row = to_child_row(record)
    claim = record.status, record.fence, record.executor_id
    return (*row[:13], *claim, *row[13:16], record.started_at, record.expires_at, *row[16:])


def to_root_row(record: ExecutionRecord) -> Row:
    """Return a new root, ready or just claimed, as a row of `ROOT`."""
    return (
        record.execution_id,
        record.task_id,
        retry_text(record.retry),
        record.sleep_before_run_ms,
        record.timeout_ms,
        record.are_children_sequential,
        record.status,
        record.fence,
        record.executor_id,
        record.start_at,
        record.created_at,
        record.updated_at,
        record.started_at,
        record.expires_at,
        record.input,
    )


def to_child_row(record: ExecutionRecord) -> Row:
    """Return a new child as a row of `CHILD`."""
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
        retry_text(record.retry),
        record.sleep_before_run_ms,
        record.timeout_ms,
        record.are_children_sequential,
        record.start_at,
        record.created_at,
        record.updated_at,
        record.input,
    )
