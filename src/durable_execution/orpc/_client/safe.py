"""Errors as values, for callers that would rather branch than catch."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Generic, NamedTuple, TypeVar

from durable_execution.orpc._protocol import is_defined_error

T = TypeVar("T")


class SafeResult(NamedTuple, Generic[T]):
    """How a call ended: `error, data, is_defined, is_success = await safe(client.ping())`.

    Attributes:
        error: None when the call succeeded.
        data: What the call returned; None when it failed.
        is_defined: Whether the error is an `ORPCError` its procedure declares.
        is_success: Whether there is no error.
    """

    error: Exception | None
    data: T | None
    is_defined: bool
    is_success: bool


async def safe(awaitable: Awaitable[T]) -> SafeResult[T]:
    """Wait for a call and give its outcome as a value.

    Never raises for an `Exception`. Cancellation and the interpreter's own exits pass through.
    """
    try:
        data = await awaitable
    except Exception as error:
        return SafeResult(error, None, is_defined_error(error), is_success=False)
    return SafeResult(None, data, is_defined=False, is_success=True)
