"""Executions on the wire: the reference's camelCase objects, written from rows, read as views.

Which field a status shows, and which of them may be missing, is the reference's `TaskExecution`
union. A missing field is left out, never null. The reference's instants are `Date`s: written as
texts with the tag of a date, read as aware datetimes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final, TypeAlias, TypeVar, cast

import msgspec

from durable_execution._codec import (
    UNDEFINED,
    Encoded,
    Issue,
    Schema,
    ValidationFailed,
    date_text,
    dumps,
    encoded_object,
)
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.retry import RetryPolicy
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

_NOTHING: Final = b"{}"  # the envelope of undefined

_STARTED: Final = ("startedAt", "expiresAt")
_WAITING: Final = (*_STARTED, "waitingForChildrenStartedAt", "children", "activeChildrenCount")
_JOINED: Final = (*_WAITING, "waitingForFinalizeStartedAt", "finalize")

_SHOWN: Final[Mapping[Status, tuple[str, ...]]] = {
    "ready": ("error",),
    "running": (*_STARTED, "executorId", "error"),
    "waiting_for_children": _WAITING,
    "waiting_for_finalize": _JOINED,
    "completed": (*_JOINED, "finishedAt", "output"),
    "failed": (*_STARTED, "finishedAt", "error"),
    "timed_out": (*_STARTED, "finishedAt", "error"),
    "finalize_failed": (*_JOINED, "finishedAt", "error"),
    "cancelled": (*_JOINED, "finishedAt", "error", "executorId"),
}
"""What each status shows besides the fields that all of them have."""

_FIELDS: Final[Mapping[str, Callable[[ExecutionRecord, Children], object]]] = {
    "activeChildrenCount": lambda record, _: record.active_children_count,
    "children": lambda _, children: [_summary(each) for each in children if not each.is_finalize],
    "error": lambda record, _: _error(record),
    "executorId": lambda record, _: record.executor_id,
    "expiresAt": lambda record, _: _instant(record.expires_at),
    # The last of them: after a retry there may be more than one.
    "finalize": lambda _, children: next(
        map(_summary, filter(_is_finalize, reversed(children))), None
    ),
    "finishedAt": lambda record, _: _instant(record.finished_at),
    "output": lambda record, _: Encoded(record.output or _NOTHING),
    "startedAt": lambda record, _: _instant(record.started_at),
    "waitingForChildrenStartedAt": lambda record, _: _instant(record.waiting_for_children_at),
    "waitingForFinalizeStartedAt": lambda record, _: _instant(record.waiting_for_finalize_at),
}

_INSTANTS: Final = frozenset(
    {
        "createdAt",
        "expiresAt",
        "finishedAt",
        "startAt",
        "startedAt",
        "updatedAt",
        "waitingForChildrenStartedAt",
        "waitingForFinalizeStartedAt",
    }
)
"""The fields that are dates, of those that `wire_view` writes."""

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


def wire_view(record: ExecutionRecord, children: Children = ()) -> Encoded:
    """Write a row as the reference's object; input and output pass through as they are stored.

    `children` are needed, without payloads, if it has spawned any. The input of a finalize task is
    composed when that runs and kept nowhere, so it is left out.
    """
    return encoded_fields(view_fields(record, children))


def view_fields(record: ExecutionRecord, children: Children = ()) -> dict[str, object]:
    """Give the fields of the reference's object; None where one is missing."""
    view: dict[str, object] = {
        "root": _root(record),
        "parent": _parent(record),
        "taskId": record.task_id,
        "executionId": record.execution_id,
        "sleepingTaskUniqueId": record.sleeping_task_unique_id,
        "areChildrenSequential": record.are_children_sequential,
        "retryOptions": _retry_options(record.retry),
        "sleepMsBeforeRun": record.sleep_before_run_ms,
        "timeoutMs": record.timeout_ms,
        "input": None if record.is_finalize else Encoded(record.input),
        "status": record.status,
        "retryAttempts": record.attempt,
        "startAt": _instant(record.start_at),
        "createdAt": _instant(record.created_at),
        "updatedAt": _instant(record.updated_at),
    }
    for name in _SHOWN[record.status]:
        view[name] = _FIELDS[name](record, children)
    return view


def encoded_fields(fields: Mapping[str, object]) -> Encoded:
    """Write fields as one object, without those that are missing."""
    present = {name: value for name, value in fields.items() if value is not None}
    return encoded_object(present, dates=[name for name in present if name in _INSTANTS])


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


def _error(record: ExecutionRecord) -> object:
    return None if record.error is None else msgspec.to_builtins(record.error.without_traceback())


def _instant(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else date_text(milliseconds)


def _summary(record: ExecutionRecord) -> dict[str, object]:
    return {"taskId": record.task_id, "executionId": record.execution_id}


def _is_finalize(record: ExecutionRecord) -> bool:
    return record.is_finalize


def _root(record: ExecutionRecord) -> dict[str, object] | None:
    if record.root_execution_id is None:
        return None
    return {"taskId": record.root_task_id, "executionId": record.root_execution_id}


def _parent(record: ExecutionRecord) -> dict[str, object] | None:
    if record.parent_execution_id is None:
        return None
    return {
        "taskId": record.parent_task_id,
        "executionId": record.parent_execution_id,
        "indexInParentChildren": record.index_in_parent,
        "isOnlyChildOfParent": record.is_only_child,
        "isFinalizeOfParent": record.is_finalize,
    }


@lru_cache(maxsize=256)
def _retry_options(retry: RetryPolicy) -> Encoded:
    """Kept, because the executions of a task share their options."""
    options: dict[str, object] = {
        "maxAttempts": retry.max_retries,
        "baseDelayMs": retry.base_delay_ms,
        "delayMultiplier": retry.delay_multiplier,
    }
    if retry.max_delay_ms is not None:
        options["maxDelayMs"] = retry.max_delay_ms
    return Encoded(dumps(options))


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
    if name == "children" and isinstance(value, list):
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
