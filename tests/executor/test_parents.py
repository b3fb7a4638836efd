from __future__ import annotations

import asyncio

import pytest

from durable_execution import (
    CompletedChild,
    DurableExecutionError,
    DurableExecutor,
    ErroredChild,
    ExecutorOptions,
    ParentTaskExecutionSummary,
    ParentTaskOutput,
    ParentTaskResult,
    RetryOptions,
    StoredError,
    Task,
    TaskContext,
    TaskExecutionSummary,
    child_task,
    open_storage,
)


@pytest.fixture
def double(executor: DurableExecutor) -> Task[int, int]:
    @executor.task
    async def double(ctx: TaskContext, number: int) -> int:
        if number < 0:
            raise DurableExecutionError(f"{number} is negative")
        return number * 2

    return double


async def test_a_parent_without_finalize_or_children_completes_with_its_output(
    executor: DurableExecutor,
) -> None:
    @executor.parent_task()
    async def alone(ctx: TaskContext, name: str) -> ParentTaskOutput[str]:
        return ParentTaskOutput(name)

    result = await (await executor.enqueue_task(alone, "me")).result()
    assert result == ParentTaskResult(output="me", children=())


async def test_children_run_in_parallel_and_are_told_in_order(
    executor: DurableExecutor, double: Task[int, int]
) -> None:
    @executor.parent_task()
    def fan_out(ctx: TaskContext, count: int) -> ParentTaskOutput[str]:
        return ParentTaskOutput("all", [child_task(double, number) for number in range(count)])

    handle = await executor.enqueue_task(fan_out, 100)
    result = await handle.result()
    assert result.output == "all"
    assert result.outputs_of(double) == [number * 2 for number in range(100)]
    execution = await handle.wait_and_get_finished_execution()
    assert [child.execution_id for child in execution.children] == [
        child.execution_id for child in result.children
    ]
    assert execution.active_children_count == 0


async def test_failed_children_do_not_fail_a_parent(
    executor: DurableExecutor, double: Task[int, int]
) -> None:
    @executor.parent_task()
    async def mixed(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(double, 1), child_task(double, -1)])

    good, bad = (await (await executor.enqueue_task(mixed)).result()).children
    assert isinstance(good, CompletedChild)
    assert good.output == 2
    assert isinstance(bad, ErroredChild)
    assert (bad.status, bad.error) == ("failed", StoredError(message="-1 is negative"))


async def test_children_know_their_place(executor: DurableExecutor) -> None:
    @executor.task
    async def leaf(ctx: TaskContext) -> None:
        seen[ctx.execution_id] = ctx

    @executor.parent_task()
    async def middle(ctx: TaskContext) -> ParentTaskOutput[None]:
        seen[ctx.execution_id] = ctx
        return ParentTaskOutput(None, [child_task(leaf)])

    @executor.parent_task()
    async def top(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(middle), child_task(middle)])

    seen: dict[str, TaskContext] = {}
    handle = await executor.enqueue_task(top)
    await handle.result()
    root = TaskExecutionSummary("top", handle.execution_id)
    middles = [ctx for ctx in seen.values() if ctx.task_id == "middle"]
    leaves = [ctx for ctx in seen.values() if ctx.task_id == "leaf"]
    assert {ctx.root for ctx in seen.values()} == {root}
    places = {ctx.parent.index_in_parent_children for ctx in middles if ctx.parent}
    assert places == {0, 1}
    for ctx in leaves:
        assert ctx.parent in {
            ParentTaskExecutionSummary("middle", each.execution_id, 0, True, False)
            for each in middles
        }


async def test_a_finalize_function_gets_every_child_and_gives_the_output(
    executor: DurableExecutor, double: Task[int, int]
) -> None:
    contexts: list[TaskContext] = []

    async def total(ctx: TaskContext, result: ParentTaskResult[int]) -> int:
        contexts.append(ctx)
        return result.output + sum(result.outputs_of(double)) + 1000 * len(result.children)

    @executor.parent_task(finalize=total, timeout=7)
    async def add(ctx: TaskContext, first: int) -> ParentTaskOutput[int]:
        return ParentTaskOutput(first, [child_task(double, each) for each in (1, 2, -1)])

    handle = await executor.enqueue_task(add, 100)
    assert await handle.result() == 3106
    execution = await handle.wait_and_get_finished_execution()
    assert len(execution.children) == 3
    assert execution.finalize == TaskExecutionSummary("add_finalize", contexts[0].execution_id)
    parent = contexts[0].parent
    assert parent is not None
    assert parent.is_finalize_of_parent
    finalize = executor.tasks["add_finalize"]
    child = await executor.get_task_execution_handle(finalize, contexts[0].execution_id)
    view = await child.get_execution()
    assert (view.timeout, view.retry, view.input) == (7, RetryOptions(), None)


