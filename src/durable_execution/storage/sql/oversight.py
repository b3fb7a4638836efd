"""Statements for who runs the system: counting what there is and is left to do, and deleting."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ClauseElement, Integer, bindparam, delete, func, select

from durable_execution.storage.sql.driver import SqlDialect
from durable_execution.storage.sql.rows import TAG
from durable_execution.storage.sql.schema import IS_SLEEPING, executions, progress, tags

_E: Final = executions.c


def oversight(dialect: SqlDialect) -> dict[str, ClauseElement]:
    """Build them for a dialect."""
    return {**_counts(dialect), **_backlog(dialect), **_deletions(dialect)}


def _counts(dialect: SqlDialect) -> dict[str, ClauseElement]:
    counts = select(_E.task_id, _E.status, func.count()).group_by(_E.task_id, _E.status)
    return {
        "counts": counts,
        "counts_of_tasks": counts.where(dialect.is_any_of(_E.task_id, "task_ids")),
    }


def _backlog(dialect: SqlDialect) -> dict[str, ClauseElement]:
    limit = bindparam("limit", type_=Integer)
    ready = (
        select(_E.task_id, dialect.ready_at().label("at"))
        .where(dialect.is_ready())
        .order_by(dialect.ready_at())
        .limit(limit)
        .subquery("ready")
    )
    failed = (
        select(_E.task_id, _E.status, _E.finished_at)
        .where(dialect.has_failed())
        .order_by(dialect.failed_id().desc())
        .limit(limit)
        .subquery("failed")
    )
    sleeping = select(_E.execution_id).where(IS_SLEEPING).limit(limit).subquery("sleeping")
    created = (
        select(_E.finished_at)
        .where(_E.execution_id >= bindparam("id_from"), _E.created_at >= bindparam("since"))
        .limit(limit)
        .subquery("created")
    )
    return {
        "backlog_ready": select(ready.c.task_id, func.count(), func.min(ready.c.at)).group_by(
            ready.c.task_id
        ),
        "backlog_failed": select(failed.c.task_id, failed.c.status, func.count())
        .where(failed.c.finished_at >= bindparam("since"))
        .group_by(failed.c.task_id, failed.c.status),
        "backlog_sleeping": select(func.count()).select_from(sleeping),
        "backlog_created": select(func.count(), func.count(created.c.finished_at)).select_from(
            created
        ),
    }


def _deletions(dialect: SqlDialect) -> dict[str, ClauseElement]:
    return {
        "finished_roots": select(_E.execution_id)
        .where(
            _E.execution_id < bindparam("id_before"),
            _E.parent_execution_id.is_(None),
            _E.finished_at < bindparam("finished_before"),
        )
        .order_by(_E.execution_id)
        .limit(bindparam("limit")),
        "children_ids": select(_E.execution_id)
        .where(dialect.is_any_of(_E.parent_execution_id, "parent_execution_ids"))
        .limit(bindparam("limit")),
        "delete_finished": delete(executions)
        .where(
            dialect.is_any_of(_E.execution_id, "execution_ids"),
            _E.finished_at.is_not(None),
        )
        .returning(_E.execution_id, _E.tags),
        "delete_progress": delete(progress).where(
            dialect.is_any_of(progress.c.execution_id, "execution_ids")
        ),
        "delete_tag": delete(tags).where(*[tags.c[name] == bindparam(name) for name in TAG]),
    }
