"""How many executions there are, where they stand, and who works on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from durable_execution._core.found import ExecutionStats, FoundExecutor
from durable_execution.executor import DurableExecutor

LATELY: Final = 86_400.0
"""Seconds that failures are counted for."""
COUNTED_AT_MOST: Final = 10_000
"""Executions of each kind; above that there are "10,000 or more"."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Count:
    """A number, or the least that it is."""

    number: int
    is_least: bool = False


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits of one task."""

    task_id: str
    ready: Count
    oldest_ready_ms: int | None
    is_known: bool


@dataclass(frozen=True, slots=True)
class Worker:
    """An executor, as the storage knows it; instants in milliseconds since the epoch."""

    executor_id: str
    is_alive: bool
    has_signed_off: bool
    started_at: int | None
    beat_at: int | None
    running: int | None
    tasks: int | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The state of a storage."""

    ready: Count
    oldest_ready_ms: int | None
    running: int
    sleeping: Count
    failed: Count
    tasks: tuple[Queue, ...]
    executors: tuple[Worker, ...]
    ended: Mapping[str, int]
    """Attempts that have ended on each executor since it started, as far as it told."""

    @property
    def unknown(self) -> tuple[Queue, ...]:
        """What waits of tasks that no executor alive knows."""
        return tuple(task for task in self.tasks if not task.is_known)

    @property
    def alive(self) -> int:
        """How many executors live."""
        return sum(each.is_alive for each in self.executors)

    @property
    def lost(self) -> int:
        """How many have died, or lost their lease, without signing off."""
        return sum(not (each.is_alive or each.has_signed_off) for each in self.executors)


async def figures_of(executor: DurableExecutor) -> Figures:
    """Ask the storage, at a cost that does not grow with what it holds.

    Raises:
        StorageError: The storage cannot be reached.
    """
    stats = await executor.get_stats(lately=LATELY, counted_at_most=COUNTED_AT_MOST)
    failed = sum(sum(task.failed.values()) for task in stats.tasks.values())
    return Figures(
        ready=_count(stats.ready),
        oldest_ready_ms=_age(stats.at, stats.oldest_start_at),
        running=sum(each.running_count or 0 for each in stats.executors if each.is_alive),
        sleeping=_count(stats.sleeping),
        failed=_count(failed),
        tasks=tuple(sorted(_queues(stats), key=lambda queue: -queue.ready.number)),
        executors=tuple(sorted(map(_worker, stats.executors), key=_living_first)),
        ended={each.executor_id: each.ended_count or 0 for each in stats.executors},
    )


def _queues(stats: ExecutionStats) -> Iterator[Queue]:
    for task_id, task in stats.tasks.items():
        if task.ready:
            age = _age(stats.at, task.oldest_start_at)
            yield Queue(task_id, _count(task.ready), age, task.is_known)


def _worker(found: FoundExecutor) -> Worker:
    return Worker(
        executor_id=found.executor_id,
        is_alive=found.is_alive,
        has_signed_off=found.lease_expires_at is None,
        started_at=_milliseconds(found.started_at),
        beat_at=_milliseconds(found.beat_at),
        running=found.running_count,
        tasks=None if found.task_ids is None else len(found.task_ids),
    )


def _living_first(worker: Worker) -> tuple[bool, str]:
    return not worker.is_alive, worker.executor_id


def _count(number: int) -> Count:
    return Count(number, is_least=number >= COUNTED_AT_MOST)


def _age(now: datetime, since: datetime | None) -> int | None:
    return None if since is None else max(0, (now - since) // _MILLISECOND)


def _milliseconds(instant: datetime | None) -> int | None:
    return None if instant is None else (instant - _EPOCH) // _MILLISECOND
