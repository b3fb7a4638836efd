"""What type checkers must make of tasks and executions. Checked by mypy and pyright, never run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_type

from durable_execution import (
    DurableExecutor,
    FinishedTaskExecution,
    InMemoryStorage,
    ParentTaskOutput,
    ParentTaskResult,
    SleepingTask,
    StoredError,
    Task,
    TaskContext,
    TaskExecution,
    TaskExecutionHandle,
    TaskExecutionPage,
    child_task,
)
from durable_execution.client import (
    SyncORPCClient,
    SyncTaskClientHandle,
    SyncTaskClientHandles,
    TaskClientHandle,
    TaskClientHandles,
    create_task_client_handles,
    declare_task,
)
from durable_execution.orpc import ORPCClient


@dataclass
class Email:
    to: str


executor = DurableExecutor(InMemoryStorage())


@executor.task
async def send(ctx: TaskContext, email: Email) -> int:
    return len(email.to)


@executor.task(id="sendInThread", timeout=30)
def send_in_thread(ctx: TaskContext, email: Email) -> int:
    return len(email.to)


@executor.task
async def tick(ctx: TaskContext) -> str:
    return "tick"


@executor.task
async def describe(ctx: TaskContext, size: int) -> str:
    return str(size)


@executor.task
async def measure(ctx: TaskContext, text: str) -> int:
    return len(text)


@executor.parent_task
async def bare(ctx: TaskContext, emails: list[Email]) -> ParentTaskOutput[int]:
    return ParentTaskOutput(len(emails), [])


assert_type(bare, Task[list[Email], ParentTaskResult[int]])


@executor.parent_task(id="sendAll")
async def send_all(ctx: TaskContext, emails: list[Email]) -> ParentTaskOutput[int]:
    return ParentTaskOutput(len(emails), [child_task(send, email) for email in emails])


async def count(ctx: TaskContext, result: ParentTaskResult[int]) -> str:
    assert_type(result.outputs_of(send), list[int])
    return str(len(result.children))


@executor.parent_task(id="countAll", finalize=count)
async def count_all(ctx: TaskContext, emails: list[Email]) -> ParentTaskOutput[int]:
    return ParentTaskOutput(len(emails), [])


wait_for_size = executor.sleeping_task("waitForSize", output=int)
declared = declare_task("declared", input=Email, output=int)

assert_type(send, Task[Email, int])
assert_type(send_in_thread, Task[Email, int])
assert_type(tick, Task[None, str])
assert_type(send_all, Task[list[Email], ParentTaskResult[int]])
assert_type(count_all, Task[list[Email], str])
assert_type(executor.sequential_tasks("both", (send, describe)), Task[Email, str])
executor.sequential_tasks("turned", (describe, send))  # type: ignore[misc]  # pyright: ignore
assert_type(
    executor.sequential_tasks("long", (send, describe, measure, describe, measure)),
    Task[Email, Any],
)
assert_type(executor.sequential_tasks("any", [send, tick]), Task[Any, Any])
assert_type(wait_for_size, SleepingTask[int])


async def enqueuing_keeps_the_types() -> None:
    handle = await executor.enqueue_task(send, Email("ada"))
    assert_type(handle, TaskExecutionHandle[int])
    assert_type(await handle.result(), int)
    assert_type(await (await executor.enqueue_task(tick)).result(), str)
    await executor.enqueue_task(send, "ada")  # type: ignore[misc]  # pyright: ignore
    await executor.enqueue_task(send)  # type: ignore[arg-type]  # pyright: ignore
    await executor.wakeup_sleeping_task_execution(wait_for_size, "id", output=1)


async def status_narrows(handle: TaskExecutionHandle[int]) -> None:
    execution = await handle.get_execution()
    if execution.status == "completed":
        assert_type(execution.output, int)
    elif execution.status == "failed":
        assert_type(execution.error, StoredError)
    else:
        _ = execution.output  # type: ignore[union-attr]  # pyright: ignore


async def handles_of_a_client_keep_the_types(client: ORPCClient) -> None:
    handles = create_task_client_handles(client, {"send": declared})
    assert_type(handles, TaskClientHandles)
    assert_type(handles[declared], TaskClientHandle[Email, int])
    assert_type(handles.send, TaskClientHandle[Any, Any])

    assert_type(await handles[declared].enqueue(Email("ada")), str)
    assert_type(await handles[declared].enqueue_many([Email("ada")], keys=["k"]), list[str])
    assert_type(await handles[declared].result("te_1"), int)
    assert_type(await handles[declared].wait("te_1"), TaskExecution[int])
    assert_type(await handles[declared].cancel("te_1"), FinishedTaskExecution[int])
    assert_type(await handles[declared].list(statuses=["failed"]), TaskExecutionPage)
    async with handles[declared].watch("te_1") as changes:
        async for change in changes:
            if change.type == "status" and change.execution.status == "completed":
                assert_type(change.execution.output, int)
            elif change.type == "progress":
                assert_type(change.progress.fraction, float)
    await handles[declared].enqueue_many(["ada"])  # type: ignore[list-item]  # pyright: ignore
    await handles[declared].enqueue("ada")  # type: ignore[arg-type]  # pyright: ignore


def in_a_script(client: SyncORPCClient) -> None:
    handles = create_task_client_handles(client, {"send": declared})
    assert_type(handles, SyncTaskClientHandles)
    assert_type(handles[declared], SyncTaskClientHandle[Email, int])
    assert_type(handles[declared].enqueue(Email("x")), str)
    assert_type(handles[declared].enqueue_many([Email("x")]), list[str])
    assert_type(handles[declared].result("id"), int)
    assert_type(handles[declared].wait("id"), TaskExecution[int])
    assert_type(handles[declared].cancel("id"), FinishedTaskExecution[int])
    assert_type(handles[declared].list(), TaskExecutionPage)
    with handles[declared].watch("id") as changes:
        for change in changes:
            if change.type == "status" and change.execution.status == "completed":
                assert_type(change.execution.output, int)
    handles[declared].enqueue(1)  # type: ignore[arg-type]  # pyright: ignore
