"""From a task and an encoded input to a record, and from ended children to a parent's payload."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from durable_execution._codec import UNDEFINED, Encoded, Issue, dumps, loads
from durable_execution._core.enqueueing import MAX_TASKS_TO_ENQUEUE, TaskToEnqueue
from durable_execution._core.offspring import (
    NO_LABEL,
    Label,
    Place,
    Seed,
    child_record,
    root_record,
)
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.results import (
    CompletedChild,
    ErroredChild,
    FinishedChild,
    ParentTaskResult,
)
from durable_execution._core.status import ERRORED
from durable_execution._core.task import Task, TaskOptions
from durable_execution._engine.inputs import encode_input, sleeping_id_of
from durable_execution.errors import (
    DurableExecutionNotFoundError,
    InvalidInputError,
    InvalidOptionError,
    StoredError,
)

NOTHING = dumps(UNDEFINED)
"""The payload of what is undefined."""


def new_root(
    task: Task[Any, Any],
    value: object,
    options: TaskOptions,
    *,
    execution_id: str,
    max_size: int,
    now: int,
    label: Label = NO_LABEL,
) -> tuple[ExecutionRecord, Any]:
    """Build the record of an enqueued task; return it with the input as the task will get it.

    Raises:
        InvalidInputError: The input does not fit.
    """
    payload, decoded = encode_input(task, value, max_size=max_size)
    seed = seed_of(task, value, payload, options, execution_id)
    return root_record(seed, now=now, label=label), decoded


def new_roots(
    wanted: Sequence[TaskToEnqueue[Any]],
    tasks: Mapping[str, Task[Any, Any]],
    *,
    new_id: Callable[[int], str],
    max_size: int,
    now: int,
) -> list[ExecutionRecord]:
    """Build the records of tasks that are enqueued together.

    Raises:
        InvalidInputError: An input does not fit; the message names its index.
        InvalidOptionError: There are too many, or one is no `TaskToEnqueue`.
        DurableExecutionNotFoundError: A task is none of those that are registered.
    """
    if len(wanted) > MAX_TASKS_TO_ENQUEUE:
        raise InvalidOptionError(f"at most {MAX_TASKS_TO_ENQUEUE} tasks are enqueued together")
    records: list[ExecutionRecord] = []
    for index, each in enumerate(wanted):
        if not isinstance(each, TaskToEnqueue):
            raise InvalidOptionError(
                f"task {index} must be made by task_to_enqueue(...), got {type(each).__name__}"
            )
        if tasks.get(each.task.id) is not each.task:
            raise DurableExecutionNotFoundError(
                f"Task not found [taskId={each.task.id}] [index={index}]"
            )
        try:
            record, _ = new_root(
                each.task,
                each.input,
                each.options,
                execution_id=new_id(now),
                max_size=max_size,
                now=now,
                label=each.label,
            )
        except InvalidInputError as error:
            message = f"Task {index} to enqueue: {error.message}"
            issues = [Issue((index, "input", *each.path), each.message) for each in error.issues]
            raise InvalidInputError(message, issues=tuple(issues)) from error
        records.append(record)
    return records


def new_child(
    task: Task[Any, Any],
    value: object,
    options: TaskOptions,
    parent: ExecutionRecord,
    place: Place,
    *,
    execution_id: str,
    max_size: int,
    now: int,
) -> ExecutionRecord:
    """Build the record of a child that a parent's run asked for.

    Raises:
        InvalidInputError: The input does not fit.
    """
    payload, _ = encode_input(task, value, max_size=max_size)
    seed = seed_of(task, value, payload, options, execution_id)
    return child_record(seed, parent, place, now=now)


def new_step(
    task: Task[Any, Any],
    payload: bytes,
    options: TaskOptions,
    parent: ExecutionRecord,
    place: Place,
    *,
    execution_id: str,
    max_size: int,
    now: int,
    is_validated: bool = False,
) -> ExecutionRecord:
    """Build the record of a step, a turn or a finalize task, whose input is encoded already.

    `is_validated` says that the task's own check has seen the input, which it may have changed;
    it must not see it twice.

    Raises:
        InvalidInputError: The task checks its inputs itself, or sleeps, and this one does not fit.
    """
    value: object = None
    if task.kind == "sleeping_task":
        value = loads(payload)
    elif task.validate_input is not None and not is_validated:
        payload, _ = encode_input(task, loads(payload), max_size=max_size)
    seed = seed_of(task, value, payload, options, execution_id)
    return child_record(seed, parent, place, now=now)


def seed_of(
    task: Task[Any, Any], value: object, payload: bytes, options: TaskOptions, execution_id: str
) -> Seed:
    """Name what is known of an execution before it has a place in a tree."""
    return Seed(
        execution_id=execution_id,
        task_id=task.id,
        input=payload,
        timeout_ms=options.timeout_ms,
        retry=options.retry,
        sleep_before_run_ms=options.sleep_before_run_ms,
        sleeping_unique_id=sleeping_id_of(task, value),
        are_children_sequential=task.are_children_sequential,
    )


def parent_result(parent: ExecutionRecord, children: Sequence[ExecutionRecord]) -> bytes:
    """Encode what became of a parent: the input of its finalize task, or its own output.

    The payloads of the parent and its children are taken over as they are, not decoded.
    """
    result = ParentTaskResult(
        output=Encoded(parent.run_output or NOTHING),
        children=tuple(_finished_child(child) for child in children if not child.is_finalize),
    )
    return dumps(result)


def _finished_child(child: ExecutionRecord) -> FinishedChild:
    if child.status == "completed":
        return CompletedChild(
            task_id=child.task_id,
            execution_id=child.execution_id,
            output=Encoded(child.output or NOTHING),
        )
    assert child.status in ERRORED, child.status  # noqa: S101 - joined means ended
    return ErroredChild(
        task_id=child.task_id,
        execution_id=child.execution_id,
        status=child.status,  # type: ignore[arg-type] # just asserted
        error=_error_of(child),
    )


def _error_of(child: ExecutionRecord) -> StoredError:
    """Return the error without its traceback: what a finalize task gets may become an output."""
    if child.error is None:
        return StoredError(message="Unknown child task execution error")
    return child.error.without_traceback()
