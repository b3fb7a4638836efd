"""What a search shows: executions without their payloads, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from durable_execution._core.context import ParentTaskExecutionSummary, TaskExecutionSummary
from durable_execution._core.status import FINISHED, Status
from durable_execution.errors import StoredError

SearchOrder = Literal["newest_first", "oldest_first"]
"""In which order of creation a search shows what it finds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundTaskExecution:
    """An execution in a list: where it stands and how it got there, without input and output.

    These, in the type of its task, are in what `get_task_execution_handle` leads to. The task of
    an execution that is found need not be registered on the executor that found it.
    """

    task_id: str
    execution_id: str
    status: Status
    root: TaskExecutionSummary | None
    parent: ParentTaskExecutionSummary | None
    idempotency_key: str | None
    tags: Mapping[str, str]
    sleeping_task_unique_id: str | None
    executor_id: str | None
    """The executor that runs it, or ran it last."""
    attempt: int
    children_count: int
    active_children_count: int
    error: StoredError | None
    start_at: datetime
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    expires_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskExecutionCounts:
    """How many executions a task has."""

    by_status: Mapping[Status, int]
    """What is 0 is left out."""
    is_known: bool
    """Whether some executor that lives runs the task. If not, what is ready stays so: until the
    release that has the task is rolled out, or because it was renamed or dropped."""

    @property
    def unfinished(self) -> int:
        """How many have yet to end."""
        return sum(n for status, n in self.by_status.items() if status not in FINISHED)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskExecutionPage:
    """Executions that were found. `next_cursor` leads to the next page; None: this is the last."""

    executions: tuple[FoundTaskExecution, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundExecutor:
    """An executor as its last beat left it. What is None, its release did not tell."""

    executor_id: str
    is_alive: bool
    """Whether its lease runs. If not, it signed off or died, and its work is taken over."""
    lease_expires_at: datetime | None
    """None once it has signed off."""
    task_ids: frozenset[str] | None
    """The tasks that it runs; none if it only enqueues."""
    started_at: datetime | None
    beat_at: datetime | None
    running_count: int | None
    """Executions that it ran."""
    ended_count: int | None
    """Attempts that have ended on it since it started."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskBacklog:
    """What is left to do of a task, and what went wrong lately."""

    ready: int
    oldest_start_at: datetime | None
    """Since when the first of them could run."""
    failed: Mapping[Status, int]
    """How many failed lately, by status; what is 0 is left out."""
    is_known: bool
    """Whether some executor that lives runs the task."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionStats:
    """How the work goes, at a cost that does not grow with the number of executions.

    Each number counts `counted_at_most` executions: when it is as high, there may be more.
    """

    at: datetime
    since: datetime
    """When what happened "lately" began."""
    counted_at_most: int
    tasks: Mapping[str, TaskBacklog]
    """Tasks of which something is ready or failed lately."""
    ready: int
    sleeping: int
    """Executions that sleep, or go on in another program."""
    enqueued: int
    """Executions that were created lately, children included."""
    finished: int
    """Those of them that have finished."""
    executors: tuple[FoundExecutor, ...]

    @property
    def oldest_start_at(self) -> datetime | None:
        """Since when the first of all that is ready could run."""
        starts = [task.oldest_start_at for task in self.tasks.values() if task.oldest_start_at]
        return min(starts, default=None)

    @property
    def unknown_task_ids(self) -> frozenset[str]:
        """Tasks of which something is ready, and which no executor that lives runs."""
        tasks = self.tasks.items()
        return frozenset(task_id for task_id, task in tasks if task.ready and not task.is_known)
