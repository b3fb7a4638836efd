"""The request that an app gets for an attempt: written by the executor, verified by the app."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, TypeVar, overload

import msgspec

from durable_execution._codec import (
    UNDEFINED,
    DecodeError,
    Encoded,
    EncodeError,
    JsonSyntaxError,
    Schema,
    ValidationFailed,
    date_text,
    dumps,
    encoded_object,
    loads,
)
from durable_execution._core.handover import Handover
from durable_execution._core.task import TaskDeclaration
from durable_execution.errors import InvalidCallbackError, InvalidInputError
from durable_execution.remote.callbacks.secrets import CallbackSecrets, Secret
from durable_execution.remote.callbacks.signatures import check_signature

InputT = TypeVar("InputT")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRequest(Generic[InputT]):
    """One attempt that the app is to carry out, verified.

    `execution_id` is the same in all attempts of an execution: the key to tell repeated work by.
    `token` is what the app answers with, now or later, and the same for this attempt only; until
    `expires_at` it must have answered or sent a heartbeat.
    """

    task_id: str
    execution_id: str
    attempt: int
    """From 0."""
    input: InputT
    token: str = field(repr=False)
    expires_at: datetime


def write_request(handover: Handover, token: str) -> bytes:
    """Write the body of a request; the input passes through as it is stored."""
    body = encoded_object(
        {
            "taskId": handover.task_id,
            "executionId": handover.execution_id,
            "attempt": handover.attempt,
            "token": token,
            "expiresAt": date_text(handover.expires_at),
            "input": Encoded(handover.input),
        },
        dates=("expiresAt",),
    )
    return body.payload


@overload
def verify_callback(
    headers: Mapping[str, str],
    body: bytes,
    secret: Secret,
    *,
    task: TaskDeclaration[InputT, Any],
) -> CallbackRequest[InputT]: ...
@overload
def verify_callback(
    headers: Mapping[str, str], body: bytes, secret: Secret
) -> CallbackRequest[Any]: ...
def verify_callback(
    headers: Mapping[str, str],
    body: bytes,
    secret: Secret,
    *,
    task: TaskDeclaration[Any, Any] | None = None,
) -> CallbackRequest[Any]:
    """Verify a request of an executor server, and read it.

        request = verify_callback(http.headers, await http.body(), os.environ["CALLBACK_SECRET"])

    Whoever passes this knows the secret, and has sent the request within the last five minutes.
    A request may come again, after a lost answer or in a later attempt: tell repeated work by
    `execution_id`, and answer with the newest token.

    Args:
        headers: Of the HTTP request, in upper or lower case.
        body: Of the HTTP request, as it came.
        secret: What the executor's `create_callback_task` was given; a list while one takes the
            place of another.
        task: The declaration whose type the input has; without one it is plain.

    Raises:
        InvalidCallbackError: It is not from the executor, or too old, or for another task. Answer
            401 or 400.
        InvalidInputError: The input does not fit the type.
        InvalidOptionError: The secret is malformed.
    """
    check_signature(CallbackSecrets(secret), headers, body, now=time.time())
    try:
        value = loads(body)
        if not isinstance(value, dict):
            raise InvalidCallbackError("body is no request of an executor")
        work = value.pop("input", UNDEFINED)
        fields = _FIELDS.convert(value, root="body")
    except (JsonSyntaxError, DecodeError, ValidationFailed) as error:
        raise InvalidCallbackError(f"body is no request of an executor: {error}") from error
    return CallbackRequest(
        task_id=fields.task_id,
        execution_id=fields.execution_id,
        attempt=fields.attempt,
        input=work if task is None else _typed(task, fields.task_id, work),
        token=fields.token,
        expires_at=fields.expires_at,
    )


def callback_answer(output: object) -> bytes:
    """Encode the output with which an app answers 200 when the work is done already.

    Raises:
        InvalidInputError: It has no form on the wire.
    """
    try:
        return dumps(output)
    except EncodeError as error:
        raise InvalidInputError(f"Invalid output: {error}") from error


class _Fields(msgspec.Struct, rename="camel"):
    task_id: str
    execution_id: str
    attempt: int
    token: str
    expires_at: datetime


_FIELDS: Final[Schema[_Fields]] = Schema(_Fields)


def _typed(task: TaskDeclaration[InputT, Any], task_id: str, work: object) -> InputT:
    if task.id != task_id:
        raise InvalidCallbackError(f"request is for task {task_id}, expected {task.id}")
    return task.load_input(dumps(work))
