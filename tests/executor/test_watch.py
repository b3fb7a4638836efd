"""Watching an execution: its statuses and its progress, from anywhere, with nothing left out."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from durable_execution import (
    DurableExecutionNotFoundError,
    DurableExecutor,
    ExecutorOptions,
    ExecutorShutDownError,
    InMemoryStorage,
    InvalidOptionError,
    NotDone,
    ParentTaskOutput,
    ProgressChange,
    RetryOptions,
    StatusChange,
    Storage,
    TaskContext,
    TaskExecutionHandle,
    child_task,
)
from durable_execution.executor import StoredStatusChange
from tests.executor.faulty_storage import FaultyStorage

Change = StatusChange[Any] | ProgressChange


def told(changes: Sequence[Change]) -> list[str | float]:
    """What was told, in short: statuses, and fractions."""
    return [
        each.execution.status if each.type == "status" else each.progress.fraction
        for each in changes
    ]


async def all_of(changes: AsyncIterator[Change]) -> list[Change]:
    async with asyncio.timeout(30):
        return [change async for change in changes]


async def next_of(changes: AsyncIterator[Change]) -> Change:
    async with asyncio.timeout(30):
        return await anext(changes)


async def test_statuses_and_progress_are_told_up_to_the_finish(executor: DurableExecutor) -> None:
    steps = [asyncio.Event() for _ in range(3)]

    @executor.task()
    async def copy(ctx: TaskContext) -> int:
        for place, step in enumerate(steps):
            await step.wait()
            ctx.progress(place / 2, f"step {place}")
        return 7

    handle = await executor.enqueue_task(copy)
    changes = handle.watch()
    seen = [await next_of(changes)]
    if told(seen) == ["ready"]:
        seen.append(await next_of(changes))
    assert told(seen)[-1] == "running"
    for step in steps[:2]:
        step.set()
        seen.append(await next_of(changes))
    assert told(seen)[-2:] == [0, 0.5]
    assert isinstance(seen[-1], ProgressChange)
    assert seen[-1].progress.message == "step 1"
    steps[2].set()
    seen += await all_of(changes)
    assert told(seen)[-2:] == [1, "completed"]
    last = seen[-1]
    assert isinstance(last, StatusChange)
    assert last.execution.status == "completed"
    assert last.execution.output == 7
    assert len({change.id for change in seen}) == len(seen)
    assert [each async for each in changes] == []


async def test_a_watch_goes_on_after_any_change_with_no_loss_and_no_repeat(
    executor: DurableExecutor,
) -> None:
    @executor.task(retry=RetryOptions(max_retries=1))
    async def flaky(ctx: TaskContext) -> None:
        ctx.progress(0.5 + ctx.attempt / 4)
        if ctx.attempt == 0:
            raise RuntimeError("again")

    handle = await executor.enqueue_task(flaky)
    seen = await all_of(handle.watch())
    assert told(seen)[-2:] == [0.75, "completed"]
    for place, change in enumerate(seen):
        # Only the newest state is there by now; it is what was told last.
        rest = await all_of(handle.watch(after=change.id))
        expected = seen[-2:] if place < len(seen) - 2 else seen[place + 1 :]
        assert told(rest) == told(expected), change
    fresh = await all_of(handle.watch())
    assert told(fresh) == [0.75, "completed"]


async def test_every_move_of_a_tree_is_told(executor: DurableExecutor) -> None:
    go = asyncio.Event()

    @executor.task()
    async def leaf(ctx: TaskContext) -> int:
        await go.wait()
        return 1

    @executor.parent_task()
    async def tree(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(leaf), child_task(leaf)])

    handle = await executor.enqueue_task(tree)
    changes = handle.watch()
    seen: list[Change] = []
    while told(seen)[-1:] != ["waiting_for_children"]:
        seen.append(await next_of(changes))
    waiting = seen[-1]
    assert isinstance(waiting, StatusChange)
    assert waiting.execution.status == "waiting_for_children"
    assert len(waiting.execution.children) == 2
    go.set()
    assert told(await all_of(changes)) == ["completed"]


async def test_cancellation_is_told_of_what_is_below_too(executor: DurableExecutor) -> None:
    @executor.task()
    async def leaf(ctx: TaskContext) -> None:
        await asyncio.Event().wait()

    @executor.parent_task()
    async def tree(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(leaf)])

    handle = await executor.enqueue_task(tree)
    async for change in handle.watch():
        if isinstance(change, StatusChange) and change.execution.status == "waiting_for_children":
            (child,) = change.execution.children
            break
    below = await executor.get_task_execution_handle(leaf, child.execution_id)
    changes = below.watch()
    while told([await next_of(changes)]) != ["running"]:
        pass
    await handle.cancel()
    assert told(await all_of(changes)) == ["cancelled"]


async def test_the_cancellation_of_a_loop_of_short_turns_is_told_once(
    executor: DurableExecutor,
) -> None:
    @executor.task()
    async def turn(ctx: TaskContext, _: int) -> NotDone:
        return NotDone()

    handle = await executor.enqueue_task(executor.looping_task("loop", turn, 100_000), 0)
    changes = handle.watch()
    while told([await next_of(changes)]) != ["waiting_for_children"]:
        pass
    await handle.cancel()
    last = (await all_of(changes))[-1]
    assert told([last]) == ["cancelled"]
    assert await all_of(handle.watch(after=last.id)) == []


async def test_what_happens_on_another_executor_is_told(storage: Storage) -> None:
    go = asyncio.Event()

    async def slow(ctx: TaskContext) -> str:
        ctx.progress(0.25, "begun")
        await go.wait()
        ctx.progress(1)
        return "done"

    # With a lease that a loaded machine keeps: an attempt that begins anew tells other changes.
    options = ExecutorOptions(lease=10, poll_interval=0.2)
    idle = replace(options, max_concurrent_task_executions=0)
    caller, worker = DurableExecutor(storage, idle), DurableExecutor(storage.sibling(), options)
    task, _ = caller.task(id="slow")(slow), worker.task(id="slow")(slow)
    async with caller:
        handle = await caller.enqueue_task(task)
        changes = handle.watch()
        assert told([await next_of(changes)]) == ["ready"]
        async with worker:
            assert told([await next_of(changes), await next_of(changes)]) == ["running", 0.25]
            progress = await handle.get_progress()
            assert progress is not None
            assert (progress.fraction, progress.message) == (0.25, "begun")
            go.set()
            assert told(await all_of(changes)) == [1, "completed"]


async def test_many_watchers_of_many_are_served_by_the_same_looks() -> None:
    storage = FaultyStorage(InMemoryStorage())
    go = asyncio.Event()
    async with DurableExecutor(storage) as executor:

        @executor.task()
        async def slow(ctx: TaskContext) -> None:
            await go.wait()

        handles = [await executor.enqueue_task(slow) for _ in range(20)]
        watching = [asyncio.ensure_future(all_of(each.watch())) for each in handles * 20]
        while len(executor.running_task_execution_ids) < 20:
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)  # until all have seen that it runs
        before = storage.calls.copy()
        go.set()
        for each in await asyncio.gather(*watching):
            assert told(each)[-1] == "completed"
        since = storage.calls - before
        assert since["glance"] < 10
        assert since["get"] == 0


async def test_many_who_watch_or_wait_for_a_parent_share_the_read_of_its_children() -> None:
    storage = FaultyStorage(InMemoryStorage())
    go = asyncio.Event()
    async with DurableExecutor(storage) as executor:

        @executor.task()
        async def leaf(ctx: TaskContext) -> None:
            await go.wait()

        @executor.parent_task()
        async def tree(ctx: TaskContext) -> ParentTaskOutput[None]:
            return ParentTaskOutput(None, [child_task(leaf)])

        handle = await executor.enqueue_task(tree)
        while (await handle.get_execution()).status != "waiting_for_children":
            await asyncio.sleep(0)
        watching = [asyncio.ensure_future(all_of(handle.watch())) for _ in range(200)]
        waiting = [
            asyncio.ensure_future(
                executor.wait_stored_task_execution(tree, handle.execution_id, timeout=10)
            )
            for _ in range(200)
        ]
        await asyncio.sleep(0.1)
        before = storage.calls["children_of"]
        go.set()
        for changes in await asyncio.gather(*watching):
            last = changes[-1]
            assert isinstance(last, StatusChange)
            assert last.execution.status == "completed"
            assert len(last.execution.children) == 1
        assert [len(each.children) for each in await asyncio.gather(*waiting)] == [1] * 200
        # One is the join's own.
        assert storage.calls["children_of"] - before < 6


async def test_a_slow_reader_gets_the_newest_only() -> None:
    async with DurableExecutor(InMemoryStorage()) as executor:
        go = asyncio.Event()

        @executor.task(retry=RetryOptions(max_retries=30))
        async def flaky(ctx: TaskContext) -> None:
            ctx.progress(ctx.attempt / 100)
            if ctx.attempt < 30:
                raise RuntimeError("again")
            await go.wait()

        handle = await executor.enqueue_task(flaky)
        slow, quick = handle.watch(), handle.watch()
        first = await next_of(slow)
        while told([await next_of(quick)]) != [0.3]:
            pass
        go.set()
        assert told(await all_of(quick)) == ["completed"]
        assert told([first, *await all_of(slow)])[1:] == [0.3, "completed"]


async def test_nothing_is_looked_at_for_watchers_that_have_left() -> None:
    storage = FaultyStorage(InMemoryStorage())
    async with DurableExecutor(storage) as executor:
        bell = executor.sleeping_task("bell", output=str)
        handle = await executor.enqueue_task(bell, "door")
        async for change in handle.watch():
            assert told([change]) == ["running"]
            break
        waiting = asyncio.ensure_future(all_of(handle.watch()))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.wait({waiting})
        del waiting
        gc.collect()
        before = storage.calls["glance"]
        await asyncio.sleep(0.6)  # longer than the time between two looks
        assert storage.calls["glance"] == before
        assert executor._engine is not None
        assert not executor._engine.watches.is_needed
        await executor.wakeup_sleeping_task_execution(bell, "door", output="open")
        assert told(await all_of(handle.watch())) == ["completed"]


async def test_watching_outlives_an_outage() -> None:
    storage = FaultyStorage(InMemoryStorage())
    async with DurableExecutor(storage) as executor:
        bell = executor.sleeping_task("bell", output=str)
        handle = await executor.enqueue_task(bell, "door")
        changes = handle.watch()
        storage.fail_before("glance", 3)
        assert told([await next_of(changes)]) == ["running"]
        storage.fail_before("glance", 2)
        storage.fail_before("get", 2)
        await executor.wakeup_sleeping_task_execution(bell, "door", output="open")
        assert told(await all_of(changes)) == ["completed"]


async def test_shutdown_and_deletion_are_told(executor: DurableExecutor) -> None:
    bell = executor.sleeping_task("bell", output=str)
    handle = await executor.enqueue_task(bell, "door")
    changes = handle.watch()
    await next_of(changes)
    nobody: TaskExecutionHandle[str] = TaskExecutionHandle(executor._engine, bell, "te_nobody")  # type: ignore[arg-type]
    with pytest.raises(DurableExecutionNotFoundError, match="te_nobody"):
        await next_of(nobody.watch())
    with pytest.raises(DurableExecutionNotFoundError, match="te_nobody"):
        await nobody.get_progress()
    for bad in ("", "1", "1.2", "1.2.3.4", "-1.0.0", "01.0.0", "1.0.0 ", "x", "9" * 30 + ".0.0"):
        with pytest.raises(InvalidOptionError, match="after must be the id of a change"):
            handle.watch(after=bad)
    await executor.shutdown()
    with pytest.raises(ExecutorShutDownError):
        await next_of(changes)
    with pytest.raises(ExecutorShutDownError):
        await next_of(handle.watch())


async def test_a_server_watches_and_waits_with_stored_rows(executor: DurableExecutor) -> None:
    go = asyncio.Event()

    @executor.task()
    async def slow(ctx: TaskContext, number: int) -> int:
        ctx.progress(0.5)
        await go.wait()
        return number

    bell = executor.sleeping_task("bell", output=str)
    handle = await executor.enqueue_task(slow, 5)
    changes = await executor.watch_stored_task_execution(slow, handle.execution_id)
    seen = [await anext(changes)]
    while not isinstance(seen[-1], ProgressChange):
        seen.append(await anext(changes))
    as_it_is = await executor.wait_stored_task_execution(slow, handle.execution_id, timeout=0.05)
    assert as_it_is.record.status == "running"
    waiting = asyncio.ensure_future(
        executor.wait_stored_task_execution(slow, handle.execution_id, timeout=10)
    )
    await asyncio.sleep(0.05)
    go.set()
    assert (await waiting).record.output == b'{"json":5}'
    rest = [change async for change in changes]
    last = rest[-1]  # others before it where a loaded machine took the lease meanwhile
    assert isinstance(last, StoredStatusChange)
    assert last.execution.record.output == b'{"json":5}'
    again = await executor.watch_stored_task_execution(slow, handle.execution_id, after=last.id)
    assert [change async for change in again] == []
    done = await executor.wait_stored_task_execution(slow, handle.execution_id, timeout=0)
    assert done.record.status == "completed"
    for call in (
        executor.watch_stored_task_execution(bell, handle.execution_id),
        executor.wait_stored_task_execution(bell, handle.execution_id, timeout=1),
    ):
        with pytest.raises(DurableExecutionNotFoundError, match="belongs to another task"):
            await call
