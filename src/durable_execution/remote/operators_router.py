"""The router through which people and programs tend to what an executor runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_execution._core.task import Task
from durable_execution.executor import DurableExecutor
from durable_execution.orpc import Builder, Router
from durable_execution.remote.observed import observed
from durable_execution.remote.procedures.mounted import MountedTasks
from durable_execution.remote.procedures.operating import operating


def create_operators_router(
    rpc_builder: Builder, executor: DurableExecutor, tasks: Mapping[str, Task[Any, Any]]
) -> Router:
    """Make the router for operators: what the command line does, by remote.

        router = {
            **create_tasks_router(rpc, executor, tasks),
            **create_operators_router(rpc, executor, tasks),
        }
        app = create_executor_app(executor, {"/rpc": RPCHandler(router)}, auth=auth)

    No server has it unasked, because it reaches further than handing over work does. Callers that
    an `auth` knows need an `Access` that names these procedures in full, or `FULL_ACCESS`; where
    nobody finds out who calls, whoever reaches the router is an operator.

    - `retryTaskExecution({taskId?, executionId})` runs again what failed, as
      `DurableExecutor.retry_task_execution`, and gives the execution as it is then.
    - `getTaskExecutionTree({taskId?, executionId, limit?})` gives `{executions}`: the execution
      with up to `limit` of those below it, 200 if nothing is said, 5,000 at most; parents come
      before their children. An execution has `leftOut` where children are not shown. All
      together have up to 4 MiB of inputs, outputs and tracebacks, those beyond it
      `payloadsLeftOut`; asked for by itself each one is shown whole.
    - `getExecutorStats({latelyMs?})` gives what `DurableExecutor.get_stats` does.
    - `pruneTaskExecutions({olderThanMs, limit?})` deletes executions whose root finished so long
      ago, 10,000 at most, for about 10 seconds, and gives `{deleted, isDone}`. Call it until
      `isDone`.

    All of them may be called again when an answer got lost. A second retry leaves what runs as it
    is, and runs again only what has failed once more; a second deletion goes on where the first
    one was.

    Executions are shown with what callers of the tasks router do not see: their executor, crashes,
    tags, keys and tracebacks. The two procedures about one execution reach those of tasks within
    reach of their caller. Who may use all tasks, `tasks="*"`, reaches all there is on the storage,
    also of tasks that are not in `tasks`; so the other two need that. In a tree, executions of
    other tasks are shown without input, output, error and labels.

    Args:
        rpc_builder: `rpc`, or a builder with middlewares, which then guard these procedures.
        executor: As for `create_tasks_router`.
        tasks: As for `create_tasks_router`.

    Raises:
        InvalidOptionError: A task is not registered on the executor, or a key is no text.
        TypeError: The builder has an input, an output or a route, which only a procedure can have.
    """
    return observed(rpc_builder, executor).router({**operating(MountedTasks(executor, tasks))})
