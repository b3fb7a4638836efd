"""The first argument of a task's function, made by hand, so that a unit test needs no executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_execution._core.context import (
    ParentTaskExecutionSummary,
    Signal,
    TaskContext,
    TaskExecutionSummary,
)
from durable_execution._core.task import TaskDeclaration
from durable_execution._engine.clock import wall_clock
from durable_execution._engine.ids import new_execution_id
from durable_execution._engine.signals import OneShot
from durable_execution.errors import StoredError, to_stored_error


def make_context(
    task: TaskDeclaration[Any, Any] | str = "task",
    *,
    execution_id: str | None = None,
    attempt: int = 0,
    prev_error: BaseException | StoredError | None = None,
    root: TaskExecutionSummary | None = None,
    parent: ParentTaskExecutionSummary | None = None,
    shutdown_signal: Signal | None = None,
    cancel_signal: Signal | None = None,
    on_progress: Callable[[float, str | None], None] | None = None,
) -> TaskContext:
    """Return the context of one attempt: `assert await send_email(make_context(), email) == ...`.

    Args:
        task: The task, or its id.
        execution_id: A new id if not given.
        attempt: Failed attempts before this one.
        prev_error: Why the one before failed; an exception is stored as an executor would.
        root: The execution at the root of the tree, None for the root itself.
        parent: The execution above this one, and the place below it.
        shutdown_signal: Not set if not given. Give a `OneShot()` and call its `set`.
        cancel_signal: Likewise.
        on_progress: Hears what the task says with `ctx.progress`.
    """
    if isinstance(prev_error, BaseException):
        prev_error = to_stored_error(prev_error)
    return TaskContext(
        task_id=task if isinstance(task, str) else task.id,
        execution_id=execution_id or new_execution_id(wall_clock()),
        root=root,
        parent=parent,
        attempt=attempt,
        prev_error=prev_error,
        shutdown_signal=shutdown_signal or OneShot(),
        cancel_signal=cancel_signal or OneShot(),
        reporter=None if on_progress is None else _Hearing(on_progress),
    )


class _Hearing:
    def __init__(self, report: Callable[[float, str | None], None]) -> None:
        self.report = report
