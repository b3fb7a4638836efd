"""Waking up a sleeping execution: ending it from outside, once."""

from __future__ import annotations

from typing import Any

from durable_execution._core import transitions
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.task import SleepingTask, Task
from durable_execution._engine.engine import Engine
from durable_execution._engine.inputs import encode_output, sleeping_id_of
from durable_execution.errors import (
    DurableExecutionError,
    DurableExecutionNotFoundError,
    InvalidInputError,
    StoredError,
    to_stored_error,
)


class Ending:
    """How a sleeping execution is to end, encoded and checked before anything is looked up.

    Raises:
        InvalidInputError: The task is not a sleeping one, the status is neither `completed` nor
            `failed`, or the output does not fit the task's type.
    """

    __slots__ = ("error", "output")

    def __init__(
        self,
        task: Task[Any, Any],
        status: str,
        output: object,
        error: str | BaseException | None,
        *,
        max_output_size: int,
    ) -> None:
        self.output: bytes | None = None
        self.error: StoredError | None = None
        if not isinstance(task, SleepingTask):
            raise InvalidInputError(f"Task is not a sleeping task [taskId={task.id}]")
        if status == "completed":
            self.output = encode_output(task, output, max_size=max_output_size)
        elif status == "failed":
            if not isinstance(error, BaseException):
                error = DurableExecutionError(error or "Unknown error")
            self.error = to_stored_error(error)
        else:
            raise InvalidInputError(
                f"Invalid status for a wake-up: expected completed or failed, got {status!r}"
            )


async def wake_up(
    engine: Engine, task: Task[Any, Any], unique_id: str, ending: Ending
) -> ExecutionRecord:
    """End the sleeping execution with this id, unless it has ended; return its finished row.

    Raises:
        DurableExecutionNotFoundError: There is no such sleeping execution of this task.
    """
    while True:
        record = await _sleeping_record(engine, task, unique_id)
        if record.is_finished:
            return record
        transition = transitions.wake_up(
            record, output=ending.output, error=ending.error, now=engine.clock.now()
        )
        await engine.commits.apply(record, transition)


async def _sleeping_record(engine: Engine, task: Task[Any, Any], unique_id: str) -> ExecutionRecord:
    try:
        sleeping_id_of(task, unique_id)
    except InvalidInputError:  # no execution can have such an id
        record = None
    else:
        record = await engine.commits.ask(
            lambda storage: storage.get_by_sleeping_unique_id(unique_id)
        )
    if record is None:
        raise DurableExecutionNotFoundError(
            f"Sleeping task execution not found [sleepingTaskUniqueId={unique_id}]"
        )
    if record.task_id != task.id:
        raise DurableExecutionNotFoundError(
            f"Sleeping task execution belongs to another task [providedTaskId={task.id}] "
            f"[sleepingTaskId={record.task_id}] [sleepingTaskUniqueId={unique_id}]"
        )
    return record
