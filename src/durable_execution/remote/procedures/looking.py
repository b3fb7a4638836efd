"""The procedures that look at executions: one of them, or those that match."""

from __future__ import annotations

from collections.abc import Mapping

from durable_execution._engine.searching import search_for
from durable_execution.orpc import CallContext, Procedure, rpc
from durable_execution.remote.calls.execution import read_execution_call
from durable_execution.remote.calls.listing import read_list
from durable_execution.remote.calls.names import GET_TASK_EXECUTION, LIST_TASK_EXECUTIONS
from durable_execution.remote.listed import wire_entry
from durable_execution.remote.procedures.mounted import MountedTasks, told, view_of


def looking(tasks: MountedTasks) -> Mapping[str, Procedure]:
    """Make the procedures that look."""

    async def get_task_execution(ctx: CallContext, input: object) -> object:
        with told():
            call = read_execution_call(input)
            task = tasks.task(ctx, call.task_key)
            return view_of(await tasks.executor.get_stored_task_execution(task, call.execution_id))

    async def list_task_executions(ctx: CallContext, input: object) -> object:
        with told():
            filters = read_list(input)
            keys = tasks.keys(ctx) if filters.task_keys is None else filters.task_keys
            # A task with two keys is called by the first that was asked for.
            key_of = {tasks.task(ctx, key).id: key for key in reversed(list(keys))}
            search = search_for(
                task_ids=frozenset(key_of),
                statuses=filters.statuses,
                created=filters.created,
                finished=filters.finished,
                parent_execution_id=filters.parent_execution_id,
                root_execution_id=filters.root_execution_id,
                is_root=filters.is_root,
                tags=filters.tags,
                id_prefix=filters.id_prefix,
                order=filters.order,
                cursor=filters.cursor,
                limit=filters.limit,
            )
            page = await tasks.executor.search_stored_task_executions(search)
        found = [wire_entry(record, key_of[record.task_id]) for record in page.records]
        answer: dict[str, object] = {"executions": found}
        return answer if page.next_cursor is None else {**answer, "nextCursor": page.next_cursor}

    return {
        GET_TASK_EXECUTION: rpc.handler(get_task_execution),
        LIST_TASK_EXECUTIONS: rpc.handler(list_task_executions),
    }
