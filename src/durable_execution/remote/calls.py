"""The inputs of the tasks router's procedures: written by clients, read and bounded by servers.

Durations are milliseconds here, as the reference has them, and `maxAttempts` counts retries. Fields
that nobody knows are passed over, so that newer clients can talk to older servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from durable_execution._codec import UNDEFINED, Issue, Schema, ValidationFailed, dumps
from durable_execution._core.limits import (
    MAX_BASE_DELAY_MS,
    MAX_DELAY_MULTIPLIER,
    MAX_DURATION_MS,
    MAX_MAX_DELAY_MS,
    MAX_RETRIES,
    MIN_DELAY_MULTIPLIER,
    check_between,
    to_ms,
)
from durable_execution._core.retry import RetryOptions
from durable_execution._core.task import Duration
from durable_execution.errors import InvalidOptionError

T = TypeVar("T")

ENQUEUE_TASK: Final = "enqueueTask"
GET_TASK_EXECUTION: Final = "getTaskExecution"
WAKEUP_SLEEPING_TASK_EXECUTION: Final = "wakeupSleepingTaskExecution"

# Without NUL and half surrogate pairs, which databases cannot compare with anything.
_Id = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00\ud800-\udfff]*$")]


class EnqueueOptions(NamedTuple):
    """Options in the place of the task's own; None where it keeps its own."""

    timeout: Duration | None = None
    retry: RetryOptions | None = None
    sleep_before_run: Duration | None = None


class EnqueueTask(NamedTuple):
    """What `enqueueTask` is called with."""

    task_key: str
    input: object
    options: EnqueueOptions


class GetTaskExecution(NamedTuple):
    """What `getTaskExecution` is called with."""

    task_key: str
    execution_id: str


class WakeupSleepingTaskExecution(NamedTuple):
    """What `wakeupSleepingTaskExecution` is called with."""

    task_key: str
    sleeping_task_unique_id: str
    status: Literal["completed", "failed"]
    output: object
    error: str | None


def write_enqueue_task(task_key: str, input: object, options: EnqueueOptions) -> dict[str, object]:
    """Write the input of `enqueueTask`.

    Raises:
        InvalidOptionError: An option is out of bounds.
    """
    given: dict[str, object] = {}
    if options.retry is not None:
        given["retryOptions"] = _written_retry(options.retry)
    if options.sleep_before_run is not None:
        given["sleepMsBeforeRun"] = to_ms(
            "sleep_before_run", options.sleep_before_run, 0, MAX_DURATION_MS
        )
    if options.timeout is not None:
        given["timeoutMs"] = to_ms("timeout", options.timeout, 1, MAX_DURATION_MS)
    call: dict[str, object] = {"taskId": task_key, "input": input}
    return {**call, "options": given} if given else call


def write_get_task_execution(task_key: str, execution_id: str) -> dict[str, object]:
    """Write the input of `getTaskExecution`."""
    return {"taskId": task_key, "executionId": execution_id}


def write_wakeup(
    task_key: str, sleeping_task_unique_id: str, ending: Mapping[str, object]
) -> dict[str, object]:
    """Write the input of `wakeupSleepingTaskExecution`."""
    return {
        "taskId": task_key,
        "sleepingTaskUniqueId": sleeping_task_unique_id,
        "options": dict(ending),
    }


def read_enqueue_task(value: object) -> EnqueueTask:
    """Read the input of `enqueueTask`; the task's own input stays as it was decoded.

    Raises:
        ValidationFailed: A field is missing or of the wrong type.
        InvalidOptionError: An option is out of bounds.
    """
    call, apart = _read(_ENQUEUE, value, "input")
    return EnqueueTask(call.task_id, apart["input"], _read_options(call.options or _Options()))


def read_get_task_execution(value: object) -> GetTaskExecution:
    """Read the input of `getTaskExecution`.

    Raises:
        ValidationFailed: A field is missing or of the wrong type.
    """
    call, _ = _read(_GET, value)
    return GetTaskExecution(call.task_id, call.execution_id)


