"""The router through which web apps hand tasks to an executor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from durable_execution._core.task import Task
from durable_execution.executor import DurableExecutor
from durable_execution.orpc import Builder, Router
from durable_execution.remote.allowed_options import AllowedOptions
from durable_execution.remote.observed import observed
from durable_execution.remote.procedures.callbacks import calling_back
from durable_execution.remote.procedures.ending import ending
from durable_execution.remote.procedures.enqueueing import enqueueing
from durable_execution.remote.procedures.looking import looking
from durable_execution.remote.procedures.mounted import MountedTasks
from durable_execution.remote.procedures.waiting import waiting

DEFAULT_ALLOWED: Final = AllowedOptions()


def create_tasks_router(
    rpc_builder: Builder,
    executor: DurableExecutor,
    tasks: Mapping[str, Task[Any, Any]],
    *,
    allow_options: AllowedOptions = DEFAULT_ALLOWED,
) -> Router:
    """Make the router that the reference's clients, and ours, call.

        tasks = {"sendEmail": send_email}
        tasks_router = create_tasks_router(rpc.use(auth), executor, tasks)
        app = RPCHandler(tasks_router, prefix="/rpc")

    - `enqueueTask({taskId, input, options?})` gives the execution's id.
    - `getTaskExecution({taskId, executionId})` gives the execution as it is now.
    - `wakeupSleepingTaskExecution({taskId, sleepingTaskUniqueId, options})` gives the execution,
      finished.

    These three are the reference's. Besides:

    - `enqueueTasks({tasks: [{taskId, input, options?}]})` gives the ids of up to 1,000 executions,
      in one commit: all of them or none.
    - `waitTaskExecution({taskId, executionId, timeoutMs?})` gives the execution once it has
      finished, or as it is after that time: 30 seconds if nothing is said, 60 at most.
    - `watchTaskExecution({taskId, executionId})` streams `{type: "status", execution}` and
      `{type: "progress", progress: {fraction, message?, updatedAt}}`, and returns the finished
      execution. It resumes behind the event that `last-event-id` names.
    - `cancelTaskExecution({taskId, executionId})` gives the execution, cancelled, or finished as it
      was.
    - `listTaskExecutions({taskIds?, statuses?, createdFrom?, createdBefore?, finishedFrom?,
      finishedBefore?, parentExecutionId?, rootExecutionId?, isRoot?, tags?, idPrefix?, order?,
      cursor?, limit?})` gives `{executions, nextCursor?}`, without inputs, outputs and lists of
      children. `taskId` in it is the key.

    - `completeTask`, `failTask` and `heartbeatTask`, where one of the tasks is a callback task: see
      `create_callbacks_router`.

    What operators do besides is in `create_operators_router`.

    `taskId` is a key of `tasks`, and nothing else can be reached: a task left out of the mapping is
    private to the executor. Whoever may call may enqueue any of these tasks, so put middlewares on
    the builder.

    The executor's observers hear of the calls, and its tracer makes spans around them.

    Args:
        rpc_builder: `rpc`, or a builder with middlewares, which then guard all procedures.
        executor: Need not be started yet; calls before that are answered 503. It must run on the
            event loop that serves the router.
        tasks: Keys as clients name the tasks. Two keys may name one task.
        allow_options: What callers may set for what they enqueue; the rest is answered 400.

    Raises:
        InvalidOptionError: A task is not registered on the executor, or a key is no text.
        TypeError: The builder has an input, an output or a route, which only a procedure can have.
    """
    mounted = MountedTasks(executor, tasks)
    return observed(rpc_builder, executor).router(
        {
            **enqueueing(mounted, allow_options),
            **looking(mounted),
            **waiting(mounted),
            **ending(mounted),
            **calling_back(mounted),
        }
    )
