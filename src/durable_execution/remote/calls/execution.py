"""The inputs of the procedures about one execution: look, wait, watch, cancel."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import msgspec

from durable_execution._codec import Schema
from durable_execution.remote.calls.fields import Id, is_id, read_fields

DEFAULT_WAIT_MS: Final = 30_000
MAX_WAIT_MS: Final = 60_000


class ExecutionCall(NamedTuple):
    """What `getTaskExecution`, `watchTaskExecution` and `cancelTaskExecution` are called with."""

    task_key: str
    execution_id: str


class WaitTaskExecution(NamedTuple):
    """What `waitTaskExecution` is called with."""

    task_key: str
    execution_id: str
    timeout_ms: int
    """Never more than `MAX_WAIT_MS`."""


def write_execution_call(task_key: str, execution_id: str) -> dict[str, object]:
    """Write what names one execution."""
    return {"taskId": task_key, "executionId": execution_id}


def write_wait(task_key: str, execution_id: str, timeout_ms: int) -> dict[str, object]:
    """Write the input of `waitTaskExecution`."""
    return {"taskId": task_key, "executionId": execution_id, "timeoutMs": timeout_ms}


def read_execution_call(value: object) -> ExecutionCall:
    """Read what names one execution.

    Raises:
        ValidationFailed: A field is missing or of the wrong type.
    """
    if isinstance(value, dict):
        task_key, execution_id = value.get("taskId"), value.get("executionId")
        if is_id(task_key) and is_id(execution_id):  # as most are
            return ExecutionCall(task_key, execution_id)
    call, _ = read_fields(_EXECUTION, value)
    return ExecutionCall(call.task_id, call.execution_id)


def read_wait(value: object) -> WaitTaskExecution:
    """Read the input of `waitTaskExecution`. Who asks for too long a wait gets the longest.

    Raises:
        ValidationFailed: A field is missing or of the wrong type.
    """
    call, _ = read_fields(_WAIT, value)
    timeout_ms = DEFAULT_WAIT_MS if call.timeout_ms is None else int(call.timeout_ms)
    return WaitTaskExecution(call.task_id, call.execution_id, min(timeout_ms, MAX_WAIT_MS))


class _Execution(msgspec.Struct, rename="camel"):
    task_id: Id
    execution_id: Id


class _Wait(msgspec.Struct, rename="camel"):
    task_id: Id
    execution_id: Id
    timeout_ms: Annotated[int, msgspec.Meta(ge=0)] | None = None


_EXECUTION: Final[Schema[_Execution]] = Schema(_Execution)
_WAIT: Final[Schema[_Wait]] = Schema(_Wait)
