"""From what a storage counts to the numbers that users see."""

from __future__ import annotations

from collections.abc import Sequence

from durable_execution._core.found import ExecutionStats, FoundExecutor, TaskBacklog
from durable_execution._engine.viewing import instant, instant_or_none
from durable_execution.storage.protocol import Backlog, ListedExecutor


def found_executor_of(listed: ListedExecutor, now: int) -> FoundExecutor:
    """Build the view of an executor at an instant of the storage's clock."""
    return FoundExecutor(
        executor_id=listed.executor_id,
        is_alive=listed.lease_expires_at > now,
        lease_expires_at=instant_or_none(listed.lease_expires_at or None),
        task_ids=listed.task_ids,
        started_at=instant_or_none(listed.started_at),
        beat_at=instant_or_none(listed.beat_at),
        running_count=listed.held_count,
        ended_count=listed.ended_count,
    )


def stats_of(
    backlog: Backlog,
    listed: Sequence[ListedExecutor],
    *,
    now: int,
    since: int,
    counted_at_most: int,
) -> ExecutionStats:
    """Build the numbers."""
    executors = tuple(found_executor_of(each, now) for each in listed)
    known = frozenset().union(*(each.task_ids or () for each in executors if each.is_alive))
    tasks = {}
    for task_id in sorted({*backlog.ready, *backlog.failed}):
        ready, first = backlog.ready.get(task_id, (0, None))
        tasks[task_id] = TaskBacklog(
            ready=ready,
            oldest_start_at=instant_or_none(first),
            failed=backlog.failed.get(task_id, {}),
            is_known=task_id in known,
        )
    return ExecutionStats(
        at=instant(now),
        since=instant(since),
        counted_at_most=counted_at_most,
        tasks=tasks,
        ready=sum(number for number, _ in backlog.ready.values()),
        sleeping=backlog.sleeping,
        enqueued=backlog.created,
        finished=backlog.finished,
        executors=executors,
    )
