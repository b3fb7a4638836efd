"""Many tasks enqueued together: one commit, all or none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from durable_execution import (
    DurableExecutionNotFoundError,
    DurableExecutor,
    ExecutorOptions,
    IdempotencyConflictError,
    InMemoryStorage,
    InvalidInputError,
    InvalidOptionError,
    RetryOptions,
    Storage,
    StorageUnavailableError,
    TaskContext,
    TaskToEnqueue,
    task_to_enqueue,
)
from durable_execution.errors import DuplicateSleepingIdError, DurableExecutionError
from tests.executor.faulty_storage import FaultyStorage


@dataclass
class Order:
    number: int


async def stored(executor: DurableExecutor) -> int:
    counts = await executor.count_task_executions()
    return sum(sum(each.by_status.values()) for each in counts.values())


async def test_handles_come_in_order_and_all_are_run(executor: DurableExecutor) -> None:
    @executor.task()
    async def double(ctx: TaskContext, number: int) -> int:
        return 2 * number

    @executor.task()
    async def greet(ctx: TaskContext) -> str:
        return "hello"

    numbers = await executor.enqueue_tasks([task_to_enqueue(double, each) for each in range(300)])
    assert await asyncio.gather(*[each.result(timeout=30) for each in numbers]) == [
        2 * each for each in range(300)
    ]
    mixed: list[TaskToEnqueue[object]] = [task_to_enqueue(greet), task_to_enqueue(double, 21)]
    first, second = await executor.enqueue_tasks(mixed)
    assert (first.task_id, second.task_id) == ("greet", "double")
    assert [await first.result(timeout=30), await second.result(timeout=30)] == ["hello", 42]


async def test_nothing_is_nothing(executor: DurableExecutor) -> None:
    assert await executor.enqueue_tasks([]) == []


async def test_options_keys_and_tags_are_each_ones_own(executor: DurableExecutor) -> None:
    @executor.task(timeout=5)
    async def charge(ctx: TaskContext, order: Order) -> int:
        return order.number

    plain, other = await executor.enqueue_tasks(
        [
            task_to_enqueue(charge, Order(1)),
            task_to_enqueue(
                charge,
                Order(2),
                timeout=7,
                retry=RetryOptions(max_retries=2),
                sleep_before_run=60,
                key="two",
                tags={"tenant": "acme"},
            ),
        ]
    )
    assert await plain.result(timeout=30) == 1
    view = await other.get_execution()
    assert view.status == "ready"
    assert (view.timeout, view.retry.max_retries, view.sleep_before_run) == (7, 2, 60)
    assert (view.idempotency_key, view.tags) == ("two", {"tenant": "acme"})
    assert view.start_at > view.created_at
    await other.cancel()


async def test_a_held_key_gives_the_holders_handle(executor: DurableExecutor) -> None:
    @executor.task()
    async def charge(ctx: TaskContext, order: int) -> int:
        return order

    held = await executor.enqueue_task(charge, 1, key="one")
    again, new, twice, other_input = await executor.enqueue_tasks(
        [
            task_to_enqueue(charge, 1, key="one"),
            task_to_enqueue(charge, 2, key="two"),
            task_to_enqueue(charge, 2, key="two"),
            task_to_enqueue(charge, 9, key="one", on_conflict="return"),
        ]
    )
    assert again.execution_id == other_input.execution_id == held.execution_id
    assert twice.execution_id == new.execution_id
    assert [await each.result(timeout=30) for each in (again, twice, other_input)] == [1, 2, 1]


async def test_a_conflict_leaves_nothing(executor: DurableExecutor) -> None:
    @executor.task()
    async def charge(ctx: TaskContext, order: int) -> int:
        return order

    await executor.enqueue_task(charge, 1, key="one")
    for conflicting in (
        [task_to_enqueue(charge, 5, key="one")],
        [task_to_enqueue(charge, 2, key="two"), task_to_enqueue(charge, 3, key="two")],
    ):
        with pytest.raises(IdempotencyConflictError):
            await executor.enqueue_tasks([task_to_enqueue(charge, 7), *conflicting])
    assert await stored(executor) == 1


async def test_bad_input_is_named_by_its_index_and_nothing_is_stored(
    executor: DurableExecutor,
) -> None:
    @executor.task()
    async def charge(ctx: TaskContext, order: Order) -> None: ...

    with pytest.raises(InvalidInputError, match=r"^Task 1 to enqueue: .*number") as caught:
        await executor.enqueue_tasks(
            [task_to_enqueue(charge, Order(1)), task_to_enqueue(charge, Order("x"))]  # type: ignore[arg-type]
        )
    assert caught.value.issues
    with pytest.raises(InvalidOptionError, match="task 1 must be made by task_to_enqueue"):
        await executor.enqueue_tasks([task_to_enqueue(charge, Order(1)), charge])  # type: ignore[list-item]
    with pytest.raises(InvalidOptionError, match="at most 1000 tasks"):
        await executor.enqueue_tasks(task_to_enqueue(charge, Order(each)) for each in range(1001))
    stranger = DurableExecutor(InMemoryStorage()).task(id="stranger")(lambda ctx: None)
    with pytest.raises(DurableExecutionNotFoundError, match=r"stranger.*\[index=1\]"):
        await executor.enqueue_tasks([task_to_enqueue(charge, Order(1)), task_to_enqueue(stranger)])
    with pytest.raises(InvalidOptionError, match="timeout must be"):
        task_to_enqueue(charge, Order(1), timeout=-1)
    with pytest.raises(InvalidOptionError, match="task must be one that a decorator"):
        task_to_enqueue(test_nothing_is_nothing)  # type: ignore[call-overload]
    assert await stored(executor) == 0


async def test_a_taken_sleeping_id_leaves_nothing(executor: DurableExecutor) -> None:
    bell = executor.sleeping_task("bell", output=str)
    with pytest.raises(DuplicateSleepingIdError):
        await executor.enqueue_tasks([task_to_enqueue(bell, each) for each in ("a", "b", "a")])
    assert await stored(executor) == 0
    first, _ = await executor.enqueue_tasks([task_to_enqueue(bell, each) for each in ("a", "b")])
    await executor.wakeup_sleeping_task_execution(bell, "a", output="ding")
    assert await first.result(timeout=30) == "ding"


async def test_others_on_the_storage_hear_of_them(storage: Storage) -> None:
    async def charge(ctx: TaskContext, order: int) -> int:
        return order

    # In memory nobody is told of what other executors write.
    idle = ExecutorOptions(max_concurrent_task_executions=0, poll_interval=0.2)
    caller = DurableExecutor(storage, idle)
    worker = DurableExecutor(storage.sibling(), ExecutorOptions(poll_interval=0.2))
    task, _ = caller.task(id="charge")(charge), worker.task(id="charge")(charge)
    async with worker, caller:
        handles = await caller.enqueue_tasks([task_to_enqueue(task, each) for each in range(5)])
        assert [await each.result(timeout=30) for each in handles] == list(range(5))


async def test_a_lost_answer_enqueues_once_and_a_long_outage_is_told() -> None:
    storage = FaultyStorage(InMemoryStorage())
    async with DurableExecutor(storage) as executor:
        runs: list[int] = []

        @executor.task()
        async def charge(ctx: TaskContext, order: int) -> None:
            runs.append(order)

        wanted = [task_to_enqueue(charge, each, key=str(each)) for each in range(3)]
        storage.fail_after("insert", times=2)
        handles = await executor.enqueue_tasks(wanted)
        for handle in handles:
            await handle.result(timeout=30)
        assert sorted(runs) == [0, 1, 2]
        storage.fail_before("insert", times=100)
        with pytest.raises(StorageUnavailableError):
            await executor.enqueue_tasks([task_to_enqueue(charge, 9)])
        storage.recover()
    with pytest.raises(DurableExecutionError, match="shut down"):
        await executor.enqueue_tasks(wanted)
