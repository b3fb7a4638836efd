"""The procedures for who runs the system: retry what failed, see a tree, count, delete."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from durable_execution._core.record import ExecutionRecord
from durable_execution._engine.trees import Bounds
from durable_execution.errors import DurableExecutionNotFoundError
from durable_execution.executor import DurableExecutor
from durable_execution.orpc import CallContext, Procedure, rpc
from durable_execution.remote.calls.names import (
    GET_EXECUTOR_STATS,
    GET_TASK_EXECUTION_TREE,
    PRUNE_TASK_EXECUTIONS,
    RETRY_TASK_EXECUTION,
)
from durable_execution.remote.calls.operating import (
    OperatedExecution,
    PruneCall,
    read_operated,
    read_prune,
    read_stats,
    read_tree,
)
from durable_execution.remote.operated import wire_branch, wire_operated
from durable_execution.remote.procedures.mounted import MountedTasks, told
from durable_execution.remote.stats import wire_stats

MAX_TREE_BYTES: Final = 4 * 1024 * 1024
"""Of inputs, outputs and tracebacks in one answer, besides those of the first execution."""
MAX_TREE_SECONDS: Final = 10.0
MAX_PRUNE_SECONDS: Final = 10.0
"""After which a call answers that there is more to do."""
_DELETED_AT_ONCE: Final = 500


def operating(tasks: MountedTasks) -> Mapping[str, Procedure]:
    """Make the procedures for operators."""
    executor = tasks.executor

    async def retry_task_execution(ctx: CallContext, input: object) -> object:
        tasks.check_operator(ctx)
        with told():
            record = await _found(tasks, ctx, read_operated(input))
            return wire_operated(*await executor.retry_stored_task_execution(record))

    async def get_task_execution_tree(ctx: CallContext, input: object) -> object:
        tasks.check_operator(ctx)
        with told():
            call = read_tree(input)
            record = await _found(tasks, ctx, call.execution)
            bounds = Bounds(rows=call.limit, payload_bytes=MAX_TREE_BYTES, seconds=MAX_TREE_SECONDS)
            tree = await executor.read_stored_tree(record, bounds)
        branches = [
            wire_branch(
                each.record,
                left_out=each.left_out,
                has_payloads=each.has_payloads,
                past=each.past,
                is_within_reach=tasks.reaches(ctx, each.record.task_id),
            )
            for each in tree
        ]
        return {"executions": branches}

    async def get_executor_stats(ctx: CallContext, input: object) -> object:
        tasks.check_operator(ctx, of_all=True)
        with told():
            return wire_stats(await executor.get_stats(lately=read_stats(input) / 1000))

    async def prune_task_executions(ctx: CallContext, input: object) -> object:
        tasks.check_operator(ctx, of_all=True)
        with told():
            return await _pruned(executor, read_prune(input))

    return {
        RETRY_TASK_EXECUTION: rpc.handler(retry_task_execution),
        GET_TASK_EXECUTION_TREE: rpc.handler(get_task_execution_tree),
        GET_EXECUTOR_STATS: rpc.handler(get_executor_stats),
        PRUNE_TASK_EXECUTIONS: rpc.handler(prune_task_executions),
    }


async def _found(tasks: MountedTasks, ctx: CallContext, call: OperatedExecution) -> ExecutionRecord:
    """Read an execution within reach. One that is not is answered as one that is not there."""
    task = None if call.task_key is None else tasks.task(ctx, call.task_key)
    record = await tasks.executor.find_stored_task_execution(call.execution_id)
    is_meant = tasks.reaches(ctx, record.task_id) if task is None else record.task_id == task.id
    if not is_meant:
        raise DurableExecutionNotFoundError(
            f"Task execution not found [executionId={call.execution_id}]"
        )
    return record


async def _pruned(executor: DurableExecutor, call: PruneCall) -> dict[str, object]:
    """Delete in small steps, each for itself: an answer that gets lost undoes nothing."""
    end = time.monotonic() + MAX_PRUNE_SECONDS
    deleted, is_done = 0, False
    while deleted < call.limit and not is_done and time.monotonic() < end:
        step = min(_DELETED_AT_ONCE, call.limit - deleted)
        count = await executor.delete_finished_task_executions(
            older_than=call.older_than_ms / 1000, limit=step
        )
        deleted, is_done = deleted + count, count < step
    return {"deleted": deleted, "isDone": is_done}
