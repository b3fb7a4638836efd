"""How an app answers for its attempts: complete, fail, heartbeat."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast, overload

import msgspec

from durable_execution._codec import (
    UNDEFINED,
    Encoded,
    EncodeError,
    Schema,
    dumps,
)
from durable_execution._core.status import Status
from durable_execution.errors import (
    AttemptOverError,
    DurableExecutionError,
    InvalidInputError,
    InvalidTokenError,
)
from durable_execution.orpc import (
    ORPCClient,
    ORPCError,
    RPCClientError,
    SyncLink,
    SyncORPCClient,
)
from durable_execution.remote.calls.callbacks import (
    write_complete_task,
    write_fail_task,
    write_heartbeat_task,
)
from durable_execution.remote.calls.names import COMPLETE_TASK, FAIL_TASK, HEARTBEAT_TASK
from durable_execution.remote.client_kinds import made_of
from durable_execution.remote.error_map import INVALID_TOKEN, task_error_of
from durable_execution.remote.router_calls import read_answer


@overload
def create_callback_client(client: ORPCClient) -> CallbackClient: ...
@overload
def create_callback_client(client: SyncORPCClient) -> SyncCallbackClient: ...
def create_callback_client(
    client: ORPCClient | SyncORPCClient,
) -> CallbackClient | SyncCallbackClient:
    """Make what an app calls back with.

        callbacks = create_callback_client(create_orpc_client(RPCLink("http://executor:3000/rpc")))
        await callbacks.complete(request.token, {"url": url})

    Args:
        client: The place where the server has its tasks router, or its callbacks router; the
            methods block when the calls of the client do.

    Raises:
        InvalidOptionError: `client` is no client.
    """
    return made_of(client, awaited=CallbackClient, blocking=SyncCallbackClient)


class CallbackClient:
    """Answers for attempts, each by the token of its request. Made by `create_callback_client`.

    Every method raises:
        AttemptOverError: The attempt is over: the execution has ended, or another attempt follows.
            What was done for it is not asked for any more.
        InvalidTokenError: The server did not make this token.
        DurableExecutionNotFoundError: The execution is not there any more.
        DurableExecutionError: The server cannot be reached (retryable), or refuses. A call may be
            repeated.
    """

    def __init__(self, client: ORPCClient) -> None:
        self._client = client

    async def complete(self, token: str, output: object = UNDEFINED) -> Status:
        """Complete the execution; return its status. Who completes it so again gets it again.

        Raises:
            InvalidInputError: The output has no form on the wire, or does not fit the task's type;
                the attempt goes on.
        """
        try:
            payload = dumps(output)
        except EncodeError as error:
            raise InvalidInputError(f"Invalid output: {error}") from error
        return await self._end(COMPLETE_TASK, write_complete_task(token, Encoded(payload)))

    async def fail(
        self, token: str, error: str | BaseException, *, is_retryable: bool = False
    ) -> Status:
        """End the attempt with an error; return the status: `ready` where another one follows.

        Args:
            token: That of the request.
            error: Why, for people.
            is_retryable: Whether another attempt may go better; then one follows, if retries are
                left.
        """
        message = str(error) or type(error).__name__
        return await self._end(
            FAIL_TASK, write_fail_task(token, message, is_retryable=is_retryable)
        )

    async def heartbeat(
        self, token: str, fraction: float | None = None, message: str | None = None
    ) -> datetime:
        """Begin the lease of the attempt anew; return when it ends.

        Args:
            token: That of the request.
            fraction: How much of the work is done, from 0 to 1; whoever watches is told.
            message: With a fraction: what is being done, for people.
        """
        answer = await self._call(HEARTBEAT_TASK, write_heartbeat_task(token, fraction, message))
        return read_answer(HEARTBEAT_TASK, _read_lease, answer).expires_at

    async def _end(self, name: str, call: Mapping[str, object]) -> Status:
        return read_answer(name, _read_ending, await self._call(name, call)).status

    async def _call(self, name: str, call: Mapping[str, object]) -> object:
        try:
            answer: object = await self._client[name](call)
        except ORPCError as error:
            raise _error_of(error) from error
        except RPCClientError as error:
            raise task_error_of(error) from error
        return answer


class SyncCallbackClient:
    """A `CallbackClient` whose methods block; they do and raise what those of that one do."""

    def __init__(self, link: SyncLink, client: ORPCClient) -> None:
        self._link = link
        self._callbacks = CallbackClient(client)

    def complete(self, token: str, output: object = UNDEFINED) -> Status:
        """See `CallbackClient.complete`."""
        return cast("Status", self._link.complete(lambda: self._callbacks.complete(token, output)))

    def fail(self, token: str, error: str | BaseException, *, is_retryable: bool = False) -> Status:
        """See `CallbackClient.fail`."""
        status = self._link.complete(
            lambda: self._callbacks.fail(token, error, is_retryable=is_retryable)
        )
        return cast("Status", status)

    def heartbeat(
        self, token: str, fraction: float | None = None, message: str | None = None
    ) -> datetime:
        """See `CallbackClient.heartbeat`."""
        expires_at = self._link.complete(
            lambda: self._callbacks.heartbeat(token, fraction, message)
        )
        return cast("datetime", expires_at)


class _Ending(msgspec.Struct):
    status: Status


class _Lease(msgspec.Struct, rename="camel"):
    expires_at: datetime


_ENDING: Final[Schema[_Ending]] = Schema(_Ending)
_LEASE: Final[Schema[_Lease]] = Schema(_Lease)


def _read_ending(answer: object) -> _Ending:
    return _ENDING.convert(answer, root="answer")


def _read_lease(answer: object) -> _Lease:
    return _LEASE.convert(answer, root="answer")


def _error_of(error: ORPCError) -> DurableExecutionError:
    if error.status == 409:
        return AttemptOverError(error.message)
    if error.code == INVALID_TOKEN:
        return InvalidTokenError()
    return task_error_of(error)