async def test_a_plain_finalize_function_works_without_children(executor: DurableExecutor) -> None:
    def name(ctx: TaskContext, result: ParentTaskResult[str]) -> str:
        return f"{result.output} and {len(result.children)}"

    @executor.parent_task(finalize=name)
    async def alone(ctx: TaskContext) -> ParentTaskOutput[str]:
        return ParentTaskOutput("me")

    assert await (await executor.enqueue_task(alone)).result() == "me and 0"


async def test_finalize_may_be_a_task_with_retries(executor: DurableExecutor) -> None:
    @executor.task(retry=RetryOptions(max_retries=1))
    async def close(ctx: TaskContext, result: ParentTaskResult[int]) -> str:
        if ctx.attempt == 0:
            raise ValueError("not yet")
        return f"closed {result.output}"

    @executor.parent_task(finalize=close)
    async def begin(ctx: TaskContext) -> ParentTaskOutput[int]:
        return ParentTaskOutput(5)

    assert await (await executor.enqueue_task(begin)).result() == "closed 5"


async def test_finalize_may_be_a_parent_or_a_sequence(
    executor: DurableExecutor, double: Task[int, int]
) -> None:
    @executor.task
    async def pick(ctx: TaskContext, result: ParentTaskResult[int]) -> int:
        return result.output

    chain = executor.sequential_tasks("chain", (pick, double))

    @executor.parent_task(finalize=pick)
    async def inner(ctx: TaskContext, result: ParentTaskResult[int]) -> ParentTaskOutput[int]:
        return ParentTaskOutput(result.output + 1, [child_task(double, 1)])

    @executor.parent_task(finalize=chain)
    async def by_sequence(ctx: TaskContext) -> ParentTaskOutput[int]:
        return ParentTaskOutput(4)

    @executor.parent_task(finalize=inner)
    async def by_parent(ctx: TaskContext) -> ParentTaskOutput[int]:
        return ParentTaskOutput(4)

    assert await (await executor.enqueue_task(by_sequence)).result() == 8
    assert await (await executor.enqueue_task(by_parent)).result() == 5


async def test_finalize_is_checked_by_its_own_validate_input(executor: DurableExecutor) -> None:
    def refuse(result: object) -> object:
        raise ValueError("not today")

    @executor.task(validate_input=refuse)
    async def close(ctx: TaskContext, result: object) -> None: ...

    @executor.parent_task(finalize=close)
    async def begin(ctx: TaskContext) -> ParentTaskOutput[int]:
        return ParentTaskOutput(5)

    execution = await (await executor.enqueue_task(begin)).wait_and_get_finished_execution()
    assert execution.status == "finalize_failed"
    assert execution.error.message.endswith("Invalid input of task close: not today")


async def test_a_failing_finalize_is_finalize_failed(
    executor: DurableExecutor, double: Task[int, int]
) -> None:
    async def refuse(ctx: TaskContext, result: ParentTaskResult[None]) -> None:
        raise DurableExecutionError("no", is_internal=True)

    @executor.parent_task(finalize=refuse, retry=RetryOptions(max_retries=5))
    async def begin(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(double, 1)])

    execution = await (await executor.enqueue_task(begin)).wait_and_get_finished_execution()
    assert execution.status == "finalize_failed"
    assert execution.error == StoredError(message="Finalize task failed: no", is_internal=True)


async def test_trees_may_be_deep(executor: DurableExecutor, double: Task[int, int]) -> None:
    def total(ctx: TaskContext, result: ParentTaskResult[int]) -> int:
        return result.output + sum(
            child.output for child in result.children if isinstance(child, CompletedChild)
        )

    @executor.parent_task(finalize=total)
    async def bottom(ctx: TaskContext, number: int) -> ParentTaskOutput[int]:
        return ParentTaskOutput(number, [child_task(double, number) for _ in range(3)])

    @executor.parent_task(id="middle", finalize=total)
    async def middle(ctx: TaskContext, number: int) -> ParentTaskOutput[int]:
        return ParentTaskOutput(number, [child_task(bottom, number) for _ in range(3)])

    @executor.parent_task(id="top", finalize=total)
    async def top(ctx: TaskContext, number: int) -> ParentTaskOutput[int]:
        return ParentTaskOutput(number, [child_task(middle, number) for _ in range(3)])

    assert await (await executor.enqueue_task(top, 1)).result() == 1 + 3 * (1 + 3 * (1 + 3 * 2))


async def test_a_child_has_options_of_its_own(executor: DurableExecutor) -> None:
    @executor.task(timeout=50)
    async def leaf(ctx: TaskContext) -> int:
        if ctx.attempt == 0:
            raise ValueError("not yet")
        return ctx.attempt

    @executor.parent_task()
    async def parent(ctx: TaskContext) -> ParentTaskOutput[None]:
        child = child_task(leaf, timeout=5, retry=RetryOptions(max_retries=1))
        return ParentTaskOutput(None, [child])

    result = await (await executor.enqueue_task(parent)).result()
    assert result.outputs_of(leaf) == [1]
    handle = await executor.get_task_execution_handle(leaf, result.children[0].execution_id)
    assert (await handle.get_execution()).timeout == 5


