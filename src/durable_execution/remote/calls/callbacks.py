"""The inputs of `completeTask`, `failTask` and `heartbeatTask`."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import msgspec

from durable_execution._codec import UNDEFINED, Schema
from durable_execution.remote.calls.fields import STORABLE, read_fields, refused

MAX_GIVEN_TOKEN_LENGTH: Final = 4096
"""Characters of what somebody says is a token; one of ours has far fewer."""


class CompleteTask(NamedTuple):
    """What `completeTask` is called with."""

    token: str
    output: object


class FailTask(NamedTuple):
    """What `failTask` is called with."""

    token: str
    message: str
    is_retryable: bool


def write_complete_task(token: str, output: object) -> dict[str, object]:
    """Write the input of `completeTask`."""
    return {"token": token, "output": output}


def write_fail_task(token: str, message: str, *, is_retryable: bool) -> dict[str, object]:
    """Write the input of `failTask`."""
    return {"token": token, "error": message, "isRetryable": is_retryable}


class HeartbeatTask(NamedTuple):
    """What `heartbeatTask` is called with; no fraction where nothing is said of the progress."""

    token: str
    fraction: float | None
    message: str | None


def write_heartbeat_task(
    token: str, fraction: float | None, message: str | None
) -> dict[str, object]:
    """Write the input of `heartbeatTask`."""
    if fraction is None:
        return {"token": token}
    progress = {"fraction": fraction} | ({} if message is None else {"message": message})
    return {"token": token, "progress": progress}


def read_complete_task(value: object) -> CompleteTask:
    """Read the input of `completeTask`; the output stays as it was decoded.

    Raises:
        ValidationFailed: A field is missing or of the wrong type.
    """
    call, apart = read_fields(_TOKEN, value, "output")
    return CompleteTask(call.token, apart["output"])


def read_fail_task(value: object) -> FailTask:
    """Read the input of `failTask`: the error is a text, or an object with a message.

    Raises:
        ValidationFailed: A field is missing or of the wrong type.
    """
    call, apart = read_fields(_FAIL, value, "error")
    error = apart["error"]
    if isinstance(error, dict):
        error = error.get("message", UNDEFINED)
    if not isinstance(error, str) or not error:
        raise refused(("error",), "expected a text, or an object with a message")
    return FailTask(call.token, error, call.is_retryable or False)


def read_heartbeat_task(value: object) -> HeartbeatTask:
    """Read the input of `heartbeatTask`; whoever takes the progress checks its bounds.

    Raises:
        ValidationFailed: A field is missing or of the wrong type.
    """
    call, _ = read_fields(_HEARTBEAT, value)
    progress = call.progress
    if progress is None:
        return HeartbeatTask(call.token, None, None)
    return HeartbeatTask(call.token, progress.fraction, progress.message)


_Token = Annotated[str, msgspec.Meta(max_length=MAX_GIVEN_TOKEN_LENGTH, pattern=STORABLE)]


class _TokenCall(msgspec.Struct):
    token: _Token


class _FailCall(msgspec.Struct, rename="camel"):
    token: _Token
    is_retryable: bool | None = None


class _Progress(msgspec.Struct):
    fraction: float
    message: str | None = None


class _HeartbeatCall(msgspec.Struct):
    token: _Token
    progress: _Progress | None = None


_HEARTBEAT: Final[Schema[_HeartbeatCall]] = Schema(_HeartbeatCall)
_TOKEN: Final[Schema[_TokenCall]] = Schema(_TokenCall)
_FAIL: Final[Schema[_FailCall]] = Schema(_FailCall)
