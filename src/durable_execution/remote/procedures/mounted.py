"""The tasks that a router makes reachable, and how their failures are told."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any

from durable_execution._codec import Encoded, ValidationFailed
from durable_execution._core.task import Task, check_keyed
from durable_execution.access import caller_of
from durable_execution.errors import (
    DurableExecutionError,
    InvalidOptionError,
    StorageUnavailableError,
)
from durable_execution.executor import DurableExecutor, StoredTaskExecution
from durable_execution.orpc import CallContext, ORPCError, new_error_id
from durable_execution.remote.error_map import call_error_of, call_error_of_misfit
from durable_execution.remote.wire_view import wire_view

logger = logging.getLogger(__name__)


class MountedTasks:
    """The tasks of one router by the keys that callers name them with; nothing else is reachable.

    Raises:
        InvalidOptionError: A task is not registered on the executor, or a key is no text; or one of
            the two is something else.
    """

    def __init__(self, executor: DurableExecutor, tasks: Mapping[str, Task[Any, Any]]) -> None:
        given: object = executor
        if not isinstance(given, DurableExecutor):
            raise InvalidOptionError(
                f"executor must be a DurableExecutor, got {type(given).__name__}"
            )
        self.executor = executor
        check_keyed(tasks)
        self._tasks = {key: _checked(key, task, executor) for key, task in tasks.items()}

    def task(self, ctx: CallContext, key: str) -> Task[Any, Any]:
        """Return the task that callers name so, if the one of this call may use it.

        Every procedure gets its tasks here, so that this is the one place that holds callers to
        their `Access`.

        Raises:
            ORPCError: FORBIDDEN, which says nothing about whether there is such a task; NOT_FOUND,
                there is none.
        """
        caller = caller_of(ctx.context)
        if caller is not None:
            # What let the caller in may be a middleware of the router, and no gate before it.
            caller.check_procedure(".".join(ctx.path))
            caller.check_task(key)
        task = self._tasks.get(key)
        if task is None:
            raise ORPCError("NOT_FOUND", f"Task {key} not found")
        return task

    def check_operator(self, ctx: CallContext, *, of_all: bool = False) -> None:
        """Refuse a procedure for operators to callers that may not call it.

        Args:
            ctx: Of the call.
            of_all: Whether it concerns all work of the storage, and not that of one task.

        Raises:
            ORPCError: FORBIDDEN.
        """
        caller = caller_of(ctx.context)
        if caller is not None:
            name = ".".join(ctx.path)
            caller.check_procedure(name)
            caller.check_operation(name)
            if of_all:
                caller.check_all_tasks()

    def reaches(self, ctx: CallContext, task_id: str) -> bool:
        """Whether the operator of this call may see executions of a task, by the task's own id.

        Who may use all tasks may see those of tasks that are not mounted, too.
        """
        caller = caller_of(ctx.context)
        if caller is None or caller.access.allows_all_tasks:
            return True
        return any(
            task.id == task_id and caller.access.allows_task(key)
            for key, task in self._tasks.items()
        )

    def all(self) -> list[Task[Any, Any]]:
        """Return all tasks, whoever may use them."""
        return list(self._tasks.values())

    def keys(self, ctx: CallContext) -> list[str]:
        """Return the names of all tasks that the caller may use; a task may have several."""
        caller = caller_of(ctx.context)
        if caller is None:
            return list(self._tasks)
        return [key for key in self._tasks if caller.access.allows_task(key)]

    async def view(self, task: Task[Any, Any], execution_id: str) -> Encoded:
        """Return an execution as it is now, as callers see it.

        Raises:
            DurableExecutionError: As `DurableExecutor.get_stored_task_execution`.
        """
        return view_of(await self.executor.get_stored_task_execution(task, execution_id))


def view_of(stored: StoredTaskExecution) -> Encoded:
    """Write an execution as callers see it."""
    return wire_view(stored.record, stored.children, stored.past)


@lru_cache(maxsize=1024)
def told(at: tuple[str | int, ...] = ()) -> _Telling:
    """Tell failures in the words of the wire; `at` is where in the input a task's value stands.

    Kept, because it remembers nothing of what goes on in it.
    """
    return _Telling(at)


class _Telling:
    """A class, because a generator takes three times as long to enter and leave."""

    __slots__ = ("_at",)

    def __init__(self, at: tuple[str | int, ...]) -> None:
        self._at = at

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            return
        if isinstance(error, ValidationFailed):
            raise call_error_of_misfit(error) from error
        if isinstance(error, DurableExecutionError):
            raise _refusal_of(error, self._at) from error


def _refusal_of(error: DurableExecutionError, at: tuple[str | int, ...]) -> ORPCError:
    refusal = call_error_of(error, at=at)
    if isinstance(error, StorageUnavailableError):
        # Its caller is not told what cannot be reached, so this is the only place that says it.
        refusal.error_id = new_error_id()
        facts = {"error": error.message, "error_id": refusal.error_id}
        logger.warning("a call was refused", extra=facts)
    return refusal


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
