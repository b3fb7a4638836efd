"""Calls of a tasks router, as a client makes them: their failures are those of tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from durable_execution._codec import UNDEFINED, Undefined, ValidationFailed
from durable_execution.errors import DurableExecutionError
from durable_execution.orpc import EventStream, ORPCClient, ORPCError, RPCClientError
from durable_execution.remote.error_map import task_error_of

AnswerT = TypeVar("AnswerT")

FORGET_AFTER: Final = 300.0
"""Seconds after which a procedure that was missing is asked for again: servers are renewed."""
_FOREIGN: Final = frozenset({"status", "headers", "body"})
"""What the data of an error holds that was no error of a procedure (WIRE.md 6.3)."""


class MissingProcedureError(Exception):
    """The server has no such procedure: it is older, or another implementation."""


class RouterCalls:
    """The procedures of one server, and what is known of which it has; for a set of handles."""

    def __init__(self, client: ORPCClient) -> None:
        self._client = client
        self._missing: dict[str, float] = {}

    async def call(
        self, name: str, input: Mapping[str, object], *, timeout: float | Undefined = UNDEFINED
    ) -> object:
        """Call a procedure that every server has.

        Raises:
            DurableExecutionError: Whatever went wrong; see `task_error_of`.
        """
        try:
            answer: object = await self._client[name](input, timeout=timeout)
        except (ORPCError, RPCClientError) as error:
            raise task_error_of(error) from error
        return answer

    async def call_as_is(self, name: str, input: Mapping[str, object]) -> object:
        """Call a procedure, for a caller who has to know exactly what went wrong.

        Raises:
            ORPCError: The server says no.
            RPCClientError: There is no answer.
        """
        answer: object = await self._client[name](input)
        return answer

    async def call_newer(
        self, name: str, input: Mapping[str, object], *, timeout: float | Undefined = UNDEFINED
    ) -> object:
        """Call a procedure that not every server has. That one has not is remembered for a while.

        Raises:
            MissingProcedureError: The server has no such procedure.
            DurableExecutionError: Whatever else went wrong; see `task_error_of`.
        """
        self._check_not_missing(name)
        try:
            answer: object = await self._client[name](input, timeout=timeout)
        except (ORPCError, RPCClientError) as error:
            raise self._noted(name, error) from error
        return answer

    async def stream(
        self, name: str, input: Mapping[str, object], *, last_event_id: str | None
    ) -> EventStream[Any]:
        """Call a procedure that answers with a stream, and that not every server has.

        Raises:
            MissingProcedureError: The server has no such procedure.
            ORPCError: The server says no.
            RPCClientError: There is no answer, or it is no stream.
        """
        self._check_not_missing(name)
        try:
            stream: EventStream[Any] = await self._client[name](
                input, output=EventStream[Any], last_event_id=last_event_id
            )
        except ORPCError as error:
            if is_missing_procedure(error):
                raise self._noted(name, error) from error
            raise
        return stream

    def _check_not_missing(self, name: str) -> None:
        if self._missing.get(name, 0.0) > time.monotonic():
            raise MissingProcedureError(name)

    def _noted(self, name: str, error: ORPCError | RPCClientError) -> Exception:
        if not is_missing_procedure(error):
            return task_error_of(error)
        self._missing[name] = time.monotonic() + FORGET_AFTER
        return MissingProcedureError(name)


def is_missing_procedure(error: ORPCError | RPCClientError) -> bool:
    """Whether this says that there is no such procedure, and not that something in it is missing.

    Procedures say so with an error object; a path without a procedure is answered by whatever
    serves the rest: with a text, a page, or nothing.
    """
    return (
        isinstance(error, ORPCError)
        and error.status == 404
        and isinstance(error.data, Mapping)
        and error.data.keys() == _FOREIGN
    )


def unsupported(name: str) -> DurableExecutionError:
    """Make the error for what the server has no procedure for."""
    return DurableExecutionError.non_retryable(
        f"{name}: the server has no such procedure; it may be older than this client"
    )


def read_answer(name: str, read: Callable[[object], AnswerT], answer: object) -> AnswerT:
    """Read the answer of a procedure.

    Raises:
        DurableExecutionError: It is not what the procedure answers.
    """
    try:
        return read(answer)
    except ValidationFailed as error:
        raise unreadable(name, str(error)) from error


def unreadable(name: str, problem: str) -> DurableExecutionError:
    """Make the error for an answer that is not what the procedure answers."""
    return DurableExecutionError.retryable(
        f"{name}: the server's answer cannot be read: {problem}", is_internal=True
    )