def read_wakeup(value: object) -> WakeupSleepingTaskExecution:
    """Read the input of `wakeupSleepingTaskExecution`; the output stays as it was decoded.

    Raises:
        ValidationFailed: A field is missing or of the wrong type.
    """
    call, apart = _read(_WAKEUP, value, "options")
    options = apart["options"]
    if not isinstance(options, dict):
        raise ValidationFailed((Issue(("options",), "expected an object with a status"),), "input")
    status = options.get("status")
    if status not in ("completed", "failed"):
        issue = Issue(("options", "status"), "expected 'completed' or 'failed'")
        raise ValidationFailed((issue,), "input")
    return WakeupSleepingTaskExecution(
        call.task_id,
        call.sleeping_task_unique_id,
        status,
        options.get("output", UNDEFINED),
        _error_text(options.get("error", UNDEFINED)),
    )


class _Retry(msgspec.Struct, rename="camel"):
    max_attempts: int
    base_delay_ms: int | None = None
    delay_multiplier: float | None = None
    max_delay_ms: int | None = None


class _Options(msgspec.Struct, rename="camel"):
    retry_options: _Retry | None = None
    sleep_ms_before_run: float | None = None
    timeout_ms: int | None = None


class _EnqueueTask(msgspec.Struct, rename="camel"):
    task_id: _Id
    options: _Options | None = None


class _GetTaskExecution(msgspec.Struct, rename="camel"):
    task_id: _Id
    execution_id: _Id


class _Wakeup(msgspec.Struct, rename="camel"):
    task_id: _Id
    sleeping_task_unique_id: _Id


_ENQUEUE: Final[Schema[_EnqueueTask]] = Schema(_EnqueueTask)
_GET: Final[Schema[_GetTaskExecution]] = Schema(_GetTaskExecution)
_WAKEUP: Final[Schema[_Wakeup]] = Schema(_Wakeup)


def _read(schema: Schema[T], value: object, *names: str) -> tuple[T, dict[str, object]]:
    """Check an object, but for the named fields: a schema would make Python values of them."""
    if not isinstance(value, dict):
        raise ValidationFailed((Issue((), "expected an object"),), "input")
    apart = {name: value.get(name, UNDEFINED) for name in names}
    rest = {name: item for name, item in value.items() if name not in names}
    return schema.convert(rest, root="input"), apart


def _read_options(options: _Options) -> EnqueueOptions:
    return EnqueueOptions(
        timeout=_duration("timeoutMs", options.timeout_ms, 1, MAX_DURATION_MS),
        retry=None if options.retry_options is None else _read_retry(options.retry_options),
        sleep_before_run=_duration(
            "sleepMsBeforeRun", options.sleep_ms_before_run, 0, MAX_DURATION_MS
        ),
    )


def _read_retry(retry: _Retry) -> RetryOptions:
    where = "options.retryOptions"
    check_between(f"{where}.maxAttempts", retry.max_attempts, 0, MAX_RETRIES, whole=True)
    multiplier = 1.0 if retry.delay_multiplier is None else retry.delay_multiplier
    check_between(
        f"{where}.delayMultiplier", multiplier, MIN_DELAY_MULTIPLIER, MAX_DELAY_MULTIPLIER
    )
    base = _duration("retryOptions.baseDelayMs", retry.base_delay_ms, 0, MAX_BASE_DELAY_MS)
    longest = _duration("retryOptions.maxDelayMs", retry.max_delay_ms, 0, MAX_MAX_DELAY_MS)
    if longest is not None and longest < (base or timedelta()):
        raise InvalidOptionError(
            f"{where}.maxDelayMs must not be below baseDelayMs, "
            f"got {retry.max_delay_ms} and {retry.base_delay_ms}"
        )
    return RetryOptions(
        max_retries=retry.max_attempts,
        base_delay=base or timedelta(),
        delay_multiplier=multiplier,
        max_delay=longest,
    )


def _duration(name: str, milliseconds: float | None, low: int, high: int) -> timedelta | None:
    if milliseconds is None:
        return None
    check_between(f"options.{name}", milliseconds, low, high)
    return timedelta(milliseconds=milliseconds)


def _written_retry(retry: RetryOptions) -> dict[str, object]:
    policy = retry.to_policy()
    written: dict[str, object] = {
        "maxAttempts": policy.max_retries,
        "baseDelayMs": policy.base_delay_ms,
        "delayMultiplier": policy.delay_multiplier,
    }
    if policy.max_delay_ms is not None:
        written["maxDelayMs"] = policy.max_delay_ms
    return written


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
