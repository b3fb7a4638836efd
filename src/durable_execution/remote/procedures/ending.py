"""The procedures that end an execution from outside: wake up, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_execution._core.task import SleepingTask
from durable_execution.executor import DurableExecutor
from durable_execution.orpc import CallContext, ORPCError, Procedure, rpc
from durable_execution.remote.calls.execution import read_execution_call
from durable_execution.remote.calls.names import (
    CANCEL_TASK_EXECUTION,
    WAKEUP_SLEEPING_TASK_EXECUTION,
)
from durable_execution.remote.calls.wakeup import WakeupSleepingTaskExecution, read_wakeup
from durable_execution.remote.procedures.mounted import MountedTasks, told


def ending(tasks: MountedTasks) -> Mapping[str, Procedure]:
    """Make the procedures that end executions."""

    async def cancel_task_execution(ctx: CallContext, input: object) -> object:
        with told():
            call = read_execution_call(input)
            task = tasks.task(ctx, call.task_key)
            handle = await tasks.executor.get_task_execution_handle(task, call.execution_id)
            await handle.cancel()
            return await tasks.view(task, call.execution_id)

    async def wakeup_sleeping_task_execution(ctx: CallContext, input: object) -> object:
        with told(at=("options", "output")):
            call = read_wakeup(input)
            task = tasks.task(ctx, call.task_key)
            if not isinstance(task, SleepingTask):
                raise ORPCError("BAD_REQUEST", f"Task {call.task_key} is not a sleeping task")
            return await tasks.view(task, await _wake_up(tasks.executor, task, call))

    return {
        CANCEL_TASK_EXECUTION: rpc.handler(cancel_task_execution),
        WAKEUP_SLEEPING_TASK_EXECUTION: rpc.handler(wakeup_sleeping_task_execution),
    }


async def _wake_up(
    executor: DurableExecutor, task: SleepingTask[Any], call: WakeupSleepingTaskExecution
) -> str:
    unique_id = call.sleeping_task_unique_id
    wake_up = executor.wakeup_sleeping_task_execution
    if call.status == "completed":
        finished = await wake_up(task, unique_id, output=call.output)
    else:
        error = call.error or "Unknown error"
        finished = await wake_up(task, unique_id, status="failed", error=error)
    return finished.execution_id
