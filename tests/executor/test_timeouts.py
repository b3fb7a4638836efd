from __future__ import annotations

import asyncio
import threading

import pytest

from durable_execution import (
    DurableExecutionTimedOutError,
    DurableExecutor,
    RetryOptions,
    StoredError,
    TaskContext,
)

TIMED_OUT = StoredError(
    error_type="timed_out", message="Task execution timed out after 0.05 s", is_retryable=True
)


async def test_a_coroutine_is_cancelled_at_its_timeout(executor: DurableExecutor) -> None:
    was_cancelled = asyncio.Event()

    @executor.task(timeout=0.05)
    async def wait(ctx: TaskContext) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            was_cancelled.set()
            raise

    handle = await executor.enqueue_task(wait)
    execution = await handle.wait_and_get_finished_execution()
    assert (execution.status, execution.error) == ("timed_out", TIMED_OUT)
    assert was_cancelled.is_set()
    with pytest.raises(DurableExecutionTimedOutError):
        await handle.result()


async def test_a_timeout_is_retried(executor: DurableExecutor) -> None:
    @executor.task(timeout=0.05, retry=RetryOptions(max_retries=1))
    async def slow_once(ctx: TaskContext) -> str | None:
        if ctx.attempt == 0:
            await asyncio.Event().wait()
        return ctx.prev_error.message if ctx.prev_error else None

    assert await (await executor.enqueue_task(slow_once)).result() == TIMED_OUT.message


@pytest.mark.parametrize("ending", ["return", "raise"])
async def test_code_that_swallows_its_cancellation_has_timed_out_all_the_same(
    executor: DurableExecutor, ending: str
) -> None:
    @executor.task(timeout=0.05)
    async def stubborn(ctx: TaskContext) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if ending == "raise":
                raise ValueError("in the cleanup") from None
        return "done nevertheless"

    execution = await (await executor.enqueue_task(stubborn)).wait_and_get_finished_execution()
    assert (execution.status, execution.error) == ("timed_out", TIMED_OUT)


async def test_a_timeout_of_the_task_s_own_stays_its_error(executor: DurableExecutor) -> None:
    @executor.task(timeout=30)
    async def impatient(ctx: TaskContext) -> None:
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()

    execution = await (await executor.enqueue_task(impatient)).wait_and_get_finished_execution()
    assert execution.status == "failed"
    assert execution.error.without_traceback() == StoredError(
        message="TimeoutError", is_retryable=True
    )


async def test_a_plain_function_is_told_of_its_timeout_and_not_ended_before_it_returns(
    executor: DurableExecutor,
) -> None:
    go_on = threading.Event()
    loop = asyncio.get_running_loop()
    was_told = asyncio.Event()

    @executor.task(timeout=0.05)
    def wait(ctx: TaskContext) -> str:
        ctx.cancel_signal.wait_in_thread(30)
        loop.call_soon_threadsafe(was_told.set)
        go_on.wait(30)
        return "too late"

    handle = await executor.enqueue_task(wait)
    await was_told.wait()
    assert (await handle.get_execution()).status == "running"
    assert executor.running_task_executions_count == 1
    go_on.set()
    execution = await handle.wait_and_get_finished_execution()
    assert (execution.status, execution.error) == ("timed_out", TIMED_OUT)


async def test_what_a_plain_function_raises_after_its_timeout_is_not_its_error(
    executor: DurableExecutor,
) -> None:
    @executor.task(timeout=0.05)
    def wait(ctx: TaskContext) -> None:
        ctx.cancel_signal.wait_in_thread(30)
        raise ValueError("too late")

    execution = await (await executor.enqueue_task(wait)).wait_and_get_finished_execution()
    assert (execution.status, execution.error) == ("timed_out", TIMED_OUT)
