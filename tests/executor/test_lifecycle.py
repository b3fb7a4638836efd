from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    ExecutorShutDownError,
    InvalidOptionError,
    RetryOptions,
    Storage,
    StorageError,
    TaskContext,
    Tasks,
)
from tests.conftest import CLAIMED, OPTIONS
from tests.executor.faulty_storage import FaultyStorage

SHARED = replace(OPTIONS, poll_interval=0.05)
"""For executors that have to find what others enqueued."""


async def nothing(ctx: TaskContext) -> None: ...


async def test_an_executor_starts_once_and_ends_once(storage: Storage) -> None:
    executor = DurableExecutor(storage, OPTIONS)
    assert not executor.is_healthy
    await executor.start()
    await executor.start()
    assert executor.is_healthy
    await executor.shutdown()
    await executor.shutdown()
    assert not executor.is_healthy
    assert executor.running_task_executions_count == 0
    assert executor.running_task_execution_ids == frozenset()
    with pytest.raises(ExecutorShutDownError, match="make a new one"):
        await executor.start()


async def test_work_is_refused_before_the_start_and_after_the_end(storage: Storage) -> None:
    executor = DurableExecutor(storage, OPTIONS)
    task = executor.task(nothing)
    with pytest.raises(ExecutorShutDownError, match="not started"):
        await executor.enqueue_task(task)
    async with executor:
        await (await executor.enqueue_task(task)).result()
    for call in (
        executor.enqueue_task(task),
        executor.get_task_execution_handle(task, "te_1"),
        executor.wakeup_sleeping_task_execution(task, "a", output=None),  # type: ignore[call-overload]
    ):
        with pytest.raises(ExecutorShutDownError, match="shut down"):
            await call


async def test_a_task_that_runs_an_unregistered_one_stops_the_start(storage: Storage) -> None:
    executor = DurableExecutor(storage, OPTIONS)
    executor.sequential_tasks("steps", [Tasks().task(nothing)])
    with pytest.raises(InvalidOptionError, match="'steps' runs task 'nothing'"):
        await executor.start()


async def test_a_storage_that_does_not_open_leaves_the_executor_to_be_started_again(
    storage: Storage,
) -> None:
    faulty = FaultyStorage(storage)
    faulty.fail_before("heartbeat", error=StorageError("no"))
    executor = DurableExecutor(faulty, OPTIONS)
    task = executor.task(nothing)
    with pytest.raises(StorageError, match="no"):
        await executor.start()
    assert not executor.is_healthy
    async with executor:
        await (await executor.enqueue_task(task)).result()


async def test_what_was_enqueued_is_run_by_the_next_executor(storage: Storage) -> None:
    first, second = (DurableExecutor(storage, OPTIONS) for _ in range(2))
    task = first.task(sleep_before_run=0.05)(nothing)
    second.add(task)
    async with first:
        execution_id = (await first.enqueue_task(task)).execution_id
    async with second:
        handle = await second.get_task_execution_handle(task, execution_id)
        assert await handle.result() is None


async def test_a_shutdown_lets_running_tasks_end(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "durable_execution")
    begun, told = asyncio.Event(), asyncio.Event()
    executor = DurableExecutor(storage, replace(OPTIONS, shutdown_timeout=30))

    @executor.task
    async def work(ctx: TaskContext) -> str:
        begun.set()
        await ctx.shutdown_signal.wait()
        told.set()
        return "in time"

    await executor.start()
    handle = await executor.enqueue_task(work)
    waiting = asyncio.ensure_future(handle.result())
    await begun.wait()
    await executor.shutdown()
    assert told.is_set()
    assert await waiting == "in time"
    assert "shutting down once what runs has ended" in caplog.messages


async def test_what_does_not_end_in_time_is_handed_back_and_ended_elsewhere(
    storage: Storage,
) -> None:
    first, second = (
        DurableExecutor(each, replace(SHARED, shutdown_timeout=0, lease=3600))
        for each in (storage, storage.sibling())
    )
    begun = asyncio.Event()
    attempts: list[int] = []
    is_second = False

    @first.task(retry=RetryOptions(max_retries=3))
    async def work(ctx: TaskContext) -> str:
        attempts.append(ctx.attempt)
        begun.set()
        if not is_second:
            await asyncio.Event().wait()
        return "done"

    await first.start()
    handle = await first.enqueue_task(work)
    await begun.wait()
    await first.shutdown()
    is_second = True
    second.add(work)
    async with second:
        found = await second.get_task_execution_handle(work, handle.execution_id)
        # Long before the lease of an hour is over.
        execution = await found.wait_and_get_finished_execution()
    assert execution.status == "completed"
    assert (execution.attempt, attempts) == (0, [0, 0])


async def test_an_attempt_that_a_shutdown_meets_before_its_first_step_is_handed_back(
    storage: Storage,
) -> None:
    faulty = FaultyStorage(storage)
    executor = DurableExecutor(faulty, replace(OPTIONS, lease=3600))
    task = executor.task(nothing)
    await executor.start()
    engine = executor._engine
    assert engine is not None
    loop = asyncio.get_running_loop()
    handed_back = asyncio.Event()

    def stop_soon() -> None:
        loop.call_soon(engine.running.stop_all, "shutdown")
        faulty.after_next("apply", handed_back.set)

    faulty.after_next("claim", stop_soon)
    handle = await executor.enqueue_task(task, tags=CLAIMED)
    await handed_back.wait()
    assert await handle.result() is None
    while executor.running_task_executions_count:
        await asyncio.sleep(0)  # the attempt ends by itself
    await executor.shutdown()