async def test_a_bad_child_input_fails_the_parent_and_leaves_no_child(
    executor: DurableExecutor, double: Task[int, int]
) -> None:
    @executor.parent_task(retry=RetryOptions(max_retries=3))
    async def careless(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(double, 1), child_task(double, "2")])  # type: ignore[arg-type]

    execution = await (await executor.enqueue_task(careless)).wait_and_get_finished_execution()
    assert (execution.status, execution.attempt) == ("failed", 0)
    assert "Invalid input of task double: input: expected int" in execution.error.message
    assert execution.children == ()


async def test_too_many_children_fail_the_parent() -> None:
    options = ExecutorOptions(max_children_per_task_execution=2)
    async with DurableExecutor(open_storage("memory://"), options) as executor:

        @executor.task
        async def leaf(ctx: TaskContext) -> None: ...

        @executor.parent_task()
        async def parent(ctx: TaskContext, count: int) -> ParentTaskOutput[None]:
            return ParentTaskOutput(None, [child_task(leaf) for _ in range(count)])

        assert len((await (await executor.enqueue_task(parent, 2)).result()).children) == 2
        with pytest.raises(
            DurableExecutionError, match=r"returned 3 children, at most 2 .* children of"
        ):
            await (await executor.enqueue_task(parent, 3)).result()


async def test_a_parent_must_return_parent_task_output(executor: DurableExecutor) -> None:
    @executor.parent_task()
    async def forgetful(ctx: TaskContext):
        return 5

    with pytest.raises(DurableExecutionError, match="must return ParentTaskOutput, got int"):
        await (await executor.enqueue_task(forgetful)).result()


async def test_a_parent_s_own_output_must_fit_its_hint(executor: DurableExecutor) -> None:
    @executor.parent_task()
    async def wrong(ctx: TaskContext) -> ParentTaskOutput[int]:
        return ParentTaskOutput("five")  # type: ignore[arg-type]

    execution = await (await executor.enqueue_task(wrong)).wait_and_get_finished_execution()
    assert execution.status == "failed"
    assert execution.error.message == (
        "Invalid output of task wrong: output: expected int, got str"
    )


async def test_a_child_that_sleeps_on_a_taken_id_fails_the_parent(
    executor: DurableExecutor, double: Task[int, int]
) -> None:
    sleeper = executor.sleeping_task("sleeper", timeout=60)

    @executor.parent_task()
    async def parent(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(double, 1), child_task(sleeper, "taken")])

    await executor.enqueue_task(sleeper, "taken")
    execution = await (await executor.enqueue_task(parent)).wait_and_get_finished_execution()
    assert execution.status == "failed"
    assert execution.error.message.endswith("[sleepingTaskUniqueId=taken]")
    assert execution.children == ()


async def test_a_waiting_parent_shows_what_it_waits_for(executor: DurableExecutor) -> None:
    leaf_runs, leaf_gate, close_runs, close_gate = (asyncio.Event() for _ in range(4))

    @executor.task
    async def leaf(ctx: TaskContext) -> None:
        leaf_runs.set()
        await leaf_gate.wait()

    async def close(ctx: TaskContext, result: ParentTaskResult[None]) -> str:
        close_runs.set()
        await close_gate.wait()
        return "closed"

    @executor.parent_task(finalize=close)
    async def parent(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, [child_task(leaf), child_task(leaf)])

    handle = await executor.enqueue_task(parent)
    await leaf_runs.wait()
    execution = await handle.get_execution()
    assert execution.status == "waiting_for_children"
    assert (len(execution.children), execution.active_children_count) == (2, 2)
    leaf_gate.set()
    await close_runs.wait()
    execution = await handle.get_execution()
    assert execution.status == "waiting_for_finalize"
    assert (len(execution.children), execution.active_children_count) == (2, 1)
    assert execution.finalize.task_id == "parent_finalize"
    close_gate.set()
    assert await handle.result() == "closed"


async def test_a_finalize_function_without_hints_gets_the_result_of_its_parent(
    executor: DurableExecutor,
) -> None:
    def finish(ctx, input):  # type: ignore[no-untyped-def] # the point: no hints
        return [input.output, [child.status for child in input.children]]

    @executor.parent_task(finalize=finish)
    async def parent(ctx: TaskContext) -> ParentTaskOutput[int]:
        return ParentTaskOutput(7)

    assert await (await executor.enqueue_task(parent)).result() == [7, []]


async def test_a_child_that_child_task_did_not_make_is_named(executor: DurableExecutor) -> None:
    @executor.parent_task()
    async def parent(ctx: TaskContext) -> ParentTaskOutput[None]:
        return ParentTaskOutput(None, ["a string"])  # type: ignore[list-item] # the point

    execution = await (await executor.enqueue_task(parent)).wait_and_get_finished_execution()
    assert execution.status == "failed"
    assert execution.error.message == (
        "Child 0 of parent task parent must be made by child_task(...), got str"
    )
