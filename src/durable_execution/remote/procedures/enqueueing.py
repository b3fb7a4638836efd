"""The procedures that enqueue tasks."""

from __future__ import annotations

from collections.abc import Mapping

from durable_execution.orpc import CallContext, Procedure, rpc
from durable_execution.remote.allowed_options import AllowedOptions
from durable_execution.remote.calls.enqueue import read_enqueue_task
from durable_execution.remote.calls.names import ENQUEUE_TASK
from durable_execution.remote.procedures.mounted import MountedTasks, told


def enqueueing(tasks: MountedTasks, allowed: AllowedOptions) -> Mapping[str, Procedure]:
    """Make the procedures that enqueue; `allowed` bounds the options of their callers."""

    async def enqueue_task(ctx: CallContext, input: object) -> object:
        with told():
            call = read_enqueue_task(input)
            task = tasks.task(call.task_key)
            allowed.check(call.options)
        with told(at=("input",)):
            options = call.options._asdict()
            handle = await tasks.executor.enqueue_task(task, call.input, **options)
        return handle.execution_id

    return {ENQUEUE_TASK: rpc.handler(enqueue_task)}
