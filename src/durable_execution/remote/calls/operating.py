"""The inputs of the procedures for operators: retry, look at a tree, stats, prune."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import msgspec

from durable_execution._codec import UNDEFINED, Schema
from durable_execution._core.limits import MAX_DURATION_MS
from durable_execution.remote.calls.fields import Id, read_fields

DEFAULT_TREE: Final = 200
MAX_TREE: Final = 5_000
DEFAULT_LATELY_MS: Final = 3_600_000
MAX_PRUNED: Final = 10_000


class OperatedExecution(NamedTuple):
    """What names an execution to operators; without a key it may be one of any task."""

    task_key: str | None
    execution_id: str


class TreeCall(NamedTuple):
    """What `getTaskExecutionTree` is called with."""

    execution: OperatedExecution
    limit: int
    """Executions below it."""


class PruneCall(NamedTuple):
    """What `pruneTaskExecutions` is called with."""

    older_than_ms: int
    limit: int


def write_operated(task_key: str | None, execution_id: str) -> dict[str, object]:
    """Write what names an execution to operators."""
    call: dict[str, object] = {"executionId": execution_id}
    return call if task_key is None else {"taskId": task_key, **call}


def read_operated(value: object) -> OperatedExecution:
    """Read the input of `retryTaskExecution`.

    Raises:
        ValidationFailed: A field is missing or of the wrong type.
    """
    call, _ = read_fields(_OPERATED, value)
    return OperatedExecution(call.task_id, call.execution_id)


def read_tree(value: object) -> TreeCall:
    """Read the input of `getTaskExecutionTree`.

    Raises:
        ValidationFailed: A field is missing, of the wrong type or out of bounds.
    """
    call, _ = read_fields(_TREE, value)
    return TreeCall(OperatedExecution(call.task_id, call.execution_id), call.limit)


def read_stats(value: object) -> int:
    """Read the input of `getExecutorStats`, which may be missing; return its milliseconds.

    Raises:
        ValidationFailed: A field is of the wrong type or out of bounds.
    """
    call, _ = read_fields(_STATS, {} if value is UNDEFINED else value)
    return call.lately_ms


def read_prune(value: object) -> PruneCall:
    """Read the input of `pruneTaskExecutions`.

    Raises:
        ValidationFailed: A field is missing, of the wrong type or out of bounds.
    """
    call, _ = read_fields(_PRUNE, value)
    return PruneCall(call.older_than_ms, call.limit)


class _Operated(msgspec.Struct, rename="camel"):
    execution_id: Id
    task_id: Id | None = None


class _Tree(_Operated, rename="camel"):
    limit: Annotated[int, msgspec.Meta(ge=0, le=MAX_TREE)] = DEFAULT_TREE


class _Stats(msgspec.Struct, rename="camel"):
    lately_ms: Annotated[int, msgspec.Meta(ge=1, le=MAX_DURATION_MS)] = DEFAULT_LATELY_MS


class _Prune(msgspec.Struct, rename="camel"):
    older_than_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_DURATION_MS)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PRUNED)] = MAX_PRUNED


_OPERATED: Final[Schema[_Operated]] = Schema(_Operated)
_TREE: Final[Schema[_Tree]] = Schema(_Tree)
_STATS: Final[Schema[_Stats]] = Schema(_Stats)
_PRUNE: Final[Schema[_Prune]] = Schema(_Prune)
