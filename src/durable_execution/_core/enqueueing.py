"""A task to enqueue together with others, named before any of them is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar, overload

from durable_execution._codec import UNDEFINED
from durable_execution._core.labels import OnConflict, checked_label
from durable_execution._core.offspring import Label
from durable_execution._core.retry import RetryOptions
from durable_execution._core.task import Task, TaskOptions
from durable_execution.errors import InvalidOptionError

MAX_TASKS_TO_ENQUEUE: Final = 1000
"""Tasks that may be enqueued together."""

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")
OutputT_co = TypeVar("OutputT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class TaskToEnqueue(Generic[OutputT_co]):
    """One of the tasks that `DurableExecutor.enqueue_tasks` enqueues; made by `task_to_enqueue`."""

    task: Task[Any, OutputT_co]
    input: object
    options: TaskOptions
    label: Label
    on_conflict: OnConflict


@overload
def task_to_enqueue(
    task: Task[None, OutputT],
    input: None = None,
    *,
    timeout: float | timedelta | None = None,
    retry: RetryOptions | None = None,
    sleep_before_run: float | timedelta | None = None,
    key: str | None = None,
    on_conflict: OnConflict = "raise",
    tags: Mapping[str, str] | None = None,
) -> TaskToEnqueue[OutputT]: ...
@overload
def task_to_enqueue(
    task: Task[InputT, OutputT],
    input: InputT,
    *,
    timeout: float | timedelta | None = None,
    retry: RetryOptions | None = None,
    sleep_before_run: float | timedelta | None = None,
    key: str | None = None,
    on_conflict: OnConflict = "raise",
    tags: Mapping[str, str] | None = None,
) -> TaskToEnqueue[OutputT]: ...
def task_to_enqueue(
    task: Task[Any, OutputT],
    input: Any = UNDEFINED,
    *,
    timeout: float | timedelta | None = None,
    retry: RetryOptions | None = None,
    sleep_before_run: float | timedelta | None = None,
    key: str | None = None,
    on_conflict: OnConflict = "raise",
    tags: Mapping[str, str] | None = None,
) -> TaskToEnqueue[OutputT]:
    """Name a task for `DurableExecutor.enqueue_tasks`: which one, on what, with which options.

    Takes what `DurableExecutor.enqueue_task` takes, and means the same by it.

    Raises:
        InvalidOptionError: An option is out of its bounds, or the task is none.
    """
    if not isinstance(task, Task):
        raise InvalidOptionError(
            "task must be one that a decorator of Tasks or DurableExecutor made, "
            f"got {type(task).__name__}"
        )
    options = task.options.overridden(
        timeout=timeout, retry=retry, sleep_before_run=sleep_before_run
    )
    return TaskToEnqueue(task, input, options, checked_label(key, on_conflict, tags), on_conflict)
