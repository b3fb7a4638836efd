"""What tasks say of their progress: cheap, never in the way, and there before the finish."""

from __future__ import annotations

import asyncio
import threading

import pytest

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    InMemoryStorage,
    ParentTaskOutput,
    TaskContext,
    TaskExecutionHandle,
    child_task,
    task_to_enqueue,
)
from durable_execution.testing import make_context
from tests.executor.faulty_storage import FaultyStorage


async def fraction_of(handle: TaskExecutionHandle[None]) -> float | None:
    progress = await handle.get_progress()
    return None if progress is None else progress.fraction


async def test_progress_is_there_when_the_result_is(executor: DurableExecutor) -> None:
    @executor.task()
    async def on_the_loop(ctx: TaskContext) -> None:
        ctx.progress(0.25)
        ctx.progress(1, "all of it")

    @executor.task()
    def in_a_thread(ctx: TaskContext) -> None:
        ctx.progress(0.75, "nearly")

    @executor.task()
    async def silent(ctx: TaskContext) -> None: ...

    handles = [await executor.enqueue_task(each) for each in (on_the_loop, in_a_thread, silent)]
    for handle in handles:
        await handle.result(timeout=30)
    first, second, third = [await handle.get_progress() for handle in handles]
    assert first is not None
    assert second is not None
    assert (first.fraction, first.message) == (1.0, "all of it")
    assert (second.fraction, second.message) == (0.75, "nearly")
    assert third is None
    execution = await handles[0].get_execution()
    assert execution.status == "completed"
    assert execution.started_at is not None
    assert execution.started_at <= first.updated_at
    assert (first.updated_at - execution.finished_at).total_seconds() < 0.1


async def test_the_last_word_of_many_that_come_and_go_is_kept(executor: DurableExecutor) -> None:
    @executor.task()
    async def work(ctx: TaskContext, number: int) -> None:
        for place in range(4):
            ctx.progress(place / 4)
            await asyncio.sleep(number % 7 / 100)  # so that writes and outcomes cross
        ctx.progress(1, str(number))

    handles = await executor.enqueue_tasks([task_to_enqueue(work, each) for each in range(200)])
    await asyncio.gather(*[handle.result(timeout=30) for handle in handles])
    kept = await asyncio.gather(*[handle.get_progress() for handle in handles])
    assert [each and each.message for each in kept] == [str(number) for number in range(200)]


async def test_a_parent_and_an_attempt_that_fails_keep_theirs(executor: DurableExecutor) -> None:
    @executor.task()
    async def leaf(ctx: TaskContext) -> None: ...

    @executor.parent_task()
    async def tree(ctx: TaskContext) -> ParentTaskOutput[None]:
        ctx.progress(0.5, "spawned")
        return ParentTaskOutput(None, [child_task(leaf)])

    @executor.task()
    async def failing(ctx: TaskContext) -> None:
        ctx.progress(0.3)
        raise RuntimeError("no")

    tree_handle = await executor.enqueue_task(tree)
    await tree_handle.wait_and_get_finished_execution(timeout=30)
    failed_handle = await executor.enqueue_task(failing)
    await failed_handle.wait_and_get_finished_execution(timeout=30)
    progress = await tree_handle.get_progress()
    assert progress is not None
    assert progress.message == "spawned"
    assert await fraction_of(failed_handle) == 0.3


async def test_bad_arguments_fail_the_attempt_at_once(executor: DurableExecutor) -> None:
    @executor.task()
    async def wrong(ctx: TaskContext) -> None:
        ctx.progress(50)

    execution = await (await executor.enqueue_task(wrong)).wait_and_get_finished_execution(
        timeout=5
    )
    assert execution.status == "failed"
    assert execution.error.message == "fraction must be a number from 0 to 1, got 50"


async def test_writes_are_paced_and_shared() -> None:
    storage = FaultyStorage(InMemoryStorage())
    async with DurableExecutor(storage) as executor:
        stop = asyncio.Event()

        @executor.task()
        async def busy(ctx: TaskContext) -> None:
            while not stop.is_set():
                ctx.progress(0.5)
                await asyncio.sleep(0)
            ctx.progress(1)

        handles = [await executor.enqueue_task(busy) for _ in range(50)]
        await asyncio.sleep(0.9)  # time for four writes, whatever is said in it
        assert 1 <= storage.calls["report_progress"] <= 4
        stop.set()
        for handle in handles:
            await handle.result(timeout=30)
            assert await fraction_of(handle) == 1


async def test_tasks_that_report_nothing_cost_nothing() -> None:
    storage = FaultyStorage(InMemoryStorage())
    async with DurableExecutor(storage) as executor:

        @executor.task()
        async def silent(ctx: TaskContext) -> None: ...

        for _ in range(20):
            await (await executor.enqueue_task(silent)).result(timeout=30)
        assert storage.calls["report_progress"] == storage.calls["glance"] == 0


async def test_no_task_waits_or_fails_for_a_storage_that_is_away() -> None:
    storage = FaultyStorage(InMemoryStorage())
    async with DurableExecutor(storage) as executor:
        said = asyncio.Event()
        go = asyncio.Event()

        @executor.task()
        async def work(ctx: TaskContext) -> None:
            ctx.progress(0.5)
            said.set()
            await go.wait()
            ctx.progress(0.75, "the last word")

        storage.fail_before("report_progress", 3)
        handle = await executor.enqueue_task(work)
        await asyncio.wait_for(said.wait(), 5)
        while storage.calls["report_progress"] < 2:
            await asyncio.sleep(0.01)
        storage.recover()
        storage.fail_before("report_progress", 2)
        storage.fail_after("report_progress", 1)
        go.set()
        await handle.result(timeout=30)
        progress = await handle.get_progress()
        assert progress is not None
        assert progress.message == "the last word"


async def test_a_thread_that_outlives_its_executor_may_still_report() -> None:
    """It is not told that nobody listens: nothing is raised into code that nobody can stop."""
    begun, go, done = (threading.Event() for _ in range(3))
    errors: list[BaseException] = []
    options = ExecutorOptions(shutdown_timeout=0)
    async with DurableExecutor(InMemoryStorage(), options) as executor:

        @executor.task()
        def stubborn(ctx: TaskContext) -> None:
            ctx.progress(0.1)
            begun.set()
            go.wait(20)
            try:
                ctx.progress(0.2)
            except BaseException as error:
                errors.append(error)
            done.set()

        await executor.enqueue_task(stubborn)
        await asyncio.to_thread(begun.wait, 30)
    go.set()
    assert await asyncio.to_thread(done.wait, 10)
    assert errors == []


def test_a_unit_test_hears_of_progress() -> None:
    heard: list[tuple[float, str | None]] = []
    ctx = make_context(on_progress=lambda fraction, message: heard.append((fraction, message)))
    ctx.progress(1, "done")
    make_context().progress(0.5)
    assert heard == [(1.0, "done")]
    with pytest.raises(ValueError, match="fraction"):
        make_context().progress(2)
