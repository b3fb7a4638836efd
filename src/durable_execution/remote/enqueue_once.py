"""Enqueueing that survives a broken connection without doing anything twice.

Every execution gets an idempotency key, made here unless its caller chose one. When a connection
breaks after the call was sent, nobody knows whether there is an execution. Then the call is sent
again by `enqueueTasks` with the same key. A server that knows no keys, and would enqueue once
more, does not know that procedure either: its 404 leaves the failure as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import uuid4

from durable_execution._waiting import sleep
from durable_execution.errors import DurableExecutionError, IdempotencyConflictError
from durable_execution.orpc import ORPCError, Retries, RPCClientError, RPCConnectionError
from durable_execution.remote.calls.enqueue import write_enqueue_tasks
from durable_execution.remote.calls.names import ENQUEUE_TASK, ENQUEUE_TASKS
from durable_execution.remote.error_map import task_error_of
from durable_execution.remote.router_calls import (
    RouterCalls,
    is_missing_procedure,
    unreadable,
    unsupported,
)

RETRIES: Final = Retries(attempts=6, repeatable=True)
"""About two seconds in all: as long as a server takes to be replaced."""
_LOST: Final = frozenset({502, 504})
"""What a gateway says that lost its server: the call may have arrived."""
_AWAY: Final = frozenset({429, 502, 503, 504})

Call = Mapping[str, object]


async def enqueue_one(calls: RouterCalls, call: Call) -> str:
    """Enqueue one task, given the input of `enqueueTask`; return the execution's id.

    Raises:
        DurableExecutionError: The server refuses, or cannot be reached. The execution may exist.
    """
    keyed = with_key(call)
    try:
        answer = await calls.call_as_is(ENQUEUE_TASK, keyed)
    except (ORPCError, RPCClientError) as error:
        if not _may_have_arrived(error):
            raise task_error_of(error) from error
        [execution_id] = await _again(calls, [keyed], error)
        return execution_id
    if not isinstance(answer, str):
        raise unreadable(ENQUEUE_TASK, f"expected an id, got {type(answer).__name__}")
    return answer


async def enqueue_all(calls: RouterCalls, each: Sequence[Call]) -> Sequence[str]:
    """Enqueue tasks in one commit, given inputs of `enqueueTask`; return the executions' ids.

    Raises:
        DurableExecutionError: The server refuses, cannot be reached, or is too old. If it cannot be
            reached, all executions may exist.
    """
    keyed = [with_key(call) for call in each]
    try:
        answer = await calls.call_as_is(ENQUEUE_TASKS, write_enqueue_tasks(keyed))
    except (ORPCError, RPCClientError) as error:
        if is_missing_procedure(error):
            raise unsupported(ENQUEUE_TASKS) from error
        if not _may_have_arrived(error):
            raise task_error_of(error) from error
        return await _again(calls, keyed, error)
    return _ids_in(answer, len(keyed))


def with_key(call: Call) -> Call:
    """Return the input of `enqueueTask` with an idempotency key, its own if it has one."""
    options = call.get("options", {})
    if not isinstance(options, Mapping) or "idempotencyKey" in options:
        return call
    return {**call, "options": {**options, "idempotencyKey": f"call_{uuid4().hex}"}}


def _may_have_arrived(error: ORPCError | RPCClientError) -> bool:
    if isinstance(error, ORPCError):
        return error.status in _LOST
    return isinstance(error, RPCConnectionError) and error.was_sent


async def _again(
    calls: RouterCalls, keyed: Sequence[Call], first: ORPCError | RPCClientError
) -> Sequence[str]:
    """Send calls again that may have arrived.

    Raises:
        IdempotencyConflictError: Its caller's own key was used with another input.
        DurableExecutionError: As the first failure, for any other refusal says nothing of what
            became of the first call.
    """
    attempt = 0
    broken = RPCConnectionError(str(first), was_sent=True)
    while True:
        pause = RETRIES.pause_after_failure(broken, attempt=attempt, may_repeat=lambda: True)
        if pause is None:
            raise task_error_of(first) from first
        attempt += 1
        await sleep(pause)
        try:
            answer = await calls.call_as_is(ENQUEUE_TASKS, write_enqueue_tasks(keyed))
        except RPCConnectionError:
            continue
        except (ORPCError, RPCClientError) as error:
            if isinstance(error, ORPCError) and error.status in _AWAY:
                continue
            told: DurableExecutionError = task_error_of(error)
            if isinstance(told, IdempotencyConflictError):
                raise told from error
            raise task_error_of(first) from first
        return _ids_in(answer, len(keyed))


def _ids_in(answer: object, expected: int) -> Sequence[str]:
    ids = [each for each in answer if isinstance(each, str)] if isinstance(answer, list) else []
    if not isinstance(answer, list) or not len(ids) == len(answer) == expected:
        raise unreadable(ENQUEUE_TASKS, f"expected {expected} ids")
    return ids
