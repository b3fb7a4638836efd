"""What the type checkers must say of clients for operators. Checked, never run; see `api.py`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_type

from durable_execution import StoredError
from durable_execution.client import (
    ExecutionStats,
    FoundTaskExecution,
    OperatorClient,
    ORPCClient,
    PastAttempt,
    SyncOperatorClient,
    SyncORPCClient,
    TaskExecutionTree,
    create_operator_client,
)


async def tending(client: ORPCClient) -> None:
    operator = create_operator_client(client)
    assert_type(operator, OperatorClient)
    assert_type(await operator.retry("te_1", task="sendEmail"), FoundTaskExecution)
    tree = await operator.get_tree("te_1", limit=5)
    assert_type(tree.children, Sequence[TaskExecutionTree])
    assert_type(tree.execution.error, StoredError | None)
    assert_type(tree.past_attempts, tuple[PastAttempt, ...])
    assert_type(await operator.get_stats(lately=timedelta(hours=1)), ExecutionStats)
    assert_type(await operator.prune(older_than=3600, limit=5), int)
    await operator.prune()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    create_operator_client("http://x")  # type: ignore[call-overload]  # pyright: ignore


def blocking(client: SyncORPCClient) -> None:
    operator = create_operator_client(client)
    assert_type(operator, SyncOperatorClient)
    assert_type(operator.retry("te_1"), FoundTaskExecution)
    assert_type(operator.get_tree("te_1"), TaskExecutionTree)
    assert_type(operator.get_stats(), ExecutionStats)
    assert_type(operator.prune(older_than=3600), int)
