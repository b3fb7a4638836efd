"""What operators do to executions, on a server that offers it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final, TypeAlias, cast, overload

from durable_execution._core.found import ExecutionStats, FoundTaskExecution
from durable_execution._core.limits import MAX_DURATION_MS, check_between, to_ms
from durable_execution._waiting import sleep
from durable_execution.orpc import (
    ORPCClient,
    ORPCError,
    RPCClientError,
    RPCConnectionError,
    SyncLink,
    SyncORPCClient,
)
from durable_execution.remote.calls.names import (
    GET_EXECUTOR_STATS,
    GET_TASK_EXECUTION_TREE,
    PRUNE_TASK_EXECUTIONS,
    RETRY_TASK_EXECUTION,
)
from durable_execution.remote.calls.operating import (
    DEFAULT_TREE,
    MAX_PRUNED,
    MAX_TREE,
    write_operated,
)
from durable_execution.remote.client_kinds import made_of
from durable_execution.remote.enqueue_once import RETRIES
from durable_execution.remote.error_map import task_error_of
from durable_execution.remote.listed import entry_from_wire
from durable_execution.remote.operated import TaskExecutionTree, tree_from_wire
from durable_execution.remote.router_calls import (
    is_missing_procedure,
    read_answer,
    unreadable,
    unsupported,
)
from durable_execution.remote.stats import stats_from_wire

Ask: TypeAlias = Callable[[str, Mapping[str, object]], Awaitable[object]]

MAX_DELETED: Final = 1_000_000
_AWAY: Final = frozenset({429, 502, 503, 504})


@overload
def create_operator_client(client: ORPCClient) -> OperatorClient: ...
@overload
def create_operator_client(client: SyncORPCClient) -> SyncOperatorClient: ...
def create_operator_client(
    client: ORPCClient | SyncORPCClient,
) -> OperatorClient | SyncOperatorClient:
    """Make what operators tend to a server with.

        operator = create_operator_client(create_orpc_client(RPCLink(url, headers=headers)))
        await operator.retry("te_06gwn3vp9b2k")

    Args:
        client: The place where the server has its `create_operators_router`; the methods block
            when the calls of the client do.

    Raises:
        InvalidOptionError: `client` is no client.
    """
    return made_of(client, awaited=OperatorClient, blocking=SyncOperatorClient)


class OperatorClient:
    """Tends to the executions of a server. Made by `create_operator_client`.

    When a connection breaks, or the server is away, a call is sent again for about two seconds:
    all of them may be done twice. Every method may raise `DurableExecutionError`: retryable when
    there is no answer, not retryable when the server refuses, or offers nothing to operators.
    """

    def __init__(self, client: ORPCClient) -> None:
        self._client = client

    async def retry(self, execution_id: str, *, task: str | None = None) -> FoundTaskExecution:
        """Run an execution again that has failed, as `DurableExecutor.retry_task_execution`.

        Args:
            execution_id: Of a root.
            task: The key of the task that it must be of; None for any within reach.

        Returns:
            The execution as it is now. One that has not ended, or has completed, is left as it is.

        Raises:
            DurableExecutionNotFoundError: There is no such execution within reach.
            DurableExecutionError: Besides the above: it is a child; the message names its root.
        """
        answer = await self._ask(RETRY_TASK_EXECUTION, write_operated(task, execution_id))
        return read_answer(RETRY_TASK_EXECUTION, entry_from_wire, answer)

    async def get_tree(
        self, execution_id: str, *, task: str | None = None, limit: int = DEFAULT_TREE
    ) -> TaskExecutionTree:
        """Return an execution with all that is below it: inputs, outputs and tracebacks, too.

        Args:
            execution_id: Of a root, or of a child.
            task: As in `retry`.
            limit: Executions below it, 0 to 5,000.

        Raises:
            DurableExecutionNotFoundError: There is no such execution within reach.
            InvalidOptionError: The limit is out of bounds.
        """
        check_between("limit", limit, 0, MAX_TREE, whole=True)
        call = {**write_operated(task, execution_id), "limit": limit}
        answer = await self._ask(GET_TASK_EXECUTION_TREE, call)
        return read_answer(GET_TASK_EXECUTION_TREE, tree_from_wire, answer)

    async def get_stats(self, *, lately: float | timedelta = 3600) -> ExecutionStats:
        """Tell how the work goes, as `DurableExecutor.get_stats`.

        Args:
            lately: Seconds or timedelta that failures and new executions are counted for.

        Raises:
            InvalidOptionError: The time is out of bounds.
        """
        call = {"latelyMs": to_ms("lately", lately, 1, MAX_DURATION_MS)}
        answer = await self._ask(GET_EXECUTOR_STATS, call)
        return read_answer(GET_EXECUTOR_STATS, stats_from_wire, answer)

    async def prune(self, *, older_than: float | timedelta, limit: int = 10_000) -> int:
        """Delete executions whose root finished so long ago; return how many that were, at least.

        As `DurableExecutor.delete_finished_task_executions`, with as many calls as it takes. What
        was deleted by a call whose answer got lost is not counted.

        Args:
            older_than: Seconds or timedelta.
            limit: Executions to delete at most, children included, 1 to 1,000,000.

        Raises:
            InvalidOptionError: A bound is out of bounds.
        """
        age = to_ms("older_than", older_than, 0, MAX_DURATION_MS)
        check_between("limit", limit, 1, MAX_DELETED, whole=True)
        return await pruned(self._ask, age, limit)

    async def _ask(self, name: str, call: Mapping[str, object]) -> object:
        attempt = 0
        while True:
            try:
                answer: object = await self._client[name](call)
            except (ORPCError, RPCClientError) as error:
                if is_missing_procedure(error):
                    raise unsupported(name) from error
                pause = _pause_after(error, attempt)
                if pause is None:
                    raise task_error_of(error) from error
            else:
                return answer
            attempt += 1
            await sleep(pause)


async def pruned(ask: Ask, age_ms: int, limit: int) -> int:
    """Delete what had finished so long ago when this began, call by call; return how many."""
    begun, deleted, is_done = time.monotonic(), 0, False
    while deleted < limit and not is_done:
        passed = int((time.monotonic() - begun) * 1000)
        call = {
            "olderThanMs": min(age_ms + passed, MAX_DURATION_MS),
            "limit": min(limit - deleted, MAX_PRUNED),
        }
        answer = await ask(PRUNE_TASK_EXECUTIONS, call)
        count = answer.get("deleted") if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or not isinstance(count, int):
            raise unreadable(PRUNE_TASK_EXECUTIONS, "expected the number of deleted executions")
        deleted, is_done = deleted + count, answer.get("isDone") is True
    return deleted


class SyncOperatorClient:
    """An `OperatorClient` whose methods block; they do and raise what those of that one do."""

    def __init__(self, link: SyncLink, client: ORPCClient) -> None:
        self._link = link
        self._operator = OperatorClient(client)

    def retry(self, execution_id: str, *, task: str | None = None) -> FoundTaskExecution:
        """See `OperatorClient.retry`."""
        execution = self._link.complete(lambda: self._operator.retry(execution_id, task=task))
        return cast("FoundTaskExecution", execution)

    def get_tree(
        self, execution_id: str, *, task: str | None = None, limit: int = DEFAULT_TREE
    ) -> TaskExecutionTree:
        """See `OperatorClient.get_tree`."""
        tree = self._link.complete(
            lambda: self._operator.get_tree(execution_id, task=task, limit=limit)
        )
        return cast("TaskExecutionTree", tree)

    def get_stats(self, *, lately: float | timedelta = 3600) -> ExecutionStats:
        """See `OperatorClient.get_stats`."""
        stats = self._link.complete(lambda: self._operator.get_stats(lately=lately))
        return cast("ExecutionStats", stats)

    def prune(self, *, older_than: float | timedelta, limit: int = 10_000) -> int:
        """See `OperatorClient.prune`."""
        deleted = self._link.complete(
            lambda: self._operator.prune(older_than=older_than, limit=limit)
        )
        return cast("int", deleted)


def _pause_after(error: ORPCError | RPCClientError, attempt: int) -> float | None:
    """Seconds after which to send a call again that may be done twice; None for giving up."""
    is_away = isinstance(error, ORPCError) and error.status in _AWAY
    if not is_away and not isinstance(error, RPCConnectionError):
        return None
    broken = RPCConnectionError(str(error), was_sent=True)
    return RETRIES.pause_after_failure(broken, attempt=attempt, may_repeat=lambda: True)