async def test_a_thread_that_ends_late_in_a_shutdown_keeps_its_result(storage: Storage) -> None:
    begun = threading.Event()
    executor = DurableExecutor(storage, replace(OPTIONS, shutdown_timeout=0))

    @executor.task
    def work(ctx: TaskContext) -> str:
        begun.set()
        assert ctx.cancel_signal.wait_in_thread(30)
        return "at the last moment"

    await executor.start()
    handle = await executor.enqueue_task(work)
    waiting = asyncio.ensure_future(handle.result())
    await asyncio.to_thread(begun.wait)
    await executor.shutdown()
    assert await waiting == "at the last moment"


async def test_a_thread_that_does_not_end_keeps_its_row_until_the_lease_is_over(
    storage: Storage,
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    first = DurableExecutor(storage, replace(OPTIONS, shutdown_timeout=0))
    second = DurableExecutor(storage.sibling(), OPTIONS)
    aside = storage.sibling()
    runs: list[str] = []

    @first.task
    def work(ctx: TaskContext) -> str:
        runs.append(ctx.execution_id)
        begun.set()
        if len(runs) == 1:
            go_on.wait(60)
        return "done"

    second.add(work)
    await first.start()
    handle = await first.enqueue_task(work)
    await asyncio.to_thread(begun.wait)
    await first.shutdown()
    await aside.open()
    row = (await aside.get([handle.execution_id]))[0]
    assert row is not None
    assert row.status == "running"
    assert row.executor_id is not None
    await aside.sign_off(row.executor_id)  # which is what the end of the lease is
    await aside.close()
    async with second:
        found = await second.get_task_execution_handle(work, handle.execution_id)
        assert await found.result() == "done"
    go_on.set()
    assert runs == [handle.execution_id] * 2


async def test_one_executor_enqueues_what_another_runs(storage: Storage) -> None:
    tasks = Tasks()

    @tasks.task
    async def where(ctx: TaskContext) -> str:
        return "here"

    # An executor runs what it knows, so the one that only enqueues has no room.
    enqueuing = DurableExecutor(storage, replace(SHARED, max_concurrent_task_executions=1))
    running = DurableExecutor(storage.sibling(), SHARED)
    gate = asyncio.Event()

    @enqueuing.task
    async def occupy(ctx: TaskContext) -> None:
        await gate.wait()

    enqueuing.include(tasks)
    running.include(tasks)
    async with enqueuing, running:
        await enqueuing.enqueue_task(occupy)
        while enqueuing.running_task_executions_count == 0:
            await asyncio.sleep(0.001)  # the claim is on its way
        handles = [await enqueuing.enqueue_task(where) for _ in range(10)]
        for handle in handles:
            assert await handle.result() == "here"
        gate.set()


async def test_tasks_of_others_are_left_alone(storage: Storage) -> None:
    # The first one has no room: one that has could end its own row before it is gone.
    first = DurableExecutor(storage, replace(SHARED, max_concurrent_task_executions=0))
    stranger = DurableExecutor(storage.sibling(), SHARED)
    theirs = first.task(nothing)
    own = stranger.task(id="own")(nothing)
    async with stranger:
        async with first:
            handle = await first.enqueue_task(theirs)
        await (await stranger.enqueue_task(own, tags=CLAIMED)).result()
        record = (await stranger._engine.storage.get([handle.execution_id]))[0]  # type: ignore[union-attr]
        assert record is not None
        assert (record.status, record.fence) == ("ready", 0)


async def test_threads_are_claimed_only_as_far_as_there_are_threads(storage: Storage) -> None:
    options = ExecutorOptions(max_threads=2, poll_interval=60)
    gate = threading.Event()
    running: set[str] = set()
    async with DurableExecutor(storage, options) as executor:

        @executor.task
        def block(ctx: TaskContext) -> None:
            running.add(ctx.execution_id)
            gate.wait(30)

        quick = executor.task(nothing)
        blocking = [await executor.enqueue_task(block) for _ in range(5)]
        for _ in range(5):
            await (await executor.enqueue_task(quick)).result()
        states = [(await handle.get_execution()).status for handle in blocking]
        assert sorted(states) == ["ready"] * 3 + ["running"] * 2
        gate.set()
        await asyncio.gather(*(handle.result() for handle in blocking))
        assert len(running) == 5


async def test_no_more_attempts_run_than_there_is_room_for(storage: Storage) -> None:
    options = ExecutorOptions(max_concurrent_task_executions=3, poll_interval=60)
    most = 0
    async with DurableExecutor(storage, options) as executor:

        @executor.task
        async def count(ctx: TaskContext) -> None:
            nonlocal most
            most = max(most, executor.running_task_executions_count)
            await asyncio.sleep(0)

        handles = [await executor.enqueue_task(count) for _ in range(20)]
        await asyncio.gather(*(handle.result() for handle in handles))
    assert 1 <= most <= 3


async def test_who_starts_or_ends_an_executor_twice_at_once_waits_for_it(
    storage: Storage,
) -> None:
    executor = DurableExecutor(storage, OPTIONS)
    await asyncio.gather(executor.start(), executor.start())
    assert executor.is_healthy
    await asyncio.gather(executor.shutdown(), executor.shutdown())
    with pytest.raises(ExecutorShutDownError, match="make a new one"):
        await executor.start()
