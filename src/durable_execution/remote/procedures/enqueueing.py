"""The procedures that enqueue tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_execution._core.enqueueing import TaskToEnqueue, task_to_enqueue
from durable_execution._observing import continuing
from durable_execution.orpc import CallContext, Procedure, rpc
from durable_execution.remote.allowed_options import AllowedOptions
from durable_execution.remote.calls.enqueue import (
    NO_OPTIONS,
    EnqueueTask,
    read_enqueue_task,
    read_enqueue_tasks,
)
from durable_execution.remote.calls.names import ENQUEUE_TASK, ENQUEUE_TASKS
from durable_execution.remote.procedures.mounted import MountedTasks, told


def enqueueing(tasks: MountedTasks, allowed: AllowedOptions) -> Mapping[str, Procedure]:
    """Make the procedures that enqueue; `allowed` bounds the options of their callers."""

    async def enqueue_task(ctx: CallContext, input: object) -> object:
        with told():
            call = read_enqueue_task(input)
            task = tasks.task(ctx, call.task_key)
            allowed.check(call.options)
        with told(at=("input",)), continuing(ctx.headers):
            options = {} if call.options is NO_OPTIONS else call.options._asdict()
            handle = await tasks.executor.enqueue_task(task, call.input, **options)
        return handle.execution_id

    async def enqueue_tasks(ctx: CallContext, input: object) -> object:
        with told():
            calls = read_enqueue_tasks(input)
            wanted = [wanted_of(ctx, index, call) for index, call in enumerate(calls)]
        with told(at=("tasks",)), continuing(ctx.headers):
            handles = await tasks.executor.enqueue_tasks(wanted)
        return [handle.execution_id for handle in handles]

    def wanted_of(ctx: CallContext, index: int, call: EnqueueTask) -> TaskToEnqueue[Any]:
        task = tasks.task(ctx, call.task_key)
        with told(at=("tasks", index)):
            allowed.check(call.options)
            return task_to_enqueue(task, call.input, **call.options._asdict())

    return {
        ENQUEUE_TASK: rpc.handler(enqueue_task),
        ENQUEUE_TASKS: rpc.handler(enqueue_tasks),
    }
