"""The seam between commands and where they ask: a database, or an executor server.

What is known of an execution is a mapping with the names of the wire, so that both sides, and what
commands print as JSON, speak of the same things.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from durable_execution._core.found import ExecutionStats, SearchOrder
from durable_execution._core.status import Status
from durable_execution._core.task import Task

Facts: TypeAlias = Mapping[str, object]
"""An execution: `taskId`, `executionId`, `status` and whatever else is known of it."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which executions to list; all that is given must hold."""

    task_ids: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()
    created: tuple[datetime | None, datetime | None] = (None, None)
    finished: tuple[datetime | None, datetime | None] = (None, None)
    tags: Mapping[str, str] = field(default_factory=dict)
    id_prefix: str | None = None
    is_root: bool | None = None
    parent_id: str | None = None
    root_id: str | None = None
    order: SearchOrder = "newest_first"


@dataclass(frozen=True)
class Listed:
    """A page of executions, and what leads to the next one."""

    executions: tuple[Facts, ...]
    next_cursor: str | None


@dataclass
class Branch:
    """An execution with what is below it."""

    facts: Facts
    children: list[Branch] = field(default_factory=list)
    left_out: int = 0
    """Children that are not shown, because there are too many."""


@dataclass(frozen=True)
class Progress:
    """How far an execution has come."""

    fraction: float
    message: str | None


@dataclass(frozen=True, kw_only=True)
class Order:
    """A task to enqueue; what is None is as the task has it."""

    task_id: str
    input: object
    key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    timeout_ms: int | None = None
    max_retries: int | None = None
    sleep_ms: int | None = None
    task: Task[Any, Any] | None = None
    """The task itself, where its code was loaded."""


class Desk(Protocol):
    """What commands ask for. Each raises `CommandError` where this side does not offer it.

    `task_id` may be None: it is found out. A server that lists nothing to the caller must be told,
    but for what it offers to operators: `tree` and `retry`.
    """

    async def enqueue(self, order: Order) -> str:
        """Enqueue a task; return the id of its execution."""
        ...

    async def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Listed:
        """Return a page of executions."""
        ...

    async def execution(self, task_id: str | None, execution_id: str) -> Facts:
        """Return an execution with its input and output."""
        ...

    async def tree(self, task_id: str | None, execution_id: str, *, limit: int) -> Branch:
        """Return an execution with up to `limit` executions below it."""
        ...

    def watch(self, task_id: str | None, execution_id: str) -> AsyncIterator[Facts | Progress]:
        """Tell how an execution changes, up to its finish."""
        ...

    async def cancel(self, task_id: str | None, execution_id: str) -> Facts:
        """Cancel an execution; return it as it is then."""
        ...

    async def retry(self, task_id: str | None, execution_id: str) -> Facts:
        """Retry a failed execution; return it as it is then."""
        ...

    async def wake(
        self, task_id: str, unique_id: str, *, output: object, error: str | None
    ) -> Facts:
        """End a sleeping execution; return it as it is then."""
        ...

    async def stats(self, *, lately: float) -> ExecutionStats:
        """Tell how the work goes, over so many seconds."""
        ...

    async def prune(self, *, older_than: float, limit: int) -> int:
        """Delete what finished so many seconds ago; return how many executions that were."""
        ...
