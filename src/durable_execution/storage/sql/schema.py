"""The tables, their invariants and their indexes.

Columns are named after the fields of the record, payloads last: whoever reads the others does not
pay for them. The past of a row, an array in JSON and the number of all attempts there were, is
NULL until an attempt has ended after which another one follows.

The record's invariants are CHECK constraints too: a write that would break one fails as a whole.
Indexes are partial and cover what is scanned, and no index holds running rows, so that a claim
leaves one index and a finish touches none. What dead executors ran is found by a scan of the
table, which happens only when an executor has died or signed off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    and_,
    bindparam,
    literal_column,
    or_,
    select,
    text,
)

from durable_execution._core.limits import (
    MAX_EXECUTION_ID_LENGTH,
    MAX_IDEMPOTENCY_KEY_LENGTH,
    MAX_SLEEPING_ID_LENGTH,
    MAX_TAG_NAME_LENGTH,
    MAX_TAG_VALUE_LENGTH,
    MAX_TASK_ID_LENGTH,
    TRACEPARENT_LENGTH,
)
from durable_execution._core.status import ERRORED, WAITING, Status

if TYPE_CHECKING:
    from sqlalchemy.sql.base import ColumnCollection
    from sqlalchemy.sql.elements import ColumnElement, TextClause

MAX_EXECUTOR_ID_LENGTH: Final = 255


def status_in(statuses: frozenset[Status]) -> TextClause:
    """Return the condition that the status is one of these, written exactly as indexes write it.

    Databases use a partial index only for a query that repeats its condition.
    """
    quoted = (f"'{status}'" for status in sorted(statuses))
    return text(f"status IN ({', '.join(quoted)})")


IS_READY: Final = text("status = 'ready'")
IS_RUNNING: Final = text("status = 'running'")
IS_UNFINISHED: Final = text("finished_at IS NULL")
IS_JOINABLE: Final = text(f"{status_in(WAITING)} AND active_children_count = 0")
HAS_KEY: Final = text("idempotency_key IS NOT NULL")
IS_SLEEPING: Final = text("status = 'running' AND sleeping_unique_id IS NOT NULL")
HAS_FAILED: Final = status_in(ERRORED)
IS_ANY: Final = text("index_in_parent >= 0")
"""True of every row. Only a query that repeats it uses the index that has it for a condition."""
IS_HELD: Final = text("status = 'running' AND sleeping_unique_id IS NULL")

_IS_OPEN: Final = "finished_at IS NULL AND active_children_count = 0"
_IS_CLOSED: Final = "finished_at IS NOT NULL AND active_children_count = 0"
_BY_STATUS: Final[Mapping[Status, str]] = {
    "ready": f"{_IS_OPEN} AND sleeping_unique_id IS NULL",
    "running": f"{_IS_OPEN} AND (executor_id IS NOT NULL OR sleeping_unique_id IS NOT NULL)",
    "waiting_for_children": "finished_at IS NULL AND active_children_count >= 0",
    "waiting_for_finalize": "finished_at IS NULL AND active_children_count >= 0",
    "completed": f"{_IS_CLOSED} AND error IS NULL",
    "failed": f"{_IS_CLOSED} AND error IS NOT NULL",
    "timed_out": f"{_IS_CLOSED} AND error IS NOT NULL",
    "finalize_failed": f"{_IS_CLOSED} AND error IS NOT NULL",
    "cancelled": f"{_IS_CLOSED} AND error IS NOT NULL",
}
# One CASE, because SQLite builds a table for every longer IN list, for every row: such checks
# took a third of the time of all writes.
_INVARIANTS: Final = "\n".join(
    [
        "CASE status",
        *(f"WHEN '{status}' THEN {condition}" for status, condition in _BY_STATUS.items()),
        "ELSE 1 = 0 END",
    ]
)

metadata: Final = MetaData()

executions: Final = Table(
    "durable_task_executions",
    metadata,
    Column("execution_id", String(MAX_EXECUTION_ID_LENGTH), primary_key=True, nullable=False),
    Column("task_id", String(MAX_TASK_ID_LENGTH), nullable=False),
    Column("root_task_id", String(MAX_TASK_ID_LENGTH)),
    Column("root_execution_id", String(MAX_EXECUTION_ID_LENGTH)),
    Column("parent_task_id", String(MAX_TASK_ID_LENGTH)),
    Column("parent_execution_id", String(MAX_EXECUTION_ID_LENGTH)),
    Column("index_in_parent", Integer, nullable=False),
    Column("is_only_child", Boolean, nullable=False),
    Column("is_finalize", Boolean, nullable=False),
    Column("sleeping_unique_id", String(MAX_SLEEPING_ID_LENGTH)),
    Column("idempotency_key", String(MAX_IDEMPOTENCY_KEY_LENGTH)),
    Column("retry", Text, nullable=False),
    Column("sleep_before_run_ms", BigInteger, nullable=False),
    Column("timeout_ms", BigInteger, nullable=False),
    Column("are_children_sequential", Boolean, nullable=False),
    Column("status", String(32), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("executor_id", String(MAX_EXECUTOR_ID_LENGTH)),
    Column("attempt", Integer, nullable=False),
    Column("crash_count", Integer, nullable=False),
    Column("start_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("waiting_for_children_at", BigInteger),
    Column("waiting_for_finalize_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("children_count", Integer, nullable=False),
    Column("active_children_count", Integer, nullable=False),
    Column("tags", Text),
    Column("error", Text),
    Column("input", LargeBinary, nullable=False),
    Column("run_output", LargeBinary),
    Column("output", LargeBinary),
    # With a `tracestate` it is longer, which only MySQL minds.
    Column("traceparent", String(TRACEPARENT_LENGTH)),
    Column("past_attempts", Text),
    Column("past_attempts_count", Integer),
    CheckConstraint(_INVARIANTS, name="durable_status_fits_fields"),
)

tags: Final = Table(
    "durable_task_execution_tags",
    metadata,
    Column("name", String(MAX_TAG_NAME_LENGTH), primary_key=True, nullable=False),
    Column("value", String(MAX_TAG_VALUE_LENGTH), primary_key=True, nullable=False),
    Column("execution_id", String(MAX_EXECUTION_ID_LENGTH), primary_key=True, nullable=False),
    sqlite_with_rowid=False,
)
"""Executions by tag, in the order of their ids; what an execution shows is its column `tags`.

