from __future__ import annotations

import asyncio

import pytest

from durable_execution import (
    DurableExecutionError,
    DurableExecutionNotFoundError,
    DurableExecutor,
    ExecutorShutDownError,
    InvalidOptionError,
    TaskContext,
)


async def test_an_execution_is_seen_in_every_state(executor: DurableExecutor) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    @executor.task(sleep_before_run=0.5)
    async def work(ctx: TaskContext, number: int) -> int:
        begun.set()
        await gate.wait()
        return number

    handle = await executor.enqueue_task(work, 5)
    assert (await handle.get_execution()).status == "ready"
    await begun.wait()
    execution = await handle.get_execution()
    assert execution.status == "running"
    assert execution.executor_id == executor._engine.executor_id  # type: ignore[union-attr]
    gate.set()
    assert await handle.result() == 5
    execution = await handle.get_execution()
    assert (execution.status, execution.output) == ("completed", 5)


async def test_waiting_ends_at_its_timeout_and_the_execution_goes_on(
    executor: DurableExecutor,
) -> None:
    gate = asyncio.Event()

    @executor.task
    async def work(ctx: TaskContext) -> str:
        await gate.wait()
        return "done"

    handle = await executor.enqueue_task(work)
    with pytest.raises(TimeoutError, match=handle.execution_id):
        await handle.result(timeout=0.01)
    with pytest.raises(TimeoutError):
        await handle.wait_and_get_finished_execution(timeout=0.01)
    with pytest.raises(TimeoutError):
        await handle.result(timeout=-1)  # what was left until a deadline
    gate.set()
    assert await handle.result(timeout=30) == "done"
    with pytest.raises(InvalidOptionError, match="timeout must be seconds or a timedelta"):
        await handle.result(timeout="1")  # type: ignore[arg-type]


async def test_a_failed_execution_raises_its_error(executor: DurableExecutor) -> None:
    @executor.task
    async def fail(ctx: TaskContext) -> None:
        raise ValueError("no")

    handle = await executor.enqueue_task(fail)
    with pytest.raises(DurableExecutionError, match="ValueError: no") as caught:
        await handle.result()
    assert caught.value.is_retryable


async def test_all_who_wait_are_told(executor: DurableExecutor) -> None:
    gate = asyncio.Event()

    @executor.task
    async def work(ctx: TaskContext) -> str:
        await gate.wait()
        return "done"

    enqueued = await executor.enqueue_task(work)
    found = await executor.get_task_execution_handle(work, enqueued.execution_id)
    waiting = [asyncio.ensure_future(each.result()) for each in (enqueued, found) * 50]
    gone = asyncio.ensure_future(found.result())
    await asyncio.sleep(0)  # they begin to wait
    gone.cancel()
    gate.set()
    assert await asyncio.gather(*waiting) == ["done"] * 100
    assert executor._engine is not None
    assert not executor._engine.finishes._waiters


async def test_a_handle_that_comes_late_finds_the_result(executor: DurableExecutor) -> None:
    @executor.task
    async def work(ctx: TaskContext) -> str:
        return "done"

    enqueued = await executor.enqueue_task(work)
    await enqueued.result()
    found = await executor.get_task_execution_handle(work, enqueued.execution_id)
    assert await found.result() == "done"
    assert repr(found) == f"TaskExecutionHandle('work', {enqueued.execution_id!r})"


async def test_there_is_no_handle_on_what_does_not_exist(executor: DurableExecutor) -> None:
    @executor.task
    async def work(ctx: TaskContext) -> None: ...

    @executor.task
    async def other(ctx: TaskContext) -> None: ...

    handle = await executor.enqueue_task(work)
    with pytest.raises(DurableExecutionNotFoundError, match=r"\[executionId=te_none\]"):
        await executor.get_task_execution_handle(work, "te_none")
    with pytest.raises(DurableExecutionNotFoundError, match=r"another task .*\[taskId=work\]"):
        await executor.get_task_execution_handle(other, handle.execution_id)


async def test_who_waits_hears_of_the_shutdown(executor: DurableExecutor) -> None:
    @executor.task(sleep_before_run=60)
    async def late(ctx: TaskContext) -> None: ...

    handle = await executor.enqueue_task(late)
    waiting = asyncio.ensure_future(handle.result())
    await asyncio.sleep(0)  # it begins to wait
    await executor.shutdown()
    with pytest.raises(ExecutorShutDownError):
        await waiting
    with pytest.raises(ExecutorShutDownError):
        await handle.get_execution()
