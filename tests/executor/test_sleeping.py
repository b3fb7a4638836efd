from __future__ import annotations

import asyncio

import pytest

from durable_execution import (
    DuplicateSleepingIdError,
    DurableExecutionError,
    DurableExecutionNotFoundError,
    DurableExecutor,
    InvalidInputError,
    ParentTaskOutput,
    SleepingTask,
    StoredError,
    TaskContext,
    child_task,
)


@pytest.fixture
def approve(executor: DurableExecutor) -> SleepingTask[int]:
    return executor.sleeping_task("approve", timeout=60, output=int)


async def test_a_sleeper_runs_on_nobody_until_it_is_woken(
    executor: DurableExecutor, approve: SleepingTask[int]
) -> None:
    handle = await executor.enqueue_task(approve, "a")
    execution = await handle.get_execution()
    assert execution.status == "running"
    assert (execution.executor_id, execution.sleeping_task_unique_id) == (None, "a")
    woken = await executor.wakeup_sleeping_task_execution(approve, "a", output=5)
    assert woken.status == "completed"
    assert (woken.output, woken.execution_id) == (5, handle.execution_id)
    assert await handle.result() == 5


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("no", StoredError(message="no")),
        (ValueError("no"), StoredError(message="ValueError: no", is_retryable=True)),
    ],
    ids=["text", "exception"],
)
async def test_a_sleeper_may_be_woken_to_fail(
    executor: DurableExecutor,
    approve: SleepingTask[int],
    given: str | Exception,
    stored: StoredError,
) -> None:
    handle = await executor.enqueue_task(approve, "a")
    await executor.wakeup_sleeping_task_execution(approve, "a", status="failed", error=given)
    execution = await handle.wait_and_get_finished_execution()
    assert (execution.status, execution.error) == ("failed", stored)


async def test_the_first_wake_up_wins_and_later_ones_return_its_result(
    executor: DurableExecutor, approve: SleepingTask[int]
) -> None:
    await executor.enqueue_task(approve, "a")
    woken = await asyncio.gather(
        *(executor.wakeup_sleeping_task_execution(approve, "a", output=each) for each in range(20))
    )
    assert len({each.output for each in woken}) == 1  # type: ignore[union-attr]
    later = await executor.wakeup_sleeping_task_execution(
        approve, "a", status="failed", error="too late"
    )
    assert later == woken[0]


async def test_waking_what_does_not_sleep_is_not_found(
    executor: DurableExecutor, approve: SleepingTask[int]
) -> None:
    other = executor.sleeping_task("other")
    await executor.enqueue_task(approve, "a")
    for unique_id in ("b", "", "x" * 300):
        with pytest.raises(DurableExecutionNotFoundError, match="execution not found"):
            await executor.wakeup_sleeping_task_execution(approve, unique_id, output=5)
    with pytest.raises(DurableExecutionNotFoundError, match="belongs to another task"):
        await executor.wakeup_sleeping_task_execution(other, "a", output=5)


async def test_a_bad_wake_up_is_refused_at_the_door(
    executor: DurableExecutor, approve: SleepingTask[int]
) -> None:
    @executor.task
    async def awake(ctx: TaskContext, name: str) -> None: ...

    handle = await executor.enqueue_task(approve, "a")
    with pytest.raises(InvalidInputError, match="output: expected int, got str"):
        await executor.wakeup_sleeping_task_execution(approve, "a", output="5")  # type: ignore[call-overload]
    with pytest.raises(InvalidInputError, match="expected completed or failed, got 'cancelled'"):
        await executor.wakeup_sleeping_task_execution(approve, "a", status="cancelled")  # type: ignore[call-overload]
    with pytest.raises(InvalidInputError, match=r"not a sleeping task \[taskId=awake\]"):
        await executor.wakeup_sleeping_task_execution(awake, "a", output=5)  # type: ignore[call-overload]
    assert (await handle.get_execution()).status == "running"


@pytest.mark.parametrize("unique_id", ["", "x" * 256, 5, None], ids=repr)
async def test_a_bad_sleeping_id_is_refused_at_the_door(
    executor: DurableExecutor, approve: SleepingTask[int], unique_id: str
) -> None:
    with pytest.raises(InvalidInputError, match="input"):
        await executor.enqueue_task(approve, unique_id)


async def test_ids_of_our_own_are_no_sleeping_ids(
    executor: DurableExecutor, approve: SleepingTask[int]
) -> None:
    with pytest.raises(InvalidInputError, match="must not begin with 'durable-execution:'"):
        await executor.enqueue_task(approve, "durable-execution:te_1")
    with pytest.raises(DurableExecutionNotFoundError):
        await executor.wakeup_sleeping_task_execution(approve, "durable-execution:te_1", output=1)


async def test_sleeping_ids_are_unique_over_all_tasks_for_ever(
    executor: DurableExecutor, approve: SleepingTask[int]
) -> None:
    other = executor.sleeping_task("other")
    await executor.enqueue_task(approve, "a")
    for task in (approve, other):
        with pytest.raises(DuplicateSleepingIdError, match="a"):
            await executor.enqueue_task(task, "a")
    await executor.wakeup_sleeping_task_execution(approve, "a", output=5)
    with pytest.raises(DuplicateSleepingIdError):
        await executor.enqueue_task(approve, "a")


async def test_a_taken_id_fails_nobody_else_in_its_batch(
    executor: DurableExecutor, approve: SleepingTask[int]
) -> None:
    ids = [str(number % 9) for number in range(10)]
    results = await asyncio.gather(
        *(executor.enqueue_task(approve, each) for each in ids), return_exceptions=True
    )
    assert [isinstance(each, Exception) for each in results] == [False] * 9 + [True]


async def test_nobody_s_wake_up_is_a_time_out(executor: DurableExecutor) -> None:
    nap = executor.sleeping_task("nap", timeout=0.05)
    execution = await (await executor.enqueue_task(nap, "a")).wait_and_get_finished_execution()
    assert execution.status == "timed_out"
    assert execution.error.message == "Sleeping task was not woken up within 0.05 s"
    late = await executor.wakeup_sleeping_task_execution(nap, "a", output=5)
    assert late == execution


async def test_a_cancelled_sleeper_cannot_be_woken(
    executor: DurableExecutor, approve: SleepingTask[int]
) -> None:
    handle = await executor.enqueue_task(approve, "a")
    await handle.cancel()
    woken = await executor.wakeup_sleeping_task_execution(approve, "a", output=5)
    assert woken.status == "cancelled"


async def test_a_parent_may_wait_for_a_webhook(
    executor: DurableExecutor, approve: SleepingTask[int]
) -> None:
    @executor.parent_task()
    async def parent(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(approve, each) for each in ("a", "b")])

    handle = await executor.enqueue_task(parent)
    while (await handle.get_execution()).status != "waiting_for_children":
        await asyncio.sleep(0.001)  # nothing tells when sleepers lie down
    await executor.wakeup_sleeping_task_execution(approve, "a", output=1)
    await executor.wakeup_sleeping_task_execution(approve, "b", status="failed", error="no")
    result = await handle.result()
    assert result.outputs_of(approve) == [1]
    assert result.children[1].status == "failed"


async def test_waking_with_no_error_text_still_fails(
    executor: DurableExecutor, approve: SleepingTask[int]
) -> None:
    handle = await executor.enqueue_task(approve, "a")
    await executor.wakeup_sleeping_task_execution(approve, "a", status="failed", error="")
    with pytest.raises(DurableExecutionError, match="Unknown error"):
        await handle.result()
