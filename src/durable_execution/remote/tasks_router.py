"""The router through which web apps hand tasks to an executor."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from durable_execution._codec import ValidationFailed
from durable_execution._core.task import SleepingTask, Task
from durable_execution.errors import (
    DurableExecutionError,
    InvalidOptionError,
    StorageUnavailableError,
)
from durable_execution.executor import DurableExecutor
from durable_execution.orpc import Builder, CallContext, ORPCError, Router, rpc
from durable_execution.remote.calls import (
    ENQUEUE_TASK,
    GET_TASK_EXECUTION,
    WAKEUP_SLEEPING_TASK_EXECUTION,
    WakeupSleepingTaskExecution,
    read_enqueue_task,
    read_get_task_execution,
    read_wakeup,
)
from durable_execution.remote.error_map import call_error_of, call_error_of_misfit
from durable_execution.remote.wire import wire_view

logger = logging.getLogger(__name__)


def create_tasks_router(
    rpc_builder: Builder, executor: DurableExecutor, tasks: Mapping[str, Task[Any, Any]]
) -> Router:
    """Make the router that the reference's clients, and ours, call.

        tasks = {"sendEmail": send_email}
        tasks_router = create_tasks_router(rpc.use(auth), executor, tasks)
        app = RPCHandler(tasks_router, prefix="/rpc")

    - `enqueueTask({taskId, input, options?})` gives the execution's id.
    - `getTaskExecution({taskId, executionId})` gives the execution as it is now.
    - `wakeupSleepingTaskExecution({taskId, sleepingTaskUniqueId, options})` gives the execution,
      finished.

    `taskId` is a key of `tasks`, and nothing else can be reached: a task left out of the mapping is
    private to the executor. Whoever may call may enqueue any of these tasks with any options, so
    put middlewares on the builder.

    Args:
        rpc_builder: `rpc`, or a builder with middlewares, which then guard all procedures.
        executor: Need not be started yet; calls before that are answered 503. It must run on the
            event loop that serves the router.
        tasks: Keys as clients name the tasks. Two keys may name one task.

    Raises:
        InvalidOptionError: A task is not registered on the executor, or a key is no text.
        TypeError: The builder has an input, an output or a route, which only a procedure can have.
    """
    calls = _Calls(executor, {key: _checked(key, task, executor) for key, task in tasks.items()})
    return rpc_builder.router(
        {
            ENQUEUE_TASK: rpc.handler(calls.enqueue_task),
            GET_TASK_EXECUTION: rpc.handler(calls.get_task_execution),
            WAKEUP_SLEEPING_TASK_EXECUTION: rpc.handler(calls.wakeup_sleeping_task_execution),
        }
    )


class _Calls:
    """The procedures of one router."""

    def __init__(self, executor: DurableExecutor, tasks: Mapping[str, Task[Any, Any]]) -> None:
        self._executor = executor
        self._tasks = tasks

    async def enqueue_task(self, ctx: CallContext, input: object) -> object:
        with _told(at=("input",)):
            call = read_enqueue_task(input)
            task = self._task(call.task_key)
            handle = await self._executor.enqueue_task(task, call.input, **call.options._asdict())
        return handle.execution_id

    async def get_task_execution(self, ctx: CallContext, input: object) -> object:
        with _told():
            call = read_get_task_execution(input)
            return await self._view(self._task(call.task_key), call.execution_id)

    async def wakeup_sleeping_task_execution(self, ctx: CallContext, input: object) -> object:
        with _told(at=("options", "output")):
            call = read_wakeup(input)
            task = self._task(call.task_key)
            if not isinstance(task, SleepingTask):
                raise ORPCError("BAD_REQUEST", f"Task {call.task_key} is not a sleeping task")
            return await self._view(task, await self._wake_up(task, call))

    async def _wake_up(self, task: SleepingTask[Any], call: WakeupSleepingTaskExecution) -> str:
        unique_id = call.sleeping_task_unique_id
        wake_up = self._executor.wakeup_sleeping_task_execution
        if call.status == "completed":
            finished = await wake_up(task, unique_id, output=call.output)
        else:
            error = call.error or "Unknown error"
            finished = await wake_up(task, unique_id, status="failed", error=error)
        return finished.execution_id

    async def _view(self, task: Task[Any, Any], execution_id: str) -> object:
        stored = await self._executor.get_stored_task_execution(task, execution_id)
        return wire_view(stored.record, stored.children)

    def _task(self, key: str) -> Task[Any, Any]:
        task = self._tasks.get(key)
        if task is None:
            raise ORPCError("NOT_FOUND", f"Task {key} not found")
        return task


@contextmanager
def _told(at: tuple[str, ...] = ()) -> Iterator[None]:
    """Tell failures in the words of the wire; `at` is where in the input a task's value stands."""
    try:
        yield
    except ValidationFailed as failure:
        raise call_error_of_misfit(failure) from failure
    except DurableExecutionError as error:
        if isinstance(error, StorageUnavailableError):
            # Its caller is not told what cannot be reached, so this is the only place that says it.
            logger.warning("a call was refused", extra={"error": error.message})
        raise call_error_of(error, at=at) from error


def _checked(key: str, task: Task[Any, Any], executor: DurableExecutor) -> Task[Any, Any]:
    given: object = key
    if not isinstance(given, str):
        raise InvalidOptionError(f"key of a task must be a string, got {given!r}")
    if not isinstance(task, Task):
        raise InvalidOptionError(
            f"tasks[{key!r}] must be a Task, got {type(task).__name__}; "
            "a declaration has no code behind it: implement it on the executor"
        )
    if executor.tasks.get(task.id) is not task:
        raise InvalidOptionError(
            f"tasks[{key!r}]: task {task.id!r} is not registered on the executor; "
            "define it there, or take its group over with executor.include(tasks)"
        )
    return task
