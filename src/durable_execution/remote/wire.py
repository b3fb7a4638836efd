"""Executions from the wire: the reference's camelCase objects, read as views.

Which field a status shows, and which of them may be missing, is the reference's `TaskExecution`
union. A missing field is left out, never null. The reference's instants are `Date`s, which are
read as aware datetimes. `remote.wire_view` writes what is read here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar, cast

from durable_execution._codec import (
    UNDEFINED,
    Issue,
    Schema,
    ValidationFailed,
)
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import FINISHED, Status
from durable_execution._core.task import TaskDeclaration
from durable_execution._core.views import (
    CancelledTaskExecution,
    CompletedTaskExecution,
    FailedTaskExecution,
    FinalizeFailedTaskExecution,
    FinishedTaskExecution,
    ReadyTaskExecution,
    RunningTaskExecution,
    TaskExecution,
    TimedOutTaskExecution,
    WaitingForChildrenTaskExecution,
    WaitingForFinalizeTaskExecution,
)
from durable_execution.errors import InvalidInputError

OutputT = TypeVar("OutputT")
Children: TypeAlias = Sequence[ExecutionRecord]

_NAMES: Final = {
    "taskId": "task_id",
    "executionId": "execution_id",
    "root": "root",
    "parent": "parent",
    "sleepingTaskUniqueId": "sleeping_task_unique_id",
    "areChildrenSequential": "are_children_sequential",
    "status": "status",
    "error": "error",
    "retryAttempts": "attempt",
    "startAt": "start_at",
    "startedAt": "started_at",
    "expiresAt": "expires_at",
    "waitingForChildrenStartedAt": "waiting_for_children_started_at",
    "waitingForFinalizeStartedAt": "waiting_for_finalize_started_at",
    "finishedAt": "finished_at",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "executorId": "executor_id",
    "children": "children",
    "activeChildrenCount": "active_children_count",
    "finalize": "finalize",
    "indexInParentChildren": "index_in_parent_children",
    "isOnlyChildOfParent": "is_only_child_of_parent",
    "isFinalizeOfParent": "is_finalize_of_parent",
    "pastAttempts": "past_attempts",
    "pastAttemptsCount": "past_attempts_count",
    "outcome": "outcome",
    "endedAt": "ended_at",
}
"""The fields whose value needs no conversion, and what views call them."""

_CLASSES: Final[Mapping[Status, type[TaskExecution[Any]]]] = {
    "ready": ReadyTaskExecution,
    "running": RunningTaskExecution,
    "waiting_for_children": WaitingForChildrenTaskExecution,
    "waiting_for_finalize": WaitingForFinalizeTaskExecution,
    "completed": CompletedTaskExecution,
    "failed": FailedTaskExecution,
    "timed_out": TimedOutTaskExecution,
    "finalize_failed": FinalizeFailedTaskExecution,
    "cancelled": CancelledTaskExecution,
}


def view_from_wire(value: object, task: TaskDeclaration[Any, OutputT]) -> TaskExecution[OutputT]:
    """Read the object that a server, ours or the reference's, shows an execution of `task` as.

    Raises:
        ValidationFailed: It is not such an object.
        InvalidInputError: Its input or output does not fit the task's types.
    """
    given = object_of(value, "execution")
    status = given.get("status")
    if not isinstance(status, str) or status not in _CLASSES:
        raise failed("status", "expected the status of an execution")
    facts = renamed(given) | {
        "retry": _retry(given.get("retryOptions")),
        "sleep_before_run": _seconds(given, "sleepMsBeforeRun"),
        "timeout": _seconds(given, "timeoutMs"),
        "input": None,
        "output": None,
    }
    execution: TaskExecution[Any] = _schema(status).convert(facts, root="execution")
    if execution.parent is None or not execution.parent.is_finalize_of_parent:
        execution = dataclasses.replace(execution, input=_typed(given, "input", task))
    if isinstance(execution, CompletedTaskExecution):
        execution = dataclasses.replace(execution, output=_typed(given, "output", task))
    return execution


def finished_view_from_wire(
    value: object, task: TaskDeclaration[Any, OutputT]
) -> FinishedTaskExecution[OutputT] | None:
    """Read an execution as `view_from_wire` does; None if it has not finished."""
    execution = view_from_wire(value, task)
    if execution.status not in FINISHED:
        return None
    return cast("FinishedTaskExecution[OutputT]", execution)


@cache
def _schema(status: Status) -> Schema[Any]:
    return Schema(_CLASSES[status])


def renamed(value: Mapping[str, object]) -> dict[str, object]:
    """Give known fields their Python names, also in the summaries inside; drop the unknown."""
    return {
        _NAMES[name]: _renamed_inside(name, item)
        for name, item in value.items()
        if name in _NAMES and item is not UNDEFINED
    }


def _renamed_inside(name: str, value: object) -> object:
    if name in ("children", "pastAttempts") and isinstance(value, list):
        return [renamed(each) if isinstance(each, dict) else each for each in value]
    if name != "error" and isinstance(value, dict):
        return renamed(value)
    return value


def _retry(value: object) -> dict[str, object]:
    options = object_of(value, "retryOptions")
    retry: dict[str, object] = {
        "max_retries": options.get("maxAttempts"),
        "delay_multiplier": options.get("delayMultiplier", 1),
        "base_delay": _seconds({"baseDelayMs": 0, **options}, "baseDelayMs"),
    }
    if "maxDelayMs" in options:
        retry["max_delay"] = _seconds(options, "maxDelayMs")
    return retry


def _seconds(value: Mapping[str, object], name: str) -> float:
    milliseconds = value.get(name)
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        raise failed(name, "expected a number of milliseconds")
    return milliseconds / 1000


def _typed(value: Mapping[str, object], name: str, task: TaskDeclaration[Any, Any]) -> object:
    reader = task.input_schema if name == "input" else task.output_schema
    try:
        typed: object = reader.convert(value.get(name, UNDEFINED), root=name)
    except ValidationFailed as error:
        message = f"Invalid {name} of task {task.id}: {error}"
        raise InvalidInputError(message, issues=error.issues) from error
    return typed


def object_of(value: object, name: str) -> Mapping[str, object]:
    """Return a decoded value that must be an object, or raise ValidationFailed."""
    if not isinstance(value, dict):
        raise failed(name, f"expected an object, got {type(value).__name__}")
    return value


def failed(name: str, message: str) -> ValidationFailed:
    """Say what is wrong with a field of an execution."""
    return ValidationFailed((Issue((name,), message),), "execution")
