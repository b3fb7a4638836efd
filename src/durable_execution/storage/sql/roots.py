"""New roots as narrow rows: most of what is inserted differs in fifteen of thirty-five columns.

Every value of a batch is bound, checked and, for a server, encoded; the constants are part of the
statement.
"""

from __future__ import annotations

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
"""What tells new roots apart: the rest is 0 (`ROOT_ZEROS`), false (`ROOT_FALSE`) or NULL."""
ROOT_ZEROS: Final = (
    "index_in_parent",
    "attempt",
    "crash_count",
    "children_count",
    "active_children_count",
)
ROOT_FALSE: Final = ("is_only_child", "is_finalize")


def root_constants() -> dict[str, ColumnElement[Any]]:
    """Return what new roots have in the columns that `ROOT` does not name and that have no NULL."""
    zeros = {name: literal_column("0", executions.c[name].type) for name in ROOT_ZEROS}
    return {**zeros, **{name: false() for name in ROOT_FALSE}}


def is_new_root(record: ExecutionRecord) -> bool:
    """Whether the record is a ready root, as it was made, without key and tags."""
    return (
        record.status == "ready"
        and record.fence == 0
        and record.executor_id is None
        and record.started_at is None
        and record.expires_at is None
        and record.updated_at == record.created_at
        and record.parent_execution_id is None
        and record.parent_task_id is None
        and record.root_execution_id is None
        and record.root_task_id is None
        and record.idempotency_key is None
        and record.sleeping_unique_id is None
        and record.waiting_for_children_at is None
        and record.waiting_for_finalize_at is None
        and record.finished_at is None
        and record.run_output is None
        and record.output is None
        and record.error is None
        and not (
            record.index_in_parent
            or record.is_only_child
            or record.is_finalize
            or record.attempt
            or record.crash_count
            or record.children_count
            or record.active_children_count
            or record.tags
        )
    )


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
