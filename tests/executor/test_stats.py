"""What an executor tells of the others on its storage, and of what is left to do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    InvalidOptionError,
    Storage,
    TaskContext,
    open_storage,
)
from tests.conftest import OPTIONS


@pytest.mark.parametrize("lease", [2], indirect=True)  # beats come by the lease
async def test_executors_tell_what_they_run(executor: DurableExecutor) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    @executor.task
    async def slow(ctx: TaskContext) -> None:
        begun.set()
        await may_end.wait()

    @executor.task
    async def quick(ctx: TaskContext) -> None: ...

    await (await executor.enqueue_task(quick)).result()
    handle = await executor.enqueue_task(slow)
    await begun.wait()
    async with asyncio.timeout(30):
        while True:
            (found,) = await executor.list_executors()
            if found.running_count == 1 and found.task_ids == {"slow", "quick"}:
                break
            await asyncio.sleep(0.05)  # until a beat has told it
    assert found.is_alive
    assert found.ended_count == 1
    assert found.started_at is not None
    assert found.beat_at is not None
    assert found.lease_expires_at is not None
    assert found.started_at <= found.beat_at < found.lease_expires_at
    may_end.set()
    await handle.result()


async def test_stats_tell_what_waits_for_whom_and_what_failed(executor: DurableExecutor) -> None:
    @executor.task
    async def bad(ctx: TaskContext) -> None:
        raise ValueError("no")

    @executor.task
    async def later(ctx: TaskContext) -> None: ...

    await (await executor.enqueue_task(bad)).wait_and_get_finished_execution()
    before = datetime.now(UTC)
    for _ in range(3):
        await executor.enqueue_task(later, sleep_before_run=60)
    stats = await executor.get_stats()
    assert (stats.ready, stats.sleeping, stats.enqueued, stats.finished) == (3, 0, 4, 1)
    assert stats.tasks["bad"].failed == {"failed": 1}
    assert stats.tasks["later"].ready == 3
    assert stats.oldest_start_at == stats.tasks["later"].oldest_start_at
    assert stats.oldest_start_at is not None
    assert abs(stats.oldest_start_at - before - timedelta(seconds=60)) < timedelta(seconds=30)
    assert stats.at - stats.since == timedelta(hours=1)
    assert [each.is_alive for each in stats.executors] == [True]
    few = await executor.get_stats(counted_at_most=2)
    assert (few.ready, few.counted_at_most) == (2, 2)


async def test_stats_name_what_no_executor_runs(storage: Storage) -> None:
    options = ExecutorOptions(max_concurrent_task_executions=0)
    async with DurableExecutor(storage, options) as executor:

        @executor.task
        async def orphaned(ctx: TaskContext) -> None: ...

        await executor.enqueue_task(orphaned)
        stats = await executor.get_stats()
        assert stats.unknown_task_ids == {"orphaned"}


@pytest.mark.parametrize("bad", [{"lately": 0}, {"counted_at_most": 0}, {"counted_at_most": 10**6}])
async def test_bounds_of_stats_are_checked(bad: dict[str, int]) -> None:
    async with DurableExecutor(open_storage("memory://"), OPTIONS) as executor:
        with pytest.raises(InvalidOptionError):
            await executor.get_stats(**bad)
