"""The parts of an OpenAPI document that are the same for all tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, get_args

from durable_execution._core.limits import (
    MAX_BASE_DELAY_MS,
    MAX_DELAY_MULTIPLIER,
    MAX_DURATION_MS,
    MAX_EXECUTION_ID_LENGTH,
    MAX_IDEMPOTENCY_KEY_LENGTH,
    MAX_MAX_DELAY_MS,
    MAX_RETRIES,
    MAX_TAG_NAME_LENGTH,
    MAX_TAG_VALUE_LENGTH,
    MAX_TAGS,
    MIN_DELAY_MULTIPLIER,
)
from durable_execution._core.status import Status
from durable_execution.codegen.json_schema import COMPONENTS, JsonSchema
from durable_execution.remote.calls.execution import MAX_WAIT_MS
from durable_execution.remote.calls.listing import DEFAULT_LIMIT, MAX_CURSOR_LENGTH, MAX_LIMIT

_STORABLE: Final = r"^[^\u0000]*$"
_VISIBLE: Final = "^[!-~]+$"
_TAG_NAME: Final = rf"[A-Za-z0-9_.\-]{{1,{MAX_TAG_NAME_LENGTH}}}"
_TAG_VALUE: Final = rf"[^\u0000]{{0,{MAX_TAG_VALUE_LENGTH}}}"
_INSTANT: Final[JsonSchema] = {"type": "string", "format": "date-time"}
_COUNT: Final[JsonSchema] = {"type": "integer", "minimum": 0}
_TEXT: Final[JsonSchema] = {"type": "string"}
_FLAG: Final[JsonSchema] = {"type": "boolean"}
_EXECUTION_ID: Final[JsonSchema] = {
    **_TEXT,
    "pattern": _VISIBLE,
    "maxLength": MAX_EXECUTION_ID_LENGTH,
}


def reference(name: str) -> JsonSchema:
    """Point at one of the parts."""
    return {"$ref": f"{COMPONENTS}{name}"}


def problems(*statuses: int) -> dict[str, JsonSchema]:
    """Describe the failures of these statuses, of those at the door, and of any other."""
    expected = [str(status) for status in sorted({*statuses, 401, 403, 429, 503})]
    return {status: {"$ref": "#/components/responses/Problem"} for status in [*expected, "default"]}


def execution(input: JsonSchema, output: JsonSchema) -> JsonSchema:
    """Describe an execution of a task with this input and output."""
    payloads = {"type": "object", "properties": {"input": input, "output": output}}
    return {"allOf": [reference("TaskExecution"), payloads]}


def _object(required: Sequence[str], **properties: object) -> JsonSchema:
    return {"type": "object", "properties": properties, "required": list(required)}


def or_null(schema: JsonSchema) -> JsonSchema:
    """Null is as good as nothing."""
    return {"anyOf": [schema, {"type": "null"}]}


def _milliseconds(low: int, high: int) -> JsonSchema:
    return {"type": "integer", "minimum": low, "maximum": high}


def one_of_many(key: str, properties: JsonSchema, required: Sequence[str]) -> JsonSchema:
    """Describe a task among those that are enqueued at once; here its key is an option."""
    options = or_null({"allOf": [reference("EnqueueOptions"), reference("IdempotencyKey")]})
    return _object(
        ["taskId", *required], **{**properties, "taskId": {"const": key}, "options": options}
    )


def _in_query(name: str, schema: JsonSchema, description: str) -> JsonSchema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_STATUS: Final[JsonSchema] = {"enum": list(get_args(Status))}
_TASK: Final[JsonSchema] = _object(["taskId", "executionId"], taskId=_TEXT, executionId=_TEXT)
_PARENT: Final[JsonSchema] = _object(
    [
        "taskId",
        "executionId",
        "indexInParentChildren",
        "isOnlyChildOfParent",
        "isFinalizeOfParent",
    ],
    taskId=_TEXT,
    executionId=_TEXT,
    indexInParentChildren=_COUNT,
    isOnlyChildOfParent=_FLAG,
    isFinalizeOfParent=_FLAG,
)
_COMMON: Final[Mapping[str, object]] = {
    "taskId": _TEXT,
    "executionId": _TEXT,
    "status": reference("TaskExecutionStatus"),
    "root": reference("TaskExecutionSummary"),
    "parent": reference("ParentTaskExecutionSummary"),
    "sleepingTaskUniqueId": _TEXT,
    "areChildrenSequential": _FLAG,
    "retryOptions": reference("RetryOptions"),
    "sleepMsBeforeRun": _COUNT,
    "timeoutMs": _COUNT,
    "retryAttempts": _COUNT,
    "executorId": _TEXT,
    "error": reference("TaskExecutionError"),
    "activeChildrenCount": _COUNT,
    "startAt": _INSTANT,
    "startedAt": _INSTANT,
    "expiresAt": _INSTANT,
    "waitingForChildrenStartedAt": _INSTANT,
    "waitingForFinalizeStartedAt": _INSTANT,
    "finishedAt": _INSTANT,
    "createdAt": _INSTANT,
    "updatedAt": _INSTANT,
}
_ALWAYS: Final = (
    "taskId",
    "executionId",
    "status",
    "areChildrenSequential",
    "retryOptions",
    "sleepMsBeforeRun",
    "timeoutMs",
    "retryAttempts",
    "startAt",
    "createdAt",
    "updatedAt",
)

RESPONSES: Final[Mapping[str, JsonSchema]] = {
    "Problem": {
        "description": "A failure.",
        "content": {"application/problem+json": {"schema": reference("Problem")}},
    }
}
"""The answers that all operations share, by name."""

SECURITY_SCHEMES: Final[Mapping[str, JsonSchema]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token, where the server asks who calls.",
    }
}
SECURITY: Final[Sequence[Mapping[str, Sequence[str]]]] = ({"bearer": ()}, {})
"""A token or nothing: what a server asks for is not known from its tasks."""

PARTS: Final[Mapping[str, JsonSchema]] = {
    "EnqueueOptions": {
        "type": "object",
        "description": "In the place of the task's own; the server may refuse some of them.",
        "properties": {
            "retryOptions": or_null(reference("RetryOptions")),
            "sleepMsBeforeRun": or_null(
                {"type": "number", "minimum": 0, "maximum": MAX_DURATION_MS}
            ),
            "timeoutMs": or_null(_milliseconds(1, MAX_DURATION_MS)),
            "tags": or_null(
                {
                    "type": "object",
                    "maxProperties": MAX_TAGS,
                    "propertyNames": {"pattern": f"^{_TAG_NAME}$"},
                    "additionalProperties": {"type": "string", "pattern": f"^{_TAG_VALUE}$"},
                }
            ),
        },
    },
    "Enqueued": _object(["executionId"], executionId=_TEXT),
    "EnqueuedMany": _object(["executionIds"], executionIds={"type": "array", "items": _TEXT}),
    "IdempotencyKey": {
        "type": "object",
        "properties": {
            "idempotencyKey": or_null(
                {
                    **_TEXT,
                    "minLength": 1,
                    "maxLength": MAX_IDEMPOTENCY_KEY_LENGTH,
                    "pattern": _STORABLE,
                }
            ),
        },
    },
    "ListedTaskExecution": _object(
        [*_ALWAYS, "childrenCount", "activeChildrenCount"],
        **_COMMON,
        idempotencyKey=_TEXT,
        tags={"type": "object", "additionalProperties": _TEXT},
        childrenCount=_COUNT,
    ),
    "ParentTaskExecutionSummary": _PARENT,
    "PastAttempt": _object(
        ["retryAttempts", "outcome", "startedAt", "endedAt"],
        retryAttempts=_COUNT,
        outcome={"enum": ["failed", "timed_out", "cancelled", "crashed", "handed_back"]},
        startedAt=_INSTANT,
        endedAt=_INSTANT,
        executorId=_TEXT,
        error=reference("TaskExecutionError"),
    ),
    "Problem": {
        "description": "What went wrong (RFC 9457), and where in the request.",
        **_object(
            ["title", "status", "code"],
            title=_TEXT,
            status={"type": "integer"},
            detail=_TEXT,
            code=_TEXT,
            errors={
                "type": "array",
                "items": _object(
                    ["detail"], detail=_TEXT, pointer=_TEXT, parameter=_TEXT, header=_TEXT
                ),
            },
        ),
    },
    "RetryOptions": _object(
        ["maxAttempts"],
        maxAttempts={
            **_COUNT,
            "maximum": MAX_RETRIES,
            "description": "How often a failed attempt is repeated.",
        },
        baseDelayMs=or_null(_milliseconds(0, MAX_BASE_DELAY_MS)),
        delayMultiplier=or_null(
            {
                "type": "number",
                "minimum": MIN_DELAY_MULTIPLIER,
                "maximum": MAX_DELAY_MULTIPLIER,
            }
        ),
        maxDelayMs={
            **or_null(_milliseconds(0, MAX_MAX_DELAY_MS)),
            "description": "Not less than baseDelayMs.",
        },
    ),
    "TaskExecution": {
        "description": "An execution as it is now; `status` tells which fields it has.",
        **_object(
            _ALWAYS,
            **_COMMON,
            children={"type": "array", "items": reference("TaskExecutionSummary")},
            finalize=reference("TaskExecutionSummary"),
            pastAttempts={
                "type": "array",
                "items": reference("PastAttempt"),
                "description": "The attempts before the last one, as far as they are kept.",
            },
            pastAttemptsCount=_COUNT,
        ),
    },
    "TaskExecutionError": _object(
        ["errorType", "message", "isRetryable", "isInternal"],
        errorType={"enum": ["generic", "not_found", "timed_out", "cancelled"]},
        message=_TEXT,
        isRetryable=_FLAG,
        isInternal=_FLAG,
    ),
    "TaskExecutionStatus": _STATUS,
    "TaskExecutionSummary": _TASK,
    "TaskExecutionsPage": _object(
        ["executions"],
        executions={"type": "array", "items": reference("ListedTaskExecution")},
        nextCursor=_TEXT,
    ),
}
"""The schemas that all tasks share, by name."""

EXECUTION_ID: Final[JsonSchema] = {
    "name": "executionId",
    "in": "path",
    "required": True,
    "schema": _EXECUTION_ID,
}
KEY_HEADER: Final[JsonSchema] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A task that is enqueued again with the same key is not executed again.",
    "schema": {
        **_TEXT,
        "minLength": 1,
        "maxLength": MAX_IDEMPOTENCY_KEY_LENGTH,
    },
}
WAIT: Final = _in_query(
    "wait",
    {"type": "number", "minimum": 0, "maximum": MAX_WAIT_MS // 1000},
    "Seconds to wait for the execution to finish; the answer is what it is then.",
)
LIST_PARAMETERS: Final = (
    _in_query("status", {"type": "array", "items": _STATUS}, "Any of these."),
    _in_query("createdFrom", _INSTANT, "Created at this instant or later."),
    _in_query("createdBefore", _INSTANT, "Created before this instant."),
    _in_query("finishedFrom", _INSTANT, "Finished at this instant or later."),
    _in_query("finishedBefore", _INSTANT, "Finished before this instant."),
    _in_query("parentExecutionId", _EXECUTION_ID, "Children of this execution."),
    _in_query("rootExecutionId", _EXECUTION_ID, "Below this root, at any depth."),
    _in_query("isRoot", _FLAG, "Whether it was enqueued from outside, rather than by a parent."),
    _in_query(
        "tag",
        {"type": "array", "items": {**_TEXT, "pattern": f"^{_TAG_NAME}:{_TAG_VALUE}$"}},
        "Has all of these tags, each as `name:value`.",
    ),
    _in_query("idPrefix", _EXECUTION_ID, "How its id begins."),
    _in_query("order", {"enum": ["newest_first", "oldest_first"]}, "By creation."),
    _in_query(
        "cursor",
        {**_TEXT, "minLength": 1, "maxLength": MAX_CURSOR_LENGTH},
        "`nextCursor` of the page before, with all else as it was.",
    ),
    _in_query(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        "Executions of a page.",
    ),
)
