from __future__ import annotations

import asyncio

import pytest

from durable_execution import (
    DurableExecutionError,
    DurableExecutor,
    InvalidInputError,
    InvalidOptionError,
    ParentTaskOutput,
    StoredError,
    Task,
    TaskContext,
    child_task,
)


@pytest.fixture
def increment(executor: DurableExecutor) -> Task[int, int]:
    @executor.task
    async def increment(ctx: TaskContext, number: int) -> int:
        return number + 1

    return increment


@pytest.fixture
def spell(executor: DurableExecutor) -> Task[int, str]:
    @executor.task
    def spell(ctx: TaskContext, number: int) -> str:
        if number < 0:
            raise DurableExecutionError("negative", is_internal=True)
        return f"number {number}"

    return spell


async def test_the_output_of_a_step_is_the_input_of_the_next(
    executor: DurableExecutor, increment: Task[int, int], spell: Task[int, str]
) -> None:
    steps = executor.sequential_tasks("steps", (increment, increment, spell))
    handle = await executor.enqueue_task(steps, 1)
    assert await handle.result() == "number 3"
    execution = await handle.wait_and_get_finished_execution()
    assert execution.are_children_sequential
    assert [child.task_id for child in execution.children] == ["increment", "increment", "spell"]


async def test_ten_steps_run_in_order(executor: DurableExecutor, increment: Task[int, int]) -> None:
    steps = executor.sequential_tasks("steps", [increment] * 10)
    assert await (await executor.enqueue_task(steps, 0)).result() == 10


async def test_a_failing_step_ends_the_sequence(
    executor: DurableExecutor, increment: Task[int, int], spell: Task[int, str]
) -> None:
    steps = executor.sequential_tasks("steps", (increment, spell, increment))  # type: ignore[arg-type]
    execution = await (await executor.enqueue_task(steps, -5)).wait_and_get_finished_execution()
    assert execution.status == "finalize_failed"
    assert execution.error == StoredError(
        message="Sequential task failed [parentTaskId=steps] [index=1]: negative", is_internal=True
    )
    assert len(execution.children) == 2


async def test_an_output_that_does_not_fit_the_next_step_ends_the_sequence(
    executor: DurableExecutor, increment: Task[int, int], spell: Task[int, str]
) -> None:
    steps = executor.sequential_tasks("steps", [increment, spell, increment])
    execution = await (await executor.enqueue_task(steps, 1)).wait_and_get_finished_execution()
    assert execution.status == "finalize_failed"
    assert "[index=2]: Invalid input of task increment: input: expected int, got str" in str(
        execution.error.message
    )


async def test_the_input_is_checked_as_the_first_step_s(
    executor: DurableExecutor, increment: Task[int, int]
) -> None:
    steps = executor.sequential_tasks("steps", (increment, increment))
    with pytest.raises(InvalidInputError, match="input: expected int, got str"):
        await executor.enqueue_task(steps, "1")  # type: ignore[arg-type]


async def test_validate_input_sees_the_input_of_its_step_once(executor: DurableExecutor) -> None:
    @executor.task(validate_input=lambda number: number + 1)
    async def keep(ctx: TaskContext, number: int) -> int:
        return number

    inner = executor.sequential_tasks("inner", (keep, keep))
    outer = executor.sequential_tasks("outer", (inner, inner))
    handle = await executor.enqueue_task(inner, 0)
    assert (await handle.result(), (await handle.get_execution()).input) == (2, 1)
    assert await (await executor.enqueue_task(outer, 0)).result() == 4


async def test_a_step_that_its_validate_input_refuses_ends_the_sequence(
    executor: DurableExecutor, increment: Task[int, int]
) -> None:
    def refuse(number: int) -> int:
        raise ValueError("never")

    @executor.task(validate_input=refuse)
    async def never(ctx: TaskContext, number: int) -> int:
        return number

    steps = executor.sequential_tasks("steps", (increment, never))
    execution = await (await executor.enqueue_task(steps, 1)).wait_and_get_finished_execution()
    assert execution.status == "finalize_failed"
    assert execution.error.message == "Invalid input of task never: never"


async def test_a_step_may_sleep(executor: DurableExecutor) -> None:
    named = asyncio.Event()

    @executor.task
    async def name(ctx: TaskContext, word: str) -> str:
        named.set()
        return f"sleeper of {word}"

    approve = executor.sleeping_task("approve", timeout=60, output=int)

    @executor.task
    async def use(ctx: TaskContext, number: int) -> int:
        return number + 1

    steps = executor.sequential_tasks("steps", (name, approve, use))
    handle = await executor.enqueue_task(steps, "me")
    await named.wait()
    while (await handle.get_execution()).children[-1].task_id != "approve":
        await asyncio.sleep(0.001)  # nothing tells when a sleeper lies down
    await executor.wakeup_sleeping_task_execution(approve, "sleeper of me", output=6)
    assert await handle.result() == 7


async def test_a_step_that_sleeps_on_a_taken_id_ends_the_sequence(
    executor: DurableExecutor,
) -> None:
    @executor.task
    async def name(ctx: TaskContext, word: str) -> str:
        return word

    approve = executor.sleeping_task("approve", timeout=60, output=int)
    steps = executor.sequential_tasks("steps", (name, approve))
    await executor.enqueue_task(approve, "taken")
    handles = [await executor.enqueue_task(steps, word) for word in ("taken", "free")]
    execution = await handles[0].wait_and_get_finished_execution()
    assert execution.status == "finalize_failed"
    assert execution.error.message.endswith("[sleepingTaskUniqueId=taken]")
    await handles[1].cancel()


async def test_a_step_that_gives_no_id_to_sleep_on_ends_the_sequence(
    executor: DurableExecutor, increment: Task[int, int]
) -> None:
    approve = executor.sleeping_task("approve", timeout=60)
    steps = executor.sequential_tasks("steps", [increment, approve])
    execution = await (await executor.enqueue_task(steps, 1)).wait_and_get_finished_execution()
    assert execution.status == "finalize_failed"
    assert "expected a unique id, a string of 1 to 255 characters" in execution.error.message


async def test_a_sequence_may_be_a_child(
    executor: DurableExecutor, increment: Task[int, int]
) -> None:
    steps = executor.sequential_tasks("steps", (increment, increment))

    @executor.parent_task()
    async def parent(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(steps, number) for number in (1, 10)])

    assert (await (await executor.enqueue_task(parent)).result()).outputs_of(steps) == [3, 12]


async def test_an_empty_sequence_is_refused(executor: DurableExecutor) -> None:
    with pytest.raises(InvalidOptionError, match="sequential task steps needs at least one task"):
        executor.sequential_tasks("steps", [])