No foreign key: it would cost every row that is written, and rows leave only through
`Storage.delete_finished`, with their tags.
"""

progress: Final = Table(
    "durable_task_execution_progress",
    metadata,
    Column("execution_id", String(MAX_EXECUTION_ID_LENGTH), primary_key=True, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("fraction", Double, nullable=False),
    Column("message", Text),
    Column("updated_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The newest progress of executions that report any, apart from their rows: it is written often,
and those that report none must not pay for it."""

executors: Final = Table(
    "durable_executors",
    metadata,
    Column("executor_id", String(MAX_EXECUTOR_ID_LENGTH), primary_key=True, nullable=False),
    Column("lease_expires_at", BigInteger, nullable=False),
    Column("task_ids", Text, nullable=True),
    Column("started_at", BigInteger, nullable=True),
    Column("beat_at", BigInteger, nullable=True),
    Column("held_count", Integer, nullable=True),
    Column("ended_count", BigInteger, nullable=True),
)
"""Who beats, and what it runs (a list in JSON, written when it changes). A lease that expires at 0
is that of an executor that signed off. What an older release wrote has none of the last four."""

schema_version: Final = Table(
    "durable_execution_schema",
    metadata,
    Column(
        "single_row",
        Integer,
        CheckConstraint("single_row = 1"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("version", Integer, nullable=False),
)


def is_newer(given: ColumnCollection[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    """Return the condition that the progress given is newer than the one that is kept."""
    kept = progress.c
    return or_(
        given["fence"] > kept.fence,
        and_(given["fence"] == kept.fence, given["number"] > kept.number),
    )


def has_lease(now: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition that the executor of the parameter `executor_id` has a lease."""
    return (
        select(literal_column("1", Integer))
        .where(
            executors.c.executor_id == bindparam("executor_id"),
            executors.c.lease_expires_at > now,
        )
        .exists()
    )


def _partial_index(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    return Index(
        name,
        *[executions.c[column] for column in columns],
        unique=unique,
        sqlite_where=where,
        postgresql_where=where,
    )


INDEXES: Final = (
    # By start alone, so that a claim stops at its limit. The others are there to pass over rows
    # of unknown tasks without reading them; SQLite reads the status too, though the index implies
    # it.
    _partial_index("durable_ready", "start_at", "task_id", "status", where=IS_READY),
    _partial_index("durable_joinable", "waiting_for_children_at", "task_id", where=IS_JOINABLE),
    _partial_index("durable_sleeping", "expires_at", where=IS_SLEEPING),
    _partial_index(
        "durable_children",
        "parent_execution_id",
        "is_finalize",
        "index_in_parent",
        where=text("parent_execution_id IS NOT NULL"),
    ),
    _partial_index(
        "durable_sleeping_unique_id",
        "sleeping_unique_id",
        where=text("sleeping_unique_id IS NOT NULL"),
        unique=True,
    ),
    _partial_index(
        "durable_idempotency_key",
        "task_id",
        "idempotency_key",
        where=HAS_KEY,
        unique=True,
    ),
    # For searches. What has completed is in none that its finish changes. The first is out of the
    # way of planners that would rather walk it than the index of what is ready.
    _partial_index("durable_by_task", "task_id", "execution_id", where=IS_ANY),
    _partial_index("durable_failed", "execution_id", where=HAS_FAILED),
    _partial_index("durable_unfinished", "execution_id", where=IS_UNFINISHED),
)
SQLITE_ONLY: Final = frozenset({"durable_unfinished"})
"""Where an update writes all indexes anyway, this one costs little; elsewhere a finish would."""
