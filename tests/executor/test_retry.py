"""Retrying what has failed: what runs again, what is kept, and who hears of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from durable_execution import (
    Done,
    DurableExecutionError,
    DurableExecutionNotFoundError,
    DurableExecutor,
    ExecutorShutDownError,
    InvalidInputError,
    NotDone,
    ParentTaskOutput,
    ParentTaskResult,
    RetryOptions,
    Task,
    TaskContext,
    child_task,
    open_storage,
)
from tests.conftest import OPTIONS


class Weather:
    """What decides whether tasks fail, and how often each has run."""

    def __init__(self) -> None:
        self.is_bad = True
        self.runs: Counter[object] = Counter()

    def strike(self, who: object) -> None:
        self.runs[who] += 1
        if self.is_bad:
            raise DurableExecutionError(f"{who} was struck", is_retryable=True)


@pytest.fixture
def weather() -> Weather:
    return Weather()


@pytest.fixture
def fragile(executor: DurableExecutor, weather: Weather) -> Task[int, int]:
    @executor.task(retry=RetryOptions(max_retries=1))
    async def fragile(ctx: TaskContext, number: int) -> int:
        if number % 2:
            weather.strike(number)
        else:
            weather.runs[number] += 1
        return number * 10

    return fragile


async def test_a_failed_execution_runs_again_with_all_its_retries(
    executor: DurableExecutor, fragile: Task[int, int], weather: Weather
) -> None:
    handle = await executor.enqueue_task(fragile, 1)
    with pytest.raises(DurableExecutionError, match="1 was struck"):
        await handle.result()
    retried = await executor.retry_task_execution(fragile, handle.execution_id)
    assert (retried.execution_id, retried.finished_at) == (handle.execution_id, None)
    with pytest.raises(DurableExecutionError, match="1 was struck"):
        await handle.result()
    assert weather.runs[1] == 4
    weather.is_bad = False
    await executor.retry_task_execution("fragile", handle.execution_id)
    assert await handle.result() == 10
    assert weather.runs[1] == 5
    done = await handle.get_execution()
    assert (done.status, done.attempt) == ("completed", 0)


async def test_only_the_failed_children_of_a_tree_run_again_and_finalize_sees_the_new_results(
    executor: DurableExecutor, fragile: Task[int, int], weather: Weather
) -> None:
    seen: list[int] = []

    async def add_up(ctx: TaskContext, batch: ParentTaskResult[None]) -> int:
        good = batch.outputs_of(fragile)
        seen.append(len(good))
        if len(good) < 6:
            raise DurableExecutionError("some are missing")
        return sum(good)

    @executor.parent_task(finalize=add_up)
    async def batch(ctx: TaskContext) -> ParentTaskOutput[None]:
        weather.runs["batch"] += 1
        return ParentTaskOutput(None, [child_task(fragile, number) for number in range(6)])

    handle = await executor.enqueue_task(batch)
    failed = await handle.wait_and_get_finished_execution()
    assert failed.status == "finalize_failed"
    weather.is_bad = False
    await executor.retry_task_execution(batch, handle.execution_id)
    assert await handle.result() == 150
    assert seen == [3, 6]
    assert weather.runs == {"batch": 1, 0: 1, 2: 1, 4: 1, 1: 3, 3: 3, 5: 3}
    done = await handle.wait_and_get_finished_execution()
    assert [child.execution_id for child in done.children] == [
        child.execution_id for child in failed.children
    ]
    assert done.finalize is not None
    assert failed.finalize is not None
    assert done.finalize.execution_id != failed.finalize.execution_id
    found = await executor.search_task_executions(parent_execution_id=handle.execution_id)
    assert len(found.executions) == 8, "the finalize execution that failed is still there to see"


async def test_a_finalize_that_failed_over_good_children_runs_again_by_itself(
    executor: DurableExecutor, fragile: Task[int, int], weather: Weather
) -> None:
    async def report(ctx: TaskContext, batch: ParentTaskResult[None]) -> list[int]:
        weather.strike("report")
        return list(batch.outputs_of(fragile))

    @executor.parent_task(finalize=report)
    async def batch(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(fragile, 2), child_task(fragile, 4)])

    handle = await executor.enqueue_task(batch)
    failed = await handle.wait_and_get_finished_execution()
    assert failed.status == "finalize_failed"
    weather.is_bad = False
    await executor.retry_task_execution(batch, handle.execution_id)
    assert await handle.result() == [20, 40]
    done = await handle.wait_and_get_finished_execution()
    assert done.finalize == failed.finalize
    assert weather.runs[2] == weather.runs[4] == 1


async def test_a_sequence_goes_on_from_the_step_that_failed(
    executor: DurableExecutor, weather: Weather
) -> None:
    @executor.task
    async def first(ctx: TaskContext, number: int) -> int:
        weather.runs["first"] += 1
        return number + 1

    @executor.task
    async def second(ctx: TaskContext, number: int) -> int:
        if weather.is_bad:
            raise DurableExecutionError("no")
        return number * 2

    steps = executor.sequential_tasks("steps", (first, second, first))
    handle = await executor.enqueue_task(steps, 1)
    assert (await handle.wait_and_get_finished_execution()).status == "finalize_failed"
    weather.is_bad = False
    await executor.retry_task_execution(steps, handle.execution_id)
    assert await handle.result() == 5
    assert weather.runs["first"] == 2


async def test_a_loop_goes_on_from_the_turn_that_failed(
    executor: DurableExecutor, weather: Weather
) -> None:
    @executor.task
    async def look(ctx: TaskContext, name: str) -> Done[str] | NotDone:
        weather.runs["turn"] += 1
        if weather.runs["turn"] == 3:
            raise DurableExecutionError("blind")
        return Done(name) if weather.runs["turn"] == 5 else NotDone()

    loop = executor.looping_task("loop", look, max_attempts=10)
    handle = await executor.enqueue_task(loop, "it")
    assert (await handle.wait_and_get_finished_execution()).status == "finalize_failed"
    await executor.retry_task_execution(loop, handle.execution_id)
    assert (await handle.wait_and_get_finished_execution()).status == "completed"
    assert (await handle.get_execution()).status == "completed"
    assert weather.runs["turn"] == 5


async def test_what_a_cascade_cancelled_comes_back_with_its_root(executor: DurableExecutor) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    @executor.task
    async def slow(ctx: TaskContext, number: int) -> int:
        begun.set()
        await may_end.wait()
        return number

    sleeper = executor.sleeping_task("sleeper", timeout=60, output=str)

    @executor.parent_task()
    async def tree(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(
            None, [child_task(slow, 1), child_task(slow, 2), child_task(sleeper, "bell")]
        )

    handle = await executor.enqueue_task(tree)
    await begun.wait()
    await handle.cancel()
    assert (await handle.get_execution()).status == "cancelled"
    retried = await executor.retry_task_execution(tree, handle.execution_id)
    assert (retried.status, retried.active_children_count) == ("waiting_for_children", 3)
    may_end.set()
    await executor.wakeup_sleeping_task_execution(sleeper, "bell", output="morning")
    result = await handle.result()
    assert [child.output for child in result.children if child.status == "completed"] == [
        1,
        2,
        "morning",
    ]


async def test_whoever_watches_hears_of_the_new_finish(
    executor: DurableExecutor, fragile: Task[int, int], weather: Weather
) -> None:
    handle = await executor.enqueue_task(fragile, 1)
    last = [change async for change in handle.watch()][-1]
    assert last.type == "status"
    assert last.execution.status == "failed"
    weather.is_bad = False
    await executor.retry_task_execution(fragile, handle.execution_id)
    seen = [change async for change in handle.watch(after=last.id) if change.type == "status"]
    assert seen[-1].execution.status == "completed"


async def test_a_handle_of_another_process_hears_of_the_new_finish(
    tmp_path: Path, weather: Weather
) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    async with (
        DurableExecutor(open_storage(url), OPTIONS) as here,
        DurableExecutor(open_storage(url), OPTIONS) as there,
    ):

        @here.task
        async def fragile(ctx: TaskContext) -> str:
            weather.strike("here")
            return "calm"

        handle = await here.enqueue_task(fragile)
        assert (await handle.wait_and_get_finished_execution()).status == "failed"
        weather.is_bad = False
        await there.retry_task_execution("fragile", handle.execution_id)
        async with asyncio.timeout(30):
            while (await handle.get_execution()).status == "failed":
                await asyncio.sleep(0.01)  # until this process has heard of it
        assert await handle.result(timeout=30) == "calm"


async def test_what_has_not_failed_is_left_as_it_is(
    executor: DurableExecutor, fragile: Task[int, int], weather: Weather
) -> None:
    handle = await executor.enqueue_task(fragile, 2)
    await handle.result()
    assert (await executor.retry_task_execution(fragile, handle.execution_id)).status == "completed"
    assert weather.runs[2] == 1


async def test_several_who_retry_at_once_retry_once(
    executor: DurableExecutor, fragile: Task[int, int], weather: Weather
) -> None:
    handle = await executor.enqueue_task(fragile, 1)
    await handle.wait_and_get_finished_execution()
    weather.is_bad = False
    retries = [executor.retry_task_execution(fragile, handle.execution_id) for _ in range(8)]
    assert {each.execution_id for each in await asyncio.gather(*retries)} == {handle.execution_id}
    assert await handle.result() == 10
    assert weather.runs[1] == 3


async def test_a_child_cannot_be_retried_and_the_error_names_its_root(
    executor: DurableExecutor, fragile: Task[int, int]
) -> None:
    @executor.parent_task()
    async def tree(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(fragile, 1)])

    handle = await executor.enqueue_task(tree)
    child = (await handle.wait_and_get_finished_execution()).children[0]
    with pytest.raises(
        InvalidInputError, match=f"retry the root of its tree, {handle.execution_id}"
    ):
        await executor.retry_task_execution(fragile, child.execution_id)


async def test_what_is_not_there_or_of_another_task_cannot_be_retried_or_cancelled(
    executor: DurableExecutor, fragile: Task[int, int]
) -> None:
    handle = await executor.enqueue_task(fragile, 2)
    for act in (executor.retry_task_execution, executor.cancel_task_execution):
        with pytest.raises(DurableExecutionNotFoundError, match="not found"):
            await act(fragile, "ghost")
        with pytest.raises(DurableExecutionNotFoundError, match="belongs to another task"):
            await act("other", handle.execution_id)


async def test_an_execution_is_cancelled_and_retried_by_the_id_of_its_task(
    executor: DurableExecutor, fragile: Task[int, int]
) -> None:
    handle = await executor.enqueue_task(fragile, 2, sleep_before_run=60)
    cancelled = await executor.cancel_task_execution("fragile", handle.execution_id)
    assert cancelled.status == "cancelled"
    again = await executor.cancel_task_execution("fragile", handle.execution_id)
    assert again == cancelled
    await executor.retry_task_execution("fragile", handle.execution_id)
    assert await handle.result() == 20


async def test_an_executor_that_does_not_run_retries_nothing() -> None:
    executor = DurableExecutor(open_storage("memory://"), OPTIONS)
    with pytest.raises(ExecutorShutDownError):
        await executor.retry_task_execution("task", "id")
