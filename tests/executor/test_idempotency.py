from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    IdempotencyConflictError,
    InMemoryStorage,
    InvalidOptionError,
    ParentTaskOutput,
    Storage,
    TaskContext,
    child_task,
)
from durable_execution.errors import DuplicateSleepingIdError, DurableExecutionError
from tests.executor.faulty_storage import FaultyStorage


async def test_the_same_key_is_one_execution(executor: DurableExecutor) -> None:
    runs: list[int] = []

    @executor.task()
    async def charge(ctx: TaskContext, order: int) -> int:
        runs.append(order)
        return order * 100

    first = await executor.enqueue_task(charge, 42, key="order-42")
    assert await first.result() == 4200
    second = await executor.enqueue_task(charge, 42, key="order-42")
    assert second.execution_id == first.execution_id
    assert await second.result() == 4200
    assert runs == [42]


async def test_the_same_key_at_the_same_moment_is_one_execution(
    executor: DurableExecutor,
) -> None:
    runs: list[str] = []

    @executor.task()
    async def charge(ctx: TaskContext, order: str) -> str:
        runs.append(order)
        return order

    orders = [f"{number % 5}" for number in range(200)]
    handles = await asyncio.gather(
        *[executor.enqueue_task(charge, order, key=order) for order in orders]
    )
    assert await asyncio.gather(*[handle.result() for handle in handles]) == orders
    assert len({handle.execution_id for handle in handles}) == 5
    assert sorted(runs) == ["0", "1", "2", "3", "4"]


async def test_executors_that_share_a_storage_share_the_keys(storage: Storage) -> None:
    async def charge(ctx: TaskContext, order: int) -> int:
        return order

    idle = ExecutorOptions(max_concurrent_task_executions=0)
    executors = [DurableExecutor(each, idle) for each in (storage, storage.sibling())]
    tasks = [executor.task(id="charge")(charge) for executor in executors]
    async with executors[0], executors[1]:
        handles = await asyncio.gather(
            *[
                executors[number % 2].enqueue_task(tasks[number % 2], 1, key="order")
                for number in range(20)
            ]
        )
    assert len({handle.execution_id for handle in handles}) == 1


async def test_a_lost_answer_leaves_one_execution() -> None:
    storage = FaultyStorage(InMemoryStorage())
    async with DurableExecutor(storage) as executor:

        @executor.task()
        async def charge(ctx: TaskContext, order: int) -> int:
            return order

        storage.fail_after("insert", times=2)
        first = await executor.enqueue_task(charge, 1, key="order")
        assert await first.result() == 1
        assert storage.calls["insert"] == 3
        assert (await executor.enqueue_task(charge, 1, key="order")).execution_id == (
            first.execution_id
        )


async def test_the_same_key_with_another_input_is_a_conflict(executor: DurableExecutor) -> None:
    @executor.task()
    async def charge(ctx: TaskContext, order: int) -> int:
        return order

    first = await executor.enqueue_task(charge, 1, key="order")
    with pytest.raises(IdempotencyConflictError) as caught:
        await executor.enqueue_task(charge, 2, key="order")
    conflict = caught.value
    assert (conflict.task_id, conflict.idempotency_key) == ("charge", "order")
    assert conflict.execution_id == first.execution_id
    for fact in ("charge", "order", first.execution_id):
        assert fact in str(conflict)
    assert isinstance(conflict, DurableExecutionError)
    assert isinstance(conflict, ValueError)


async def test_a_conflict_may_return_the_execution_there_is(executor: DurableExecutor) -> None:
    @executor.task()
    async def charge(ctx: TaskContext, order: int) -> int:
        return order

    first = await executor.enqueue_task(charge, 1, key="order")
    second = await executor.enqueue_task(charge, 2, key="order", on_conflict="return")
    assert second.execution_id == first.execution_id
    assert await second.result() == 1


async def test_two_inputs_at_the_same_moment_conflict_too(executor: DurableExecutor) -> None:
    @executor.task()
    async def charge(ctx: TaskContext, order: int) -> int:
        return order

    answers = await asyncio.gather(
        *[executor.enqueue_task(charge, order, key="order") for order in (1, 2)],
        return_exceptions=True,
    )
    assert [isinstance(answer, IdempotencyConflictError) for answer in answers] == [False, True]


