"""What the type checkers must say of the public API. Checked, never run.

A line that must be an error carries the ignores of both checkers; since unused ignores are errors
too, the file fails as soon as such a line becomes acceptable.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_type

from durable_execution import (
    ChildTask,
    Done,
    DurableExecutor,
    ExecutionStats,
    FinishedTaskExecution,
    FoundExecutor,
    FoundTaskExecution,
    LoopGaveUp,
    LoopSucceeded,
    NotDone,
    ParentTaskOutput,
    ParentTaskResult,
    RetryOptions,
    SleepingTask,
    StoredError,
    Task,
    TaskBacklog,
    TaskContext,
    TaskDeclaration,
    TaskExecutionChange,
    TaskExecutionHandle,
    TaskProgress,
    Tasks,
    TaskToEnqueue,
    child_task,
    declare_task,
    task_to_enqueue,
)


@dataclass
class Email:
    to: str


tasks = Tasks()


@tasks.task(timeout=30, retry=RetryOptions(max_retries=3))
async def send_email(ctx: TaskContext, email: Email) -> int:
    return len(email.to)


@tasks.task
async def bare(ctx: TaskContext, email: Email) -> int:
    return len(email.to)


@tasks.task()
def plain(ctx: TaskContext, number: int) -> str:
    return str(number)


@tasks.task
def bare_plain(ctx: TaskContext, number: int) -> str:
    return str(number)


@tasks.task()
async def tick(ctx: TaskContext) -> float:
    return 1.0


@tasks.task
def bare_tick(ctx: TaskContext) -> float:
    return 1.0


assert_type(send_email, Task[Email, int])
assert_type(bare, Task[Email, int])
assert_type(plain, Task[int, str])
assert_type(bare_plain, Task[int, str])
assert_type(tick, Task[None, float])
assert_type(bare_tick, Task[None, float])


tasks.task(timeout="30")  # type: ignore[call-overload]  # pyright: ignore


async def enqueuing(executor: DurableExecutor) -> None:
    handle = await executor.enqueue_task(send_email, Email("a@b"), timeout=5)
    assert_type(handle, TaskExecutionHandle[int])
    assert_type(await handle.result(), int)
    assert_type(await (await executor.enqueue_task(plain, 3)).result(), str)
    assert_type(await (await executor.enqueue_task(tick)).result(), float)
    await executor.enqueue_task(send_email, "a@b")  # type: ignore[misc]  # pyright: ignore
    await executor.enqueue_task(send_email)  # type: ignore[arg-type]  # pyright: ignore
    await executor.enqueue_task(tick, 3)  # type: ignore[misc]  # pyright: ignore
    assert_type(task_to_enqueue(tick), TaskToEnqueue[float])
    many = await executor.enqueue_tasks([task_to_enqueue(send_email, Email("a@b"), key="1")])
    assert_type(many, list[TaskExecutionHandle[int]])
    task_to_enqueue(send_email, "a@b")  # type: ignore[misc]  # pyright: ignore
    task_to_enqueue(tick, 3)  # type: ignore[misc]  # pyright: ignore
    found = await executor.get_task_execution_handle(send_email, "te_1")
    assert_type(found, TaskExecutionHandle[int])


async def narrowing(handle: TaskExecutionHandle[int]) -> None:
    execution = await handle.get_execution()
    if execution.status == "completed":
        assert_type(execution.output, int)
    elif execution.status == "failed" or execution.status == "cancelled":
        assert_type(execution.error, StoredError)
    elif execution.status == "waiting_for_children":
        assert_type(execution.active_children_count, int)
    _ = execution.output  # type: ignore[union-attr]  # pyright: ignore
    finished = await handle.wait_and_get_finished_execution(timeout=5)
    assert_type(finished, FinishedTaskExecution[int])
    if finished.status == "completed":
        assert_type(finished.output, int)
    else:
        assert_type(finished.error, StoredError)


async def watching(handle: TaskExecutionHandle[int]) -> None:
    async for change in handle.watch(after="1.0.0"):
        assert_type(change, TaskExecutionChange[int])
        if change.type == "progress":
            assert_type(change.progress.fraction, float)
        elif change.execution.status == "completed":
            assert_type(change.execution.output, int)
        _ = change.progress  # type: ignore[union-attr]  # pyright: ignore
    assert_type(await handle.get_progress(), TaskProgress | None)


def reporting(ctx: TaskContext) -> None:
    ctx.progress(0.5, "half")
    ctx.progress("half")  # type: ignore[arg-type]  # pyright: ignore


async def total(ctx: TaskContext, result: ParentTaskResult[str]) -> int:
    assert_type(result.outputs_of(send_email), list[int])
    return len(result.output)


def plain_total(ctx: TaskContext, result: ParentTaskResult[str]) -> int:
    return len(result.output)


@tasks.task
async def close(ctx: TaskContext, result: ParentTaskResult[str]) -> bytes:
    return result.output.encode()


@tasks.parent_task()
async def settle(ctx: TaskContext, number: int) -> ParentTaskOutput[str]:
    children = [child_task(send_email, Email("a@b"), timeout=5), child_task(tick)]
    assert_type(children, list[ChildTask])
    child_task(send_email, "a@b")  # type: ignore[misc]  # pyright: ignore
    return ParentTaskOutput("all", children)


@tasks.parent_task(finalize=total)
async def summed(ctx: TaskContext, number: int) -> ParentTaskOutput[str]:
    return ParentTaskOutput("all")


@tasks.parent_task(finalize=plain_total)
def plainly_summed(ctx: TaskContext) -> ParentTaskOutput[str]:
    return ParentTaskOutput("all")


@tasks.parent_task(finalize=close)
async def closed(ctx: TaskContext) -> ParentTaskOutput[str]:
    return ParentTaskOutput("all")


assert_type(settle, Task[int, ParentTaskResult[str]])
assert_type(summed, Task[int, int])
assert_type(plainly_summed, Task[None, int])
assert_type(closed, Task[None, bytes])


@tasks.parent_task()  # type: ignore[arg-type]  # pyright: ignore
async def childless(ctx: TaskContext) -> int:
    return 1


two = tasks.sequential_tasks("two", (send_email, plain))
assert_type(two, Task[Email, str])


@tasks.task
async def turn(ctx: TaskContext, number: int) -> Done[str] | NotDone:
    return Done("x") if number else NotDone()


loop = tasks.looping_task("loop", turn, 5, sleep_before_run=lambda index: index / 2)
assert_type(loop, Task[int, LoopSucceeded[str] | LoopGaveUp])
tasks.looping_task("odd", plain, 5)  # type: ignore[arg-type]  # pyright: ignore

approval = tasks.sleeping_task("approval", timeout=3600, output=bool)
anything = tasks.sleeping_task("anything")
assert_type(approval, SleepingTask[bool])
assert_type(anything, SleepingTask[Any])


async def sleeping(executor: DurableExecutor) -> None:
    assert_type(await (await executor.enqueue_task(approval, "order 5")).result(), bool)
    woken = await executor.wakeup_sleeping_task_execution(approval, "order 5", output=True)
    assert_type(woken, FinishedTaskExecution[bool])
    await executor.wakeup_sleeping_task_execution(approval, "a", status="failed", error="no")
    await executor.wakeup_sleeping_task_execution(approval, "a", output="yes")  # type: ignore[misc]  # pyright: ignore
    await executor.wakeup_sleeping_task_execution(send_email, "a", output=1)  # type: ignore[call-overload]  # pyright: ignore


declared = declare_task("declared", input=Email, output=int)
assert_type(declared, TaskDeclaration[Email, int])


@tasks.implement(declared, timeout=5)
async def implemented(ctx: TaskContext, email: Email) -> int:
    return 1


@tasks.implement(declared)
def plainly_implemented(ctx: TaskContext, email: Email) -> int:
    return 1


@tasks.implement(declared)  # type: ignore[arg-type]  # pyright: ignore
async def wrongly_implemented(ctx: TaskContext, email: str) -> int:
    return 1


assert_type(implemented, Task[Email, int])
assert_type(plainly_implemented, Task[Email, int])


async def interventions(executor: DurableExecutor, task: Task[int, str]) -> None:
    """What is done by the id of a task needs no task; what is found has no payloads."""
    assert_type(await executor.retry_task_execution(task, "id"), FoundTaskExecution)
    assert_type(await executor.retry_task_execution("task", "id"), FoundTaskExecution)
    assert_type(await executor.cancel_task_execution("task", "id"), FoundTaskExecution)
    assert_type(await executor.list_executors(), tuple[FoundExecutor, ...])
    stats = await executor.get_stats(lately=60)
    assert_type(stats, ExecutionStats)
    assert_type(stats.tasks["task"], TaskBacklog)
    assert_type(stats.oldest_start_at, datetime | None)
    await executor.retry_task_execution(7, "id")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
