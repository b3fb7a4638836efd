"""The procedures that wait for an execution: until it has finished, or for whatever it does.

Neither holds a thread, nor asks the storage on its own: all that is waited for is read together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from durable_execution._core.changes import ProgressChange, TaskProgress
from durable_execution._core.task import Task
from durable_execution.executor import StoredStatusChange
from durable_execution.orpc import CallContext, Event, Procedure, Return, rpc
from durable_execution.remote.calls.execution import read_execution_call, read_wait
from durable_execution.remote.calls.names import WAIT_TASK_EXECUTION, WATCH_TASK_EXECUTION
from durable_execution.remote.procedures.mounted import MountedTasks, told, view_of


def waiting(tasks: MountedTasks) -> Mapping[str, Procedure]:
    """Make the procedures that wait."""
    executor = tasks.executor

    async def wait_task_execution(ctx: CallContext, input: object) -> object:
        with told():
            call = read_wait(input)
            task = tasks.task(ctx, call.task_key)
            async with executor.departure.cutting():
                stored = await executor.wait_stored_task_execution(
                    task, call.execution_id, timeout=call.timeout_ms / 1000
                )
            return view_of(stored)

    # Not a generator itself, which could refuse a call only after it has begun to answer it.
    async def watch_task_execution(ctx: CallContext, input: object) -> object:
        with told():
            call = read_execution_call(input)
            task = tasks.task(ctx, call.task_key)
            async with executor.departure.cutting():
                changes = await executor.watch_stored_task_execution(
                    task, call.execution_id, after=ctx.last_event_id
                )
        return _events(tasks, task, call.execution_id, changes, ctx.last_event_id)

    return {
        WAIT_TASK_EXECUTION: rpc.handler(wait_task_execution),
        WATCH_TASK_EXECUTION: rpc.handler(watch_task_execution),
    }


async def _events(
    tasks: MountedTasks,
    task: Task[Any, Any],
    execution_id: str,
    changes: AsyncIterator[StoredStatusChange | ProgressChange],
    last_id: str | None,
) -> AsyncIterator[object]:
    """Give each change an event, and the finished execution once more as the return value.

    Loops of JavaScript do not see what a stream returns; who resumes behind the last change sees
    nothing else.
    """
    with told():
        finished: object = None
        while True:
            async with tasks.executor.departure.cutting():
                change = await anext(changes, None)
            if change is None:
                break
            last_id = change.id
            if isinstance(change, ProgressChange):
                yield Event(_progress(change.progress), id=change.id)
                continue
            view = view_of(change.execution)
            if change.execution.record.is_finished:
                finished = view
            yield Event({"type": "status", "execution": view}, id=change.id)
        yield Return(finished or await tasks.view(task, execution_id), id=last_id)


def _progress(progress: TaskProgress) -> dict[str, object]:
    written: dict[str, object] = {"fraction": progress.fraction, "updatedAt": progress.updated_at}
    if progress.message is not None:
        written["message"] = progress.message
    return {"type": "progress", "progress": written}
