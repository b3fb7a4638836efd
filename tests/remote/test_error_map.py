from __future__ import annotations

import pytest

from durable_execution import (
    AttemptOverError,
    DuplicateSleepingIdError,
    DurableExecutionCancelledError,
    DurableExecutionError,
    DurableExecutionNotFoundError,
    DurableExecutionTimedOutError,
    ExecutorShutDownError,
    IdempotencyConflictError,
    InvalidInputError,
    InvalidOptionError,
    InvalidTokenError,
    StorageError,
    StorageUnavailableError,
)
from durable_execution._codec import Issue
from durable_execution.orpc import (
    ORPCError,
    RPCClientError,
    RPCConnectionError,
    RPCResponseError,
    RPCTimeoutError,
)
from durable_execution.remote.error_map import call_error_of, task_error_of

TOLD = [
    (DurableExecutionNotFoundError("no such task"), 404, "NOT_FOUND", "no such task"),
    (InvalidTokenError(), 401, "INVALID_TOKEN", "Token is not valid"),
    (AttemptOverError("ended"), 409, "CONFLICT", "ended"),
    (ExecutorShutDownError("shut down"), 503, "SERVICE_UNAVAILABLE", "shut down"),
    (
        StorageUnavailableError("postgresql://user:secret@db refused"),
        503,
        "SERVICE_UNAVAILABLE",
        "The storage is not available at the moment",
    ),
    (
        StorageError("/var/lib/tasks.db is corrupt"),
        500,
        "INTERNAL_SERVER_ERROR",
        "Internal server error",
    ),
    (
        DuplicateSleepingIdError("u"),
        400,
        "BAD_REQUEST",
        "Sleeping task unique id is taken [sleepingTaskUniqueId=u]",
    ),
    (
        IdempotencyConflictError("t", "k", "te_1"),
        409,
        "CONFLICT",
        "Idempotency key was used with another input "
        "[taskId=t] [idempotencyKey=k] [executionId=te_1]",
    ),
    (InvalidInputError("bad"), 400, "BAD_REQUEST", "bad"),
    (InvalidOptionError("bad option"), 400, "BAD_REQUEST", "bad option"),
    (DurableExecutionTimedOutError("slow"), 400, "BAD_REQUEST", "slow"),
    (DurableExecutionCancelledError("gone"), 400, "BAD_REQUEST", "gone"),
    (DurableExecutionError.retryable("again"), 400, "BAD_REQUEST", "again"),
    (
        DurableExecutionError("ours", is_internal=True),
        500,
        "INTERNAL_SERVER_ERROR",
        "Internal server error",
    ),
]


@pytest.mark.parametrize(
    ("error", "status", "code", "message"), TOLD, ids=[type(each[0]).__name__ for each in TOLD]
)
def test_error_of_the_engine_is_told_as(
    error: DurableExecutionError, status: int, code: str, message: str
) -> None:
    told = call_error_of(error)

    assert (told.status, told.code, told.message) == (status, code, message)


def test_issues_of_an_input_are_told_where_the_call_has_it() -> None:
    error = InvalidInputError("bad", issues=(Issue(("items", 3), "expected int"),))

    told = call_error_of(error, at=("input",))

    assert told.data == {"issues": [{"message": "expected int", "path": ["input", "items", 3]}]}


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_status_that_may_pass_is_retryable(status: int) -> None:
    assert task_error_of(ORPCError("X", status=status)).is_retryable


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 422, 499, 501, 505, 599])
def test_status_that_will_not_pass_is_not_retryable(status: int) -> None:
    assert not task_error_of(ORPCError("X", status=status)).is_retryable


@pytest.mark.parametrize("status", [400, 408, 429, 499, 500, 501, 503, 599])
def test_status_from_500_on_is_internal(status: int) -> None:
    assert task_error_of(ORPCError("X", status=status)).is_internal == (status >= 500)


def test_404_is_not_found_whatever_its_code() -> None:
    error = task_error_of(ORPCError("NO_SUCH_ORDER", "Order 7 is gone", status=404))

    assert isinstance(error, DurableExecutionNotFoundError)
    assert (error.message, error.error_type) == ("Order 7 is gone", "not_found")


@pytest.mark.parametrize(
    "error",
    [
        RPCClientError("odd"),
        RPCConnectionError("refused", was_sent=False),
        RPCTimeoutError("slow"),
        RPCResponseError("not JSON"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_call_without_a_readable_answer_is_retryable_and_internal(error: RPCClientError) -> None:
    made = task_error_of(error)

    assert (made.is_retryable, made.is_internal, made.message) == (True, True, str(error))
    assert made.error_type == "generic"


def test_issues_come_back_as_invalid_input() -> None:
    sent = InvalidInputError("bad", issues=(Issue(("items", 3), "expected int"),))

    back = task_error_of(call_error_of(sent))

    assert isinstance(back, InvalidInputError)
    assert [(issue.path, issue.message) for issue in back.issues] == [
        (("items", 3), "expected int")
    ]


@pytest.mark.parametrize(
    "data",
    [None, 7, {"issues": 7}, {"issues": [7, {}, {"message": 7}]}, {"issues": []}],
    ids=repr,
)
def test_issues_of_no_shape_are_passed_over(data: object) -> None:
    error = task_error_of(ORPCError("BAD_REQUEST", "bad", data=data))

    assert type(error) is DurableExecutionError


def test_issue_without_a_path_is_about_the_whole() -> None:
    data = {"issues": [{"message": "odd"}, {"message": "deep", "path": ["a", 0, {"key": 1}]}]}

    error = task_error_of(ORPCError("BAD_REQUEST", "bad", data=data))

    assert isinstance(error, InvalidInputError)
    assert [issue.path for issue in error.issues] == [(), ("a", 0, 1)]


def test_conflict_of_a_key_arrives_with_its_facts() -> None:
    told = call_error_of(IdempotencyConflictError("sendEmail", "order 1", "te_1"))

    error = task_error_of(told)

    assert isinstance(error, IdempotencyConflictError)
    facts = (error.task_id, error.idempotency_key, error.execution_id)
    assert facts == ("sendEmail", "order 1", "te_1")
    assert not error.is_retryable


@pytest.mark.parametrize("data", [None, {}, {"taskId": "t", "idempotencyKey": 7}], ids=str)
def test_conflict_of_another_kind_is_not_one_of_keys(data: object) -> None:
    error = task_error_of(ORPCError("CONFLICT", "taken", data=data))

    assert type(error) is DurableExecutionError
    assert (error.message, error.is_retryable) == ("taken", False)
