"""The inputs of `enqueueTask` and `enqueueTasks`, and the options of what is enqueued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Final, NamedTuple

import msgspec

from durable_execution._codec import UNDEFINED, Issue, Schema, ValidationFailed
from durable_execution._core.labels import check_key, checked_tags
from durable_execution._core.limits import (
    MAX_BASE_DELAY_MS,
    MAX_DELAY_MULTIPLIER,
    MAX_DURATION_MS,
    MAX_IDEMPOTENCY_KEY_LENGTH,
    MAX_MAX_DELAY_MS,
    MAX_RETRIES,
    MIN_DELAY_MULTIPLIER,
    check_between,
    to_ms,
)
from durable_execution._core.retry import RetryOptions
from durable_execution._core.task import Duration
from durable_execution.errors import InvalidOptionError
from durable_execution.remote.calls.fields import STORABLE, Id, is_id, read_fields, refused

MAX_TASKS: Final = 1000
"""Tasks that one call of `enqueueTasks` may enqueue."""


class EnqueueOptions(NamedTuple):
    """Options in the place of the task's own; None where it keeps its own."""

    timeout: Duration | None = None
    retry: RetryOptions | None = None
    sleep_before_run: Duration | None = None
    key: str | None = None
    tags: Mapping[str, str] | None = None


NO_OPTIONS: Final = EnqueueOptions()


class EnqueueTask(NamedTuple):
    """What `enqueueTask` is called with, and `enqueueTasks` for each of its tasks."""

    task_key: str
    input: object
    options: EnqueueOptions


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
    if options.key is not None:
        check_key(options.key)
        given["idempotencyKey"] = options.key
    if options.tags:
        given["tags"] = dict(checked_tags(options.tags))
    call: dict[str, object] = {"taskId": task_key, "input": input}
    return {**call, "options": given} if given else call


def write_enqueue_tasks(calls: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Write the input of `enqueueTasks`, made of inputs of `enqueueTask`."""
    return {"tasks": list(calls)}


def read_enqueue_task(value: object) -> EnqueueTask:
    """Read the input of `enqueueTask`; the task's own input stays as it was decoded.

    Raises:
        ValidationFailed: A field is missing or of the wrong type.
        InvalidOptionError: An option is out of bounds.
    """
    if isinstance(value, dict) and "options" not in value:  # as most are
        task_key = value.get("taskId")
        if is_id(task_key):
            return EnqueueTask(task_key, value.get("input", UNDEFINED), NO_OPTIONS)
    call, apart = read_fields(_ENQUEUE, value, "input")
    return EnqueueTask(call.task_id, apart["input"], _read_options(call.options or _Options()))


def read_enqueue_tasks(value: object) -> list[EnqueueTask]:
    """Read the input of `enqueueTasks`; inputs of tasks stay as they were decoded.

    Raises:
        ValidationFailed: There are no tasks or too many, or a field is missing or of the wrong
            type.
        InvalidOptionError: An option is out of bounds.
    """
    tasks = value.get("tasks", UNDEFINED) if isinstance(value, dict) else UNDEFINED
    if not isinstance(tasks, list):
        raise refused(("tasks",), "expected an array of tasks")
    if not 1 <= len(tasks) <= MAX_TASKS:
        raise refused(("tasks",), f"expected 1 to {MAX_TASKS} tasks, got {len(tasks)}")
    return [_read_one_of(tasks, index) for index in range(len(tasks))]


class _Retry(msgspec.Struct, rename="camel"):
    max_attempts: int
    base_delay_ms: int | None = None
    delay_multiplier: float | None = None
    max_delay_ms: int | None = None


_Key = Annotated[
    str, msgspec.Meta(min_length=1, max_length=MAX_IDEMPOTENCY_KEY_LENGTH, pattern=STORABLE)
]


class _Options(msgspec.Struct, rename="camel"):
    retry_options: _Retry | None = None
    sleep_ms_before_run: float | None = None
    timeout_ms: int | None = None
    idempotency_key: _Key | None = None
    tags: dict[str, str] | None = None


class _EnqueueTask(msgspec.Struct, rename="camel"):
    task_id: Id
    options: _Options | None = None


_ENQUEUE: Final[Schema[_EnqueueTask]] = Schema(_EnqueueTask)


def _read_one_of(tasks: list[object], index: int) -> EnqueueTask:
    try:
        return read_enqueue_task(tasks[index])
    except ValidationFailed as failure:
        issues = [Issue(("tasks", index, *each.path), each.message) for each in failure.issues]
        raise ValidationFailed(issues, failure.root) from None
    except InvalidOptionError as error:
        raise InvalidOptionError(f"tasks[{index}].{error.message}") from error


def _read_options(options: _Options) -> EnqueueOptions:
    return EnqueueOptions(
        timeout=_duration("timeoutMs", options.timeout_ms, 1, MAX_DURATION_MS),
        retry=None if options.retry_options is None else _read_retry(options.retry_options),
        sleep_before_run=_duration(
            "sleepMsBeforeRun", options.sleep_ms_before_run, 0, MAX_DURATION_MS
        ),
        key=options.idempotency_key,
        tags=None if options.tags is None else _read_tags(options.tags),
    )


def _read_tags(tags: dict[str, str]) -> dict[str, str]:
    try:
        return dict(checked_tags(tags))
    except InvalidOptionError as error:
        raise refused(("options", "tags"), error.message) from error


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
