"""What an execution shows of the attempts before its last one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from durable_execution import (
    Done,
    DurableExecutionError,
    DurableExecutionTimedOutError,
    DurableExecutor,
    NotDone,
    ParentTaskOutput,
    ParentTaskResult,
    PastAttempt,
    RetryOptions,
    Storage,
    TaskContext,
    TaskExecution,
    Tasks,
    child_task,
)
from tests.conftest import OPTIONS, local_storage

tasks = Tasks()


@tasks.task(retry=RetryOptions(max_retries=5))
async def stubborn(ctx: TaskContext) -> int:
    match ctx.attempt:
        case 0:
            raise LookupError("nothing there")
        case 1:
            raise DurableExecutionTimedOutError("too slow")
        case _:
            return ctx.attempt


@tasks.task()
async def plain(ctx: TaskContext, number: int) -> int:
    return number


async def total(ctx: TaskContext, result: ParentTaskResult[None]) -> int:
    return len(result.children)


@tasks.parent_task(finalize=total)
async def family(ctx: TaskContext, number: int) -> ParentTaskOutput[None]:
    return ParentTaskOutput(None, [child_task(plain, each) for each in range(number)])


@tasks.task()
async def turn(ctx: TaskContext, number: int) -> Done[int] | NotDone:
    assert ctx.parent is not None
    return Done(number) if ctx.parent.index_in_parent_children == 2 else NotDone()


looping = tasks.looping_task("looping", turn, max_attempts=5)
steps = tasks.sequential_tasks("steps", [plain, family, plain])


def _story(execution: TaskExecution[object]) -> list[tuple[int, str, str | None]]:
    return [
        (each.attempt, each.outcome, each.error and each.error.message)
        for each in execution.past_attempts
    ]


async def test_every_attempt_before_the_last_one_is_told(storage: Storage) -> None:
    async with DurableExecutor(storage, OPTIONS) as executor:
        executor.include(tasks)
        handle = await executor.enqueue_task(stubborn)
        finished = await handle.wait_and_get_finished_execution()
        looked_at = await handle.get_execution()
        changes = [change async for change in handle.watch()]
        (itself,) = await executor.list_executors()

    assert _story(finished) == [
        (0, "failed", "LookupError: nothing there"),
        (1, "timed_out", "too slow"),
    ]
    assert finished.past_attempts_count == 2
    for each in finished.past_attempts:
        assert isinstance(each, PastAttempt)
        assert each.executor_id == itself.executor_id
        assert finished.created_at <= each.started_at <= each.ended_at
    first = finished.past_attempts[0].error
    assert first is not None
    assert first.traceback
    assert 'raise LookupError("nothing there")' in first.traceback
    assert looked_at.past_attempts == finished.past_attempts
    last = changes[-1]
    assert last.type == "status"
    assert last.execution.past_attempts == finished.past_attempts


async def test_an_attempt_that_a_shutdown_ended_was_handed_back(tmp_path: Path) -> None:
    storage = local_storage("memory", tmp_path)
    more, began, may_end = Tasks(), asyncio.Event(), asyncio.Event()

    @more.task()
    async def slow(ctx: TaskContext) -> str:
        began.set()
        await may_end.wait()
        return "done"

    async with DurableExecutor(storage, replace(OPTIONS, shutdown_timeout=0)) as first:
        first.include(more)
        handle = await first.enqueue_task(slow)
        await began.wait()
        (itself,) = await first.list_executors()
    may_end.set()
    second = DurableExecutor(storage, OPTIONS)
    second.include(more)
    async with second:
        again = await second.get_task_execution_handle(slow, handle.execution_id)
        finished = await again.wait_and_get_finished_execution()

    (past,) = finished.past_attempts
    assert (past.attempt, past.outcome, past.error) == (0, "handed_back", None)
    assert past.executor_id == itself.executor_id


async def test_what_is_retried_by_hand_keeps_what_went_wrong(tmp_path: Path) -> None:
    may_succeed = False
    more = Tasks()

    @more.task()
    async def fragile(ctx: TaskContext) -> str:
        if not may_succeed:
            raise DurableExecutionError("not yet")
        return "done"

    async with DurableExecutor(local_storage("sqlite", tmp_path), OPTIONS) as executor:
        executor.include(more)
        handle = await executor.enqueue_task(fragile)
        for _ in range(2):
            with pytest.raises(DurableExecutionError, match="not yet"):
                await handle.result()
            failed = await handle.get_execution()
            may_succeed = failed.past_attempts_count == 1
            await executor.retry_task_execution(fragile, handle.execution_id)
        finished = await handle.wait_and_get_finished_execution()

    assert _story(finished) == [(0, "failed", "not yet")] * 2
    assert finished.status == "completed"


async def test_what_runs_well_at_once_asks_for_no_past(tmp_path: Path) -> None:
    options = replace(OPTIONS, enable_storage_metrics=True)
    async with DurableExecutor(local_storage("memory", tmp_path), options) as executor:
        executor.include(tasks)
        for handle in (
            await executor.enqueue_task(plain, 1),
            await executor.enqueue_task(family, 3),
            await executor.enqueue_task(looping, 7),
            await executor.enqueue_task(steps, 2),
        ):
            finished = await handle.wait_and_get_finished_execution()
            assert finished.status == "completed", finished
            assert (finished.past_attempts, finished.past_attempts_count) == ((), 0)
        assert "past_of" not in executor.get_storage_metrics()
        stubborn_one = await executor.enqueue_task(stubborn)
        await stubborn_one.wait_and_get_finished_execution()
        assert executor.get_storage_metrics()["past_of"].count == 1
