"""From a row to the view that users see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypedDict, TypeVar, assert_never

from durable_execution._core.context import ParentTaskExecutionSummary, TaskExecutionSummary
from durable_execution._core.found import FoundTaskExecution
from durable_execution._core.past import NO_PAST, Attempt, Past
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.retry import RetryOptions
from durable_execution._core.task import TaskDeclaration
from durable_execution._core.views import (
    CancelledTaskExecution,
    CompletedTaskExecution,
    FailedTaskExecution,
    FinalizeFailedTaskExecution,
    FinishedTaskExecution,
    PastAttempt,
    ReadyTaskExecution,
    RunningTaskExecution,
    TaskExecution,
    TimedOutTaskExecution,
    WaitingForChildrenTaskExecution,
    WaitingForFinalizeTaskExecution,
)
from durable_execution._engine.compose import NOTHING
from durable_execution.errors import StoredError

OutputT = TypeVar("OutputT")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
UNKNOWN_ERROR: Final = StoredError(message="Unknown error")


class _Base(TypedDict):
    task_id: str
    execution_id: str
    root: TaskExecutionSummary | None
    parent: ParentTaskExecutionSummary | None
    sleeping_task_unique_id: str | None
    retry: RetryOptions
    sleep_before_run: float
    timeout: float
    are_children_sequential: bool
    input: object
    attempt: int
    start_at: datetime
    created_at: datetime
    updated_at: datetime
    idempotency_key: str | None
    tags: Mapping[str, str]
    past_attempts: tuple[PastAttempt, ...]
    past_attempts_count: int


class _Started(TypedDict):
    started_at: datetime
    expires_at: datetime


class _Finished(TypedDict):
    finished_at: datetime
    started_at: datetime | None
    expires_at: datetime | None
    waiting_for_children_started_at: datetime | None
    waiting_for_finalize_started_at: datetime | None
    children: tuple[TaskExecutionSummary, ...]
    active_children_count: int
    finalize: TaskExecutionSummary | None


def view_of(
    record: ExecutionRecord,
    task: TaskDeclaration[Any, OutputT],
    children: Sequence[ExecutionRecord] = (),
    past: Past = NO_PAST,
) -> TaskExecution[OutputT]:
    """Build the view of a row. `children` are needed, without payloads, if it has spawned any.

    Raises:
        InvalidInputError: The stored input or output does not fit the task's types as they are now.
    """
    if record.is_finished:
        return finished_view_of(record, task, children, past)
    base = _base(record, task, past)
    match record.status:
        case "ready":
            return ReadyTaskExecution(**base, error=record.error)
        case "running":
            return RunningTaskExecution(
                **base, **_started(record), executor_id=record.executor_id, error=record.error
            )
        case "waiting_for_children":
            return WaitingForChildrenTaskExecution(
                **base,
                **_started(record),
                waiting_for_children_started_at=instant(record.waiting_for_children_at),
                children=_summaries(children),
                active_children_count=record.active_children_count,
            )
        case _:
            return WaitingForFinalizeTaskExecution(
                **base,
                **_started(record),
                waiting_for_children_started_at=instant(record.waiting_for_children_at),
                waiting_for_finalize_started_at=instant(record.waiting_for_finalize_at),
                children=_summaries(children),
                active_children_count=record.active_children_count,
                finalize=_finalize_among(children) or TaskExecutionSummary("", ""),
            )


def finished_view_of(
    record: ExecutionRecord,
    task: TaskDeclaration[Any, OutputT],
    children: Sequence[ExecutionRecord] = (),
    past: Past = NO_PAST,
) -> FinishedTaskExecution[OutputT]:
    """Build the view of a finished row.

    Raises:
        InvalidInputError: The stored input or output does not fit the task's types as they are now.
    """
    base = _base(record, task, past)
    rest = _finished(record, children)
    error = record.error or UNKNOWN_ERROR
    match record.status:
        case "completed":
            output = task.load_output(record.output or NOTHING)
            return CompletedTaskExecution(**base, **rest, output=output)
        case "failed":
            return FailedTaskExecution(**base, **rest, error=error)
        case "timed_out":
            return TimedOutTaskExecution(**base, **rest, error=error)
        case "finalize_failed":
            return FinalizeFailedTaskExecution(**base, **rest, error=error)
        case "cancelled":
            return CancelledTaskExecution(
                **base, **rest, error=error, executor_id=record.executor_id
            )
        case "ready" | "running" | "waiting_for_children" | "waiting_for_finalize":
            raise ValueError(f"execution {record.execution_id} is {record.status}, not finished")
        case _:
            assert_never(record.status)


def has_children(record: ExecutionRecord) -> bool:
    """Whether the view of this row names children."""
    return record.children_count > 0 or record.waiting_for_finalize_at is not None


def found_view_of(record: ExecutionRecord) -> FoundTaskExecution:
    """Build the view of a row in a list."""
    return FoundTaskExecution(
        task_id=record.task_id,
        execution_id=record.execution_id,
        status=record.status,
        root=_root(record),
        parent=_parent(record),
        idempotency_key=record.idempotency_key,
        tags=dict(record.tags),
        sleeping_task_unique_id=record.sleeping_task_unique_id,
        executor_id=record.executor_id,
        attempt=record.attempt,
        children_count=record.children_count,
        active_children_count=record.active_children_count,
        error=record.error,
        start_at=instant(record.start_at),
        created_at=instant(record.created_at),
        updated_at=instant(record.updated_at),
        started_at=instant_or_none(record.started_at),
        expires_at=instant_or_none(record.expires_at),
        finished_at=instant_or_none(record.finished_at),
    )


def _root(record: ExecutionRecord) -> TaskExecutionSummary | None:
    if record.root_task_id is None or record.root_execution_id is None:
        return None
    return TaskExecutionSummary(record.root_task_id, record.root_execution_id)


def _parent(record: ExecutionRecord) -> ParentTaskExecutionSummary | None:
    if record.parent_task_id is None or record.parent_execution_id is None:
        return None
    return ParentTaskExecutionSummary(
        record.parent_task_id,
        record.parent_execution_id,
        record.index_in_parent,
        record.is_only_child,
        record.is_finalize,
    )


def _base(record: ExecutionRecord, task: TaskDeclaration[Any, Any], past: Past) -> _Base:
    return _Base(
        task_id=record.task_id,
        execution_id=record.execution_id,
        root=_root(record),
        parent=_parent(record),
        sleeping_task_unique_id=record.sleeping_task_unique_id,
        retry=record.retry.to_options(),
        sleep_before_run=record.sleep_before_run_ms / 1000,
        timeout=record.timeout_ms / 1000,
        are_children_sequential=record.are_children_sequential,
        # The input of a finalize task is composed when it runs, and kept nowhere.
        input=None if record.is_finalize else task.load_input(record.input),
        attempt=record.attempt,
        start_at=instant(record.start_at),
        created_at=instant(record.created_at),
        updated_at=instant(record.updated_at),
        idempotency_key=record.idempotency_key,
        tags=dict(record.tags),
        past_attempts=tuple(map(_past_attempt, past.attempts)) if past.count else (),
        past_attempts_count=past.count,
    )


def _past_attempt(attempt: Attempt) -> PastAttempt:
    return PastAttempt(
        attempt=attempt.attempt,
        outcome=attempt.outcome or "failed",
        started_at=instant(attempt.started_at),
        ended_at=instant(attempt.ended_at),
        executor_id=attempt.executor_id,
        error=attempt.error,
    )


def _started(record: ExecutionRecord) -> _Started:
    return _Started(started_at=instant(record.started_at), expires_at=instant(record.expires_at))


def _finished(record: ExecutionRecord, children: Sequence[ExecutionRecord]) -> _Finished:
    return _Finished(
        finished_at=instant(record.finished_at),
        started_at=instant_or_none(record.started_at),
        expires_at=instant_or_none(record.expires_at),
        waiting_for_children_started_at=instant_or_none(record.waiting_for_children_at),
        waiting_for_finalize_started_at=instant_or_none(record.waiting_for_finalize_at),
        children=_summaries(children),
        active_children_count=record.active_children_count,
        finalize=_finalize_among(children),
    )


def _summaries(children: Sequence[ExecutionRecord]) -> tuple[TaskExecutionSummary, ...]:
    return tuple(
        TaskExecutionSummary(child.task_id, child.execution_id)
        for child in children
        if not child.is_finalize
    )


def _finalize_among(children: Sequence[ExecutionRecord]) -> TaskExecutionSummary | None:
    # The last of them: after a retry there may be more than one.
    for child in reversed(children):
        if child.is_finalize:
            return TaskExecutionSummary(child.task_id, child.execution_id)
    return None


def instant(milliseconds: int | None) -> datetime:
    """Exact: a float of seconds would lose the last digit."""
    return _EPOCH + timedelta(milliseconds=milliseconds or 0)


def instant_or_none(milliseconds: int | None) -> datetime | None:
    """Return the instant, if there is one."""
    return None if milliseconds is None else instant(milliseconds)
