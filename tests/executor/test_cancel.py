from __future__ import annotations

import asyncio
import threading

import pytest

from durable_execution import (
    DurableExecutionCancelledError,
    DurableExecutor,
    ParentTaskOutput,
    StoredError,
    TaskContext,
    child_task,
)

CANCELLED = StoredError(error_type="cancelled", message="Task execution cancelled")


async def test_a_ready_execution_never_runs(executor: DurableExecutor) -> None:
    runs: list[str] = []

    @executor.task(sleep_before_run=0.5)
    async def late(ctx: TaskContext) -> None:
        runs.append(ctx.execution_id)

    @executor.task(sleep_before_run=0.6)
    async def later(ctx: TaskContext) -> None: ...

    handle = await executor.enqueue_task(late)
    after = await executor.enqueue_task(later)
    await handle.cancel()
    execution = await handle.wait_and_get_finished_execution()
    assert (execution.status, execution.error, execution.started_at) == (
        "cancelled",
        CANCELLED,
        None,
    )
    await after.result()
    assert runs == []
    with pytest.raises(DurableExecutionCancelledError):
        await handle.result()


async def test_a_running_coroutine_is_stopped_at_once(executor: DurableExecutor) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    @executor.task
    async def work(ctx: TaskContext) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            assert ctx.cancel_signal.is_set()
            stopped.set()

    handle = await executor.enqueue_task(work)
    await begun.wait()
    await handle.cancel()
    await stopped.wait()
    execution = await handle.get_execution()
    assert execution.status == "cancelled"
    assert execution.executor_id is not None


async def test_what_code_returns_that_swallows_a_cancel_is_dropped(
    executor: DurableExecutor,
) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    @executor.task
    async def stubborn(ctx: TaskContext) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.set()
        return "done nevertheless"

    handle = await executor.enqueue_task(stubborn)
    await begun.wait()
    await handle.cancel()
    await stopped.wait()
    while executor.running_task_executions_count:
        await asyncio.sleep(0)  # the attempt ends by itself
    assert (await handle.get_execution()).status == "cancelled"


async def test_a_thread_sees_its_cancel_signal_and_keeps_its_place(
    executor: DurableExecutor,
) -> None:
    begun, seen, go_on = (threading.Event() for _ in range(3))

    @executor.task
    def work(ctx: TaskContext) -> str:
        begun.set()
        assert ctx.cancel_signal.wait_in_thread(30)
        seen.set()
        go_on.wait(30)
        return "too late"

    handle = await executor.enqueue_task(work)
    await asyncio.to_thread(begun.wait)
    await handle.cancel()
    await asyncio.to_thread(seen.wait)
    assert (await handle.get_execution()).status == "cancelled"
    assert executor.running_task_execution_ids == {handle.execution_id}
    go_on.set()
    while executor.running_task_executions_count:
        await asyncio.sleep(0.001)  # the thread ends by itself
    assert (await handle.get_execution()).status == "cancelled"


async def test_a_cancel_takes_the_whole_tree_below_with_it(executor: DurableExecutor) -> None:
    begun = asyncio.Barrier(5)
    stopped: list[str] = []
    sleeper = executor.sleeping_task("sleeper", timeout=60)

    @executor.task
    async def leaf(ctx: TaskContext) -> None:
        await begun.wait()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(ctx.execution_id)

    @executor.parent_task()
    async def middle(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(leaf), child_task(leaf)])

    @executor.parent_task()
    async def top(ctx: TaskContext) -> ParentTaskOutput[None]:
        children = [child_task(middle), child_task(middle), child_task(sleeper, "s")]
        return ParentTaskOutput(None, children)

    handle = await executor.enqueue_task(top)
    await begun.wait()
    below = [
        await executor.get_task_execution_handle(executor.tasks[each.task_id], each.execution_id)
        for each in (await handle.get_execution()).children
    ]
    waiting = [asyncio.ensure_future(each.wait_and_get_finished_execution()) for each in below]
    await asyncio.sleep(0)  # they begin to wait
    await handle.cancel()
    assert (await handle.get_execution()).status == "cancelled"
    # Nobody polls here, so they were told.
    for execution in await asyncio.gather(*waiting):
        assert (execution.status, execution.error) == ("cancelled", CANCELLED)
    while executor.running_task_executions_count:
        await asyncio.sleep(0.001)  # the next beat tells what was lost
    assert len(stopped) == 4


async def test_cancelling_what_has_finished_changes_nothing(executor: DurableExecutor) -> None:
    @executor.task
    async def nothing(ctx: TaskContext) -> None: ...

    handle = await executor.enqueue_task(nothing)
    before = await handle.wait_and_get_finished_execution()
    await handle.cancel()
    assert await handle.get_execution() == before


async def test_many_cancels_are_one(executor: DurableExecutor) -> None:
    begun = asyncio.Event()

    @executor.task
    async def work(ctx: TaskContext) -> None:
        begun.set()
        await asyncio.Event().wait()

    handle = await executor.enqueue_task(work)
    await begun.wait()
    await asyncio.gather(*(handle.cancel() for _ in range(10)))
    assert (await handle.get_execution()).status == "cancelled"
