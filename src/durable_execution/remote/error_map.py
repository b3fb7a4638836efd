"""The one table between the errors of tasks and the errors of calls.

What a server answers, and what that is to whoever called:

    a task, an execution that does not exist    NOT_FOUND 404               NotFoundError
    storage or executor not available           SERVICE_UNAVAILABLE 503     retryable, internal
    other internal errors                       INTERNAL_SERVER_ERROR 500   retryable, internal
    input that does not fit                     BAD_REQUEST 400, issues     InvalidInputError
    a key that was used with another input      CONFLICT 409, the key       IdempotencyConflictError
    a token that was not made here              INVALID_TOKEN 401           not retryable
    an attempt that is over                     CONFLICT 409                not retryable
    all others                                  BAD_REQUEST 400             not retryable

Read from any server, 408, 429, 500, 502, 503 and 504 are retryable and everything from 500 on is
internal. A call without a readable answer is both.

The reference answers 500 where this answers 503, which clients of either retry. Unlike it, nothing
that a storage, or another internal error, says leaves the process: such messages name files, hosts
and tables. The answer has an id instead, which the log has as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from durable_execution._codec import UNDEFINED, ValidationFailed
from durable_execution.errors import (
    AttemptOverError,
    DuplicateSleepingIdError,
    DurableExecutionError,
    DurableExecutionNotFoundError,
    ExecutorShutDownError,
    IdempotencyConflictError,
    InvalidInputError,
    InvalidTokenError,
    StorageError,
    StorageUnavailableError,
    ValueIssue,
)
from durable_execution.orpc import ORPCError, RPCClientError

INVALID_TOKEN: Final = "INVALID_TOKEN"  # noqa: S105 - a code of an error
RETRYABLE_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})

_INVALID: Final = "Input validation failed"  # as an oRPC server words it (WIRE.md 6.2)
_UNAVAILABLE: Final = "The storage is not available at the moment"
_MASKED: Final = "Internal server error"
_CONFLICT_FACTS: Final = ("taskId", "idempotencyKey", "executionId")


@dataclass(frozen=True, slots=True)
class RemoteIssue:
    """One thing wrong with a value, as a server tells it."""

    path: tuple[str | int, ...]
    message: str


def call_error_of(error: DurableExecutionError, *, at: tuple[str | int, ...] = ()) -> ORPCError:
    """Give the error that a caller sees. `at` is where in the call's input issues are found."""
    if isinstance(error, DurableExecutionNotFoundError):
        return ORPCError("NOT_FOUND", error.message)
    if isinstance(error, InvalidTokenError):
        return ORPCError(INVALID_TOKEN, error.message, status=401)
    if isinstance(error, AttemptOverError):
        return ORPCError("CONFLICT", error.message)
    if isinstance(error, ExecutorShutDownError):
        return ORPCError("SERVICE_UNAVAILABLE", error.message)
    if isinstance(error, StorageUnavailableError):
        return ORPCError("SERVICE_UNAVAILABLE", _UNAVAILABLE)
    is_taken = isinstance(error, DuplicateSleepingIdError)
    if error.is_internal or (isinstance(error, StorageError) and not is_taken):
        return ORPCError("INTERNAL_SERVER_ERROR", _MASKED)
    if isinstance(error, IdempotencyConflictError):
        facts = (error.task_id, error.idempotency_key, error.execution_id)
        return ORPCError(
            "CONFLICT", error.message, data=dict(zip(_CONFLICT_FACTS, facts, strict=True))
        )
    issues = error.issues if isinstance(error, InvalidInputError) else ()
    data = _told(issues, at) if issues else UNDEFINED
    return ORPCError("BAD_REQUEST", error.message, data=data)


def call_error_of_misfit(failure: ValidationFailed) -> ORPCError:
    """Give the error for a call whose own input is malformed, as any oRPC server words it."""
    return ORPCError("BAD_REQUEST", _INVALID, data=_told(failure.issues, ()))


def task_error_of(error: ORPCError | RPCClientError) -> DurableExecutionError:
    """Give the error that a failed call is to a task, or to a client of the tasks router."""
    if isinstance(error, RPCClientError):
        return DurableExecutionError.retryable(str(error), is_internal=True)
    if error.status == 404:
        return DurableExecutionNotFoundError(error.message)
    conflict = _conflict_in(error)
    if conflict is not None:
        return conflict
    issues = tuple(_issues_in(error.data)) if error.status == 400 else ()
    if issues:
        return InvalidInputError(error.message, issues=issues)
    return DurableExecutionError(
        error.message,
        is_retryable=error.status in RETRYABLE_STATUSES,
        is_internal=error.status >= 500,
    )


def _told(issues: Iterable[ValueIssue], at: tuple[str | int, ...]) -> dict[str, object]:
    return {
        "issues": [{"message": each.message, "path": [*at, *each.path]} for each in issues],
    }


def _conflict_in(error: ORPCError) -> IdempotencyConflictError | None:
    """Read the conflict of a key; any procedure may answer 409 for another reason."""
    if error.status != 409 or not isinstance(error.data, Mapping):
        return None
    facts = [error.data.get(name) for name in _CONFLICT_FACTS]
    texts = [fact for fact in facts if isinstance(fact, str)]
    return IdempotencyConflictError(*texts) if len(texts) == len(facts) else None


def _issues_in(data: object) -> Iterable[RemoteIssue]:
    """Read the issues of a validation failure; nothing in there can be trusted to have a shape."""
    issues = data.get("issues") if isinstance(data, Mapping) else None
    for issue in issues if isinstance(issues, list) else ():
        if not isinstance(issue, Mapping) or not isinstance(issue.get("message"), str):
            continue
        path = issue.get("path")
        segments = path if isinstance(path, list) else []
        yield RemoteIssue(tuple(map(_segment, segments)), issue["message"])


def _segment(segment: object) -> str | int:
    """Read a step of a path: validators write a key, or an object around it."""
    if isinstance(segment, Mapping):
        segment = segment.get("key")
    return segment if isinstance(segment, int) else str(segment)
