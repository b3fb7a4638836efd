"""What follows from the end of a child is written with it, and starts with that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from durable_execution import (
    Done,
    DurableExecutor,
    LoopSucceeded,
    NotDone,
    ParentTaskOutput,
    ParentTaskResult,
    Storage,
    Task,
    TaskContext,
    child_task,
)
from durable_execution._core.record import ExecutionRecord
from tests.conftest import OPTIONS
from tests.executor.faulty_storage import FaultyStorage

STEPS = 10


@pytest.fixture
def faulty(storage: Storage) -> FaultyStorage:
    return FaultyStorage(storage)


@pytest.fixture
async def executor(faulty: FaultyStorage) -> AsyncIterator[DurableExecutor]:
    async with DurableExecutor(faulty, replace(OPTIONS, max_threads=2)) as executor:
        yield executor


@pytest.fixture
async def increment(executor: DurableExecutor) -> Task[int, int]:
    @executor.task
    async def increment(ctx: TaskContext, number: int) -> int:
        return number + 1

    await (await executor.enqueue_task(increment, 0)).result()  # the first claim has found nothing
    return increment


async def test_a_hop_of_a_sequence_is_one_write(
    executor: DurableExecutor, faulty: FaultyStorage, increment: Task[int, int]
) -> None:
    steps = executor.sequential_tasks("steps", [increment] * STEPS)
    faulty.calls.clear()
    assert await (await executor.enqueue_task(steps, 0)).result() == STEPS
    assert faulty.calls["apply"] == 1 + STEPS  # the sequence and its steps
    assert faulty.calls["last_children_of"] == 0
    assert faulty.calls["claim"] < STEPS  # it may have been time to look for others' work


async def test_a_turn_of_a_loop_is_one_write(
    executor: DurableExecutor, faulty: FaultyStorage, increment: Task[int, int]
) -> None:
    del increment
    turns = 0

    @executor.task
    async def turn(ctx: TaskContext, number: int) -> Done[int] | NotDone:
        nonlocal turns
        turns += 1
        return Done(turns) if turns == STEPS else NotDone()

    loop = executor.looping_task("loop", turn, STEPS)
    faulty.calls.clear()
    assert await (await executor.enqueue_task(loop, 0)).result() == LoopSucceeded(STEPS)
    assert faulty.calls["apply"] == 1 + STEPS
    assert faulty.calls["last_children_of"] == 0


async def test_a_parent_ends_with_its_finalize_task(
    executor: DurableExecutor, faulty: FaultyStorage, increment: Task[int, int]
) -> None:
    @executor.task
    async def total(ctx: TaskContext, result: ParentTaskResult[int]) -> int:
        return sum(result.outputs_of(increment))

    @executor.parent_task(finalize=total)
    async def family(ctx: TaskContext, number: int) -> ParentTaskOutput[int]:
        return ParentTaskOutput(0, [child_task(increment, each) for each in range(number)])

    faulty.calls.clear()
    assert await (await executor.enqueue_task(family, 3)).result() == 6
    assert faulty.calls["last_children_of"] == 0
    assert 4 <= faulty.calls["apply"] <= 6  # the children end together or not


async def test_steps_that_run_at_once_are_as_a_claim_leaves_them(
    executor: DurableExecutor, storage: Storage, increment: Task[int, int]
) -> None:
    steps = executor.sequential_tasks("steps", [increment] * 3)
    handle = await executor.enqueue_task(steps, 0)
    assert await handle.result() == 3
    rows = await storage.children_of([handle.execution_id])
    assert executor._engine is not None
    for row in rows:
        assert (row.status, row.fence, row.crash_count) == ("completed", 1, 0)
        assert row.executor_id == executor._engine.executor_id
        assert row.started_at is not None
        assert row.expires_at == row.started_at + row.timeout_ms
    (parent,) = await storage.get([handle.execution_id])
    assert parent is not None
    assert (parent.children_count, parent.active_children_count) == (3, 0)


@pytest.mark.parametrize("when", ["fail_before", "fail_after"])
@pytest.mark.parametrize("place", [1, 2, STEPS])
async def test_a_hop_whose_write_fails_happens_once(
    executor: DurableExecutor,
    faulty: FaultyStorage,
    increment: Task[int, int],
    when: str,
    place: int,
) -> None:
    applied = 0

    def count() -> None:
        nonlocal applied
        applied += 1
        if applied == place:
            getattr(faulty, when)("apply")
        faulty.after_next("apply", count)

    faulty.after_next("apply", count)
    steps = executor.sequential_tasks("steps", [increment] * STEPS)
    handle = await executor.enqueue_task(steps, 0)
    assert await handle.result(timeout=30) == STEPS
    execution: Any = await handle.wait_and_get_finished_execution()
    assert len(execution.children) == STEPS


async def test_a_sequence_that_is_cancelled_between_steps_has_no_more(
    executor: DurableExecutor, storage: Storage, faulty: FaultyStorage, increment: Task[int, int]
) -> None:
    steps = executor.sequential_tasks("steps", [increment] * 1000)
    handle = await executor.enqueue_task(steps, 0)
    has_begun = asyncio.Event()
    faulty.after_next("apply", has_begun.set)
    await has_begun.wait()
    await handle.cancel()
    (parent,) = await storage.get([handle.execution_id])
    children: list[ExecutionRecord] = await storage.children_of([handle.execution_id])
    assert parent is not None
    assert parent.status == "cancelled"
    assert all(child.is_finished for child in children)
    assert len(children) == parent.children_count < 1000
