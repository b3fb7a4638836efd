"""What is enqueued where it can run at once starts with its insert, and is as durable as any."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from durable_execution import (
    DurableExecutor,
    IdempotencyConflictError,
    Storage,
    StorageError,
    Task,
    TaskContext,
)
from tests.conftest import OPTIONS
from tests.executor.faulty_storage import FaultyStorage


@pytest.fixture
def faulty(storage: Storage) -> FaultyStorage:
    return FaultyStorage(storage)


@pytest.fixture
async def executor(faulty: FaultyStorage, lease: float) -> AsyncIterator[DurableExecutor]:
    async with DurableExecutor(faulty, replace(OPTIONS, max_threads=2, lease=lease)) as executor:
        yield executor


@pytest.fixture
def runs() -> Counter[str]:
    return Counter()


@pytest.fixture
async def double(executor: DurableExecutor, runs: Counter[str]) -> Task[int, int]:
    @executor.task
    async def double(ctx: TaskContext, number: int) -> int:
        runs[ctx.execution_id] += 1
        return number * 2

    await (await executor.enqueue_task(double, 0)).result()  # the first claim has found nothing
    runs.clear()
    return double


async def test_a_task_that_can_run_at_once_is_not_claimed(
    executor: DurableExecutor, faulty: FaultyStorage, double: Task[int, int]
) -> None:
    claimed = []
    for number in range(5):
        before = faulty.calls["claim"]
        assert await (await executor.enqueue_task(double, number)).result() == number * 2
        claimed.append(faulty.calls["claim"] - before)
    assert 0 in claimed  # it may have been time to look for what others have enqueued


async def test_it_is_stored_as_a_claim_would_leave_it(
    executor: DurableExecutor, storage: Storage, double: Task[int, int]
) -> None:
    handle = await executor.enqueue_task(double, 1)
    await handle.result()
    (row,) = await storage.get([handle.execution_id])
    assert row is not None
    assert executor._engine is not None
    assert (row.executor_id, row.fence, row.attempt) == (executor._engine.executor_id, 1, 0)
    assert row.started_at is not None
    assert row.created_at <= row.started_at
    assert row.expires_at == row.started_at + row.timeout_ms


@pytest.mark.parametrize("times", [1, 2])
async def test_a_start_whose_answer_is_lost_runs_once(
    executor: DurableExecutor,
    faulty: FaultyStorage,
    double: Task[int, int],
    runs: Counter[str],
    times: int,
) -> None:
    faulty.fail_after("insert", times=times)
    handles = await asyncio.gather(*(executor.enqueue_task(double, each) for each in range(5)))
    assert [await handle.result(timeout=30) for handle in handles] == [0, 2, 4, 6, 8]
    assert sorted(runs.values()) == [1] * 5


async def test_a_task_with_a_key_is_not_claimed_either(
    executor: DurableExecutor, faulty: FaultyStorage, double: Task[int, int]
) -> None:
    claimed = []
    for number in range(5):
        before = faulty.calls["claim"]
        handle = await executor.enqueue_task(double, number, key=f"order {number}")
        assert await handle.result() == number * 2
        claimed.append(faulty.calls["claim"] - before)
    assert 0 in claimed  # as above


async def test_a_start_whose_key_is_held_starts_its_neighbours_only(
    executor: DurableExecutor, double: Task[int, int], runs: Counter[str]
) -> None:
    first = await executor.enqueue_task(double, 1, key="order")
    assert await first.result() == 2
    keys = ["order", None, "other", "order"]
    handles = await asyncio.gather(*(executor.enqueue_task(double, 1, key=key) for key in keys))
    assert [await handle.result() for handle in handles] == [2] * 4
    assert [handle.execution_id == first.execution_id for handle in handles] == [
        key == "order" for key in keys
    ]
    assert sorted(runs.values()) == [1] * 3
    with pytest.raises(IdempotencyConflictError):
        await executor.enqueue_task(double, 2, key="order")


async def test_of_one_key_in_one_batch_one_runs(
    executor: DurableExecutor, double: Task[int, int], runs: Counter[str]
) -> None:
    keys = ["twice", "once", "twice", None, "twice"]
    handles = await asyncio.gather(*(executor.enqueue_task(double, 1, key=key) for key in keys))
    assert [await handle.result() for handle in handles] == [2] * 5
    assert len({handle.execution_id for handle in handles}) == 3
    assert sorted(runs.values()) == [1] * 3


@pytest.mark.parametrize("times", [1, 2])
async def test_a_start_with_a_key_whose_answer_is_lost_runs_once(
    executor: DurableExecutor,
    faulty: FaultyStorage,
    double: Task[int, int],
    runs: Counter[str],
    times: int,
) -> None:
    faulty.fail_after("insert", times=times)
    handles = await asyncio.gather(
        *(executor.enqueue_task(double, each, key=f"order {each}") for each in range(5))
    )
    assert [await handle.result(timeout=5) for handle in handles] == [0, 2, 4, 6, 8]
    again = [await executor.enqueue_task(double, each, key=f"order {each}") for each in range(5)]
    assert [each.execution_id for each in again] == [each.execution_id for each in handles]
    assert sorted(runs.values()) == [1] * 5


async def test_a_start_that_the_storage_refuses_runs_nothing(
    executor: DurableExecutor, faulty: FaultyStorage, double: Task[int, int], runs: Counter[str]
) -> None:
    faulty.fail_before("insert", error=StorageError("disk full"))
    with pytest.raises(StorageError, match="disk full"):
        await executor.enqueue_task(double, 1)
    assert not runs
    assert executor.running_task_executions_count == 0
    assert await (await executor.enqueue_task(double, 2)).result() == 4


async def test_one_bad_row_of_a_batch_starts_no_neighbour_twice(
    executor: DurableExecutor, faulty: FaultyStorage, double: Task[int, int], runs: Counter[str]
) -> None:
    # The batch with two kinds of rows, and then its first half, are refused.
    faulty.fail_before("insert", times=2, error=StorageError("odd"))
    results = await asyncio.gather(
        *(
            executor.enqueue_task(double, each, key="odd" if each == 0 else None)
            for each in range(4)
        ),
        return_exceptions=True,
    )
    handles = [each for each in results if not isinstance(each, BaseException)]
    for handle in handles:
        await handle.result(timeout=30)
    assert set(runs.values()) == {1}
    assert len(runs) == len(handles)


async def test_what_waits_for_room_is_not_overtaken(storage: Storage) -> None:
    order: list[int] = []
    gate = asyncio.Event()
    async with DurableExecutor(storage, replace(OPTIONS, max_concurrent_task_executions=1)) as one:

        @one.task
        async def note(ctx: TaskContext, number: int) -> None:
            await gate.wait()
            order.append(number)

        handles = []
        for number in range(4):
            handles.append(await one.enqueue_task(note, number))
            await asyncio.sleep(0.002)  # the next one is enqueued in a later millisecond
        gate.set()
        for number in range(4, 8):
            handles.append(await one.enqueue_task(note, number))
            await asyncio.sleep(0.002)  # as above
        for handle in handles:
            await handle.result(timeout=30)
    assert order == list(range(8))


async def test_no_more_threads_start_than_there_are(
    executor: DurableExecutor, double: Task[int, int]
) -> None:
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    @executor.task
    def blocking(ctx: TaskContext) -> None:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()

    handles = await asyncio.gather(*(executor.enqueue_task(blocking) for _ in range(6)))
    while executor.running_task_executions_count < 2:
        await asyncio.sleep(0.01)  # where the inserts took more than one batch
    assert executor.running_task_executions_count == 2
    gate.set()
    for handle in handles:
        await handle.result(timeout=30)


@pytest.mark.parametrize("lease", [1], indirect=True)
async def test_an_executor_that_lost_its_lease_starts_nothing(
    executor: DurableExecutor, storage: Storage, double: Task[int, int], runs: Counter[str]
) -> None:
    assert executor._engine is not None
    for _ in range(50):
        # As if it had been given up for dead at this moment, before a beat could tell.
        await storage.sign_off(executor._engine.executor_id)
        handle = await executor.enqueue_task(double, 1)
        (row,) = await storage.get([handle.execution_id])
        assert row is not None
        if row.status == "ready":
            break
        await handle.result(timeout=30)  # a beat came between, after all
    assert (row.status, row.fence) == ("ready", 0)
    # The next beat registers the executor again.
    assert await handle.result(timeout=30) == 2
    assert runs[handle.execution_id] == 1


async def test_a_shutdown_that_meets_a_start_loses_nothing(storage: Storage) -> None:
    faulty = FaultyStorage(storage)
    doomed = DurableExecutor(faulty, replace(OPTIONS, shutdown_timeout=0))
    closing: list[asyncio.Future[None]] = []

    async def double(ctx: TaskContext, number: int) -> int:
        if not closing or not closing[0].done():
            await asyncio.Event().wait()
        return number * 2

    task = doomed.task(double)
    await doomed.start()
    await asyncio.sleep(0.1)  # the first claim finds nothing
    faulty.after_next("insert", lambda: closing.append(asyncio.ensure_future(doomed.shutdown())))
    handle = await doomed.enqueue_task(task, 4)
    await closing[0]
    other = DurableExecutor(storage, OPTIONS)
    task = other.task(double)
    async with other:
        found = await other.get_task_execution_handle(task, handle.execution_id)
        assert await found.result(timeout=30) == 8
        execution = await found.get_execution()
    assert execution.attempt == 0
