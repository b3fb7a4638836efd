"""The input of `wakeupSleepingTaskExecution`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from durable_execution._codec import UNDEFINED, Schema, dumps
from durable_execution.remote.calls.fields import Id, read_fields, refused


class WakeupSleepingTaskExecution(NamedTuple):
    """What `wakeupSleepingTaskExecution` is called with."""

    task_key: str
    sleeping_task_unique_id: str
    status: Literal["completed", "failed"]
    output: object
    error: str | None


def write_wakeup(
    task_key: str, sleeping_task_unique_id: str, ending: Mapping[str, object]
) -> dict[str, object]:
    """Write the input of `wakeupSleepingTaskExecution`."""
    return {
        "taskId": task_key,
        "sleepingTaskUniqueId": sleeping_task_unique_id,
        "options": dict(ending),
    }


def read_wakeup(value: object) -> WakeupSleepingTaskExecution:
    """Read the input of `wakeupSleepingTaskExecution`; the output stays as it was decoded.

    Raises:
        ValidationFailed: A field is missing or of the wrong type.
    """
    call, apart = read_fields(_WAKEUP, value, "options")
    options = apart["options"]
    if not isinstance(options, dict):
        raise refused(("options",), "expected an object with a status")
    status = options.get("status")
    if status not in ("completed", "failed"):
        raise refused(("options", "status"), "expected 'completed' or 'failed'")
    return WakeupSleepingTaskExecution(
        call.task_id,
        call.sleeping_task_unique_id,
        status,
        options.get("output", UNDEFINED),
        _error_text(options.get("error", UNDEFINED)),
    )


class _Wakeup(msgspec.Struct, rename="camel"):
    task_id: Id
    sleeping_task_unique_id: Id


_WAKEUP: Final[Schema[_Wakeup]] = Schema(_Wakeup)


def _error_text(error: Any) -> str | None:
    """Find the message in whatever a caller calls an error.

    A JavaScript `Error` arrives as an empty object: what it says is not enumerable.
    """
    if isinstance(error, dict):
        message = error.get("message")
        if isinstance(message, str):
            return message
    if isinstance(error, str):
        return error
    return None if error in (UNDEFINED, None, {}) else dumps(error).decode()