async def test_keys_of_different_tasks_are_apart(executor: DurableExecutor) -> None:
    @executor.task()
    async def charge(ctx: TaskContext) -> None: ...

    @executor.task()
    async def refund(ctx: TaskContext) -> None: ...

    handles = [await executor.enqueue_task(task, key="order") for task in (charge, refund)]
    assert handles[0].execution_id != handles[1].execution_id


async def test_a_sleeping_task_is_found_by_its_key(executor: DurableExecutor) -> None:
    bell = executor.sleeping_task("bell", output=str)
    first = await executor.enqueue_task(bell, "door", key="visit")
    second = await executor.enqueue_task(bell, "door", key="visit")
    assert second.execution_id == first.execution_id
    with pytest.raises(DuplicateSleepingIdError):
        await executor.enqueue_task(bell, "door", key="another visit")
    await executor.wakeup_sleeping_task_execution(bell, "door", output="open")
    assert await second.result() == "open"


async def test_views_show_key_and_tags_and_children_have_none(executor: DurableExecutor) -> None:
    @executor.task()
    async def leaf(ctx: TaskContext) -> None: ...

    @executor.parent_task()
    async def tree(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(leaf)])

    tags = {"tenant": "acme", "a": ""}
    handle = await executor.enqueue_task(tree, key="order", tags=tags)
    execution = await handle.wait_and_get_finished_execution()
    assert (execution.idempotency_key, execution.tags) == ("order", tags)
    (child,) = execution.children
    shown = await (
        await executor.get_task_execution_handle(leaf, child.execution_id)
    ).get_execution()
    assert (shown.idempotency_key, shown.tags) == (None, {})


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("", "key must be 1 to 255 characters, got 0"),
        ("x" * 256, "key must be 1 to 255 characters, got 256"),
        ("a\0b", "key must hold neither NUL"),
        ("\ud800", "key must hold neither NUL"),
        (7, "key must be a string, got int"),
    ],
)
async def test_a_bad_key_is_refused_at_the_door(
    executor: DurableExecutor, key: str, complaint: str
) -> None:
    @executor.task()
    async def nothing(ctx: TaskContext) -> None: ...

    with pytest.raises(InvalidOptionError, match=complaint):
        await executor.enqueue_task(nothing, key=key)


@pytest.mark.parametrize(
    ("tags", "complaint"),
    [
        ({f"t{number}": "" for number in range(17)}, "tags must be at most 16, got 17"),
        ({"": "x"}, "the name of a tag must be 1 to 64 letters"),
        ({"x" * 65: "x"}, "the name of a tag must be 1 to 64 letters"),
        ({"tenant id": "x"}, "got 'tenant id'"),
        ({"tenant\n": "x"}, "the name of a tag must be"),
        ({7: "x"}, "the name of a tag must be"),
        ({"tenant": "x" * 256}, "tag tenant must be 0 to 255 characters, got 256"),
        ({"tenant": "\0"}, "tag tenant must hold neither NUL"),
        ({"tenant": 7}, "tag tenant must be a string, got int"),
        ([("tenant", "acme")], "tags must be a mapping of names to values, got list"),
    ],
)
async def test_bad_tags_are_refused_at_the_door(
    executor: DurableExecutor, tags: Mapping[str, str], complaint: str
) -> None:
    @executor.task()
    async def nothing(ctx: TaskContext) -> None: ...

    with pytest.raises(InvalidOptionError, match=complaint):
        await executor.enqueue_task(nothing, tags=tags)


async def test_an_unknown_answer_to_conflicts_is_refused(executor: DurableExecutor) -> None:
    @executor.task()
    async def nothing(ctx: TaskContext) -> None: ...

    with pytest.raises(InvalidOptionError, match="on_conflict must be one of raise, return"):
        await executor.enqueue_task(nothing, on_conflict="ignore")  # type: ignore[call-overload]
