"""What is left to do and what went wrong lately, counted over rows in memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import ERRORED, Status
from durable_execution.storage.protocol import Backlog


def backlog_of(rows: Iterable[ExecutionRecord], limit: int, *, since: int, id_from: str) -> Backlog:
    """Count, as `Storage.backlog` says."""
    rows = list(rows)
    ready: dict[str, tuple[int, int]] = {}
    is_ready = (row for row in rows if row.status == "ready")
    for row in heapq.nsmallest(limit, is_ready, key=lambda row: row.start_at):
        number, first = ready.get(row.task_id, (0, row.start_at))
        ready[row.task_id] = (number + 1, first)
    failed: dict[str, dict[Status, int]] = {}
    has_failed = (row for row in rows if row.status in ERRORED)
    for row in heapq.nlargest(limit, has_failed, key=lambda row: row.execution_id):
        if row.finished_at is not None and row.finished_at >= since:
            of_task = failed.setdefault(row.task_id, {})
            of_task[row.status] = of_task.get(row.status, 0) + 1
    created = [row for row in rows if row.execution_id >= id_from and row.created_at >= since]
    sleeping = sum(row.status == "running" and row.sleeping_unique_id is not None for row in rows)
    return Backlog(
        ready=ready,
        failed=failed,
        sleeping=min(sleeping, limit),
        created=min(len(created), limit),
        finished=sum(row.is_finished for row in created[:limit]),
    )
