from __future__ import annotations

from datetime import timedelta

import pytest

from durable_execution import (
    Done,
    DurableExecutionError,
    DurableExecutor,
    InvalidOptionError,
    LoopGaveUp,
    LoopSucceeded,
    NotDone,
    StoredError,
    Task,
    TaskContext,
)


@pytest.fixture
def turn(executor: DurableExecutor) -> Task[int, Done[str] | NotDone]:
    @executor.task
    async def turn(ctx: TaskContext, turns: int) -> Done[str] | NotDone:
        assert ctx.parent is not None
        index = ctx.parent.index_in_parent_children
        if turns < 0:
            raise DurableExecutionError("no turn")
        return Done(f"after {index + 1}") if index + 1 >= turns else NotDone()

    return turn


async def test_a_loop_ends_with_the_turn_that_is_done(
    executor: DurableExecutor, turn: Task[int, Done[str] | NotDone]
) -> None:
    loop = executor.looping_task("loop", turn, 5)
    handle = await executor.enqueue_task(loop, 3)
    assert await handle.result() == LoopSucceeded("after 3")
    assert len((await handle.wait_and_get_finished_execution()).children) == 3


async def test_a_loop_that_is_never_done_gives_up(
    executor: DurableExecutor, turn: Task[int, Done[str] | NotDone]
) -> None:
    loop = executor.looping_task("loop", turn, 2)
    handle = await executor.enqueue_task(loop, 3)
    assert await handle.result() == LoopGaveUp()


async def test_a_failing_turn_ends_the_loop(
    executor: DurableExecutor, turn: Task[int, Done[str] | NotDone]
) -> None:
    loop = executor.looping_task("loop", turn, 2)
    execution = await (await executor.enqueue_task(loop, -1)).wait_and_get_finished_execution()
    assert execution.status == "finalize_failed"
    assert execution.error == StoredError(message="Iteration task failed [taskId=turn]: no turn")


async def test_a_turn_that_returns_something_else_ends_the_loop(executor: DurableExecutor) -> None:
    @executor.task
    async def turn(ctx: TaskContext) -> object:
        return 5

    loop = executor.looping_task("loop", turn, 2)  # type: ignore[arg-type]
    execution = await (await executor.enqueue_task(loop)).wait_and_get_finished_execution()
    assert execution.status == "finalize_failed"
    assert execution.error.message.startswith("Iteration task must return Done or NotDone")


async def test_turns_may_return_dicts(executor: DurableExecutor) -> None:
    @executor.task
    async def turn(ctx: TaskContext):
        assert ctx.parent is not None
        is_done = ctx.parent.index_in_parent_children == 1
        return {"isDone": True, "output": [1, 2]} if is_done else {"isDone": False}

    loop = executor.looping_task("loop", turn, 5)
    assert await (await executor.enqueue_task(loop)).result() == LoopSucceeded([1, 2])


@pytest.mark.parametrize(
    "pause",
    [0.05, timedelta(milliseconds=50), lambda index: 0.05],
    ids=["number", "timedelta", "function"],
)
async def test_a_loop_may_pause_before_each_turn(
    executor: DurableExecutor, turn: Task[int, Done[str] | NotDone], pause: object
) -> None:
    loop = executor.looping_task("loop", turn, 5, pause)  # type: ignore[arg-type]
    handle = await executor.enqueue_task(loop, 2)
    execution = await handle.wait_and_get_finished_execution()
    assert execution.status == "completed"
    assert execution.finished_at - execution.created_at >= timedelta(milliseconds=100)
    child = await executor.get_task_execution_handle(turn, execution.children[1].execution_id)
    assert (await child.get_execution()).sleep_before_run == 0.05


@pytest.mark.parametrize(("failing", "status"), [(0, "failed"), (1, "finalize_failed")])
async def test_a_pause_that_raises_ends_the_loop(
    executor: DurableExecutor,
    turn: Task[int, Done[str] | NotDone],
    failing: int,
    status: str,
) -> None:
    def pause(index: int) -> float:
        if index == failing:
            raise ValueError(f"no pause {index}")
        return 0

    loop = executor.looping_task("loop", turn, 5, pause)
    execution = await (await executor.enqueue_task(loop, 3)).wait_and_get_finished_execution()
    assert execution.status == status
    assert execution.error.message == f"ValueError: no pause {failing}"


async def test_every_turn_gets_the_input_that_validate_input_gave(
    executor: DurableExecutor,
) -> None:
    inputs: list[int] = []

    @executor.task(validate_input=lambda number: number + 1)
    async def turn(ctx: TaskContext, number: int) -> Done[int] | NotDone:
        inputs.append(number)
        return Done(number) if len(inputs) == 3 else NotDone()

    loop = executor.looping_task("loop", turn, 5)
    assert await (await executor.enqueue_task(loop, 0)).result() == LoopSucceeded(1)
    assert inputs == [1, 1, 1]


async def test_a_loop_may_take_many_turns(
    executor: DurableExecutor, turn: Task[int, Done[str] | NotDone]
) -> None:
    loop = executor.looping_task("loop", turn, 1000)
    handle = await executor.enqueue_task(loop, 200)
    assert await handle.result() == LoopSucceeded("after 200")


async def test_a_loop_of_no_turns_is_refused(
    executor: DurableExecutor, turn: Task[int, Done[str] | NotDone]
) -> None:
    with pytest.raises(InvalidOptionError, match="max_attempts must be a whole number from 1"):
        executor.looping_task("loop", turn, 0)


async def test_a_sleeping_task_cannot_be_a_turn(executor: DurableExecutor) -> None:
    with pytest.raises(InvalidOptionError, match="must not be a sleeping task"):
        executor.looping_task("loop", executor.sleeping_task("sleeper"), 2)  # type: ignore[arg-type]
