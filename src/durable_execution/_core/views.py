"""Executions as users see them: frozen dataclasses, told apart by `status`.

`if execution.status == "completed"` narrows to `CompletedTaskExecution`, whose `output` has the
task's type. Names and meaning are the reference's; instants are aware datetimes, durations seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, TypeAlias, TypeVar

from durable_execution._core.context import ParentTaskExecutionSummary, TaskExecutionSummary
from durable_execution._core.past import AttemptOutcome
from durable_execution._core.retry import RetryOptions
from durable_execution.errors import StoredError

OutputT = TypeVar("OutputT")


@dataclass(frozen=True, kw_only=True, slots=True)
class PastAttempt:
    """An attempt that has ended, after which another one followed."""

    attempt: int
    """As `ctx.attempt` was: after a crash or a hand-back the next attempt has the same number."""
    outcome: AttemptOutcome
    """`failed`, `timed_out` or `cancelled`; `crashed` if its executor died or lost its lease;
    `handed_back` if its executor shut down meanwhile, or had no thread for it after all."""
    started_at: datetime
    ended_at: datetime
    """When its end was noticed."""
    executor_id: str | None = None
    """None where it slept, or went on in another program."""
    error: StoredError | None = None
    """Cut, if it is long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Execution:
    """What every execution shows."""

    task_id: str
    execution_id: str
    root: TaskExecutionSummary | None = None
    parent: ParentTaskExecutionSummary | None = None
    sleeping_task_unique_id: str | None = None
    retry: RetryOptions
    sleep_before_run: float
    timeout: float
    are_children_sequential: bool
    input: object
    attempt: int
    start_at: datetime
    created_at: datetime
    updated_at: datetime
    idempotency_key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    past_attempts: tuple[PastAttempt, ...] = ()
    """The attempts before the last one, the oldest first: twenty of them at most."""
    past_attempts_count: int = 0
    """How many there were."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Started(_Execution):
    started_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadyTaskExecution(_Execution):
    """Will run when `start_at` has come; `error` is that of the attempt before."""

    status: Literal["ready"] = "ready"
    error: StoredError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningTaskExecution(_Started):
    """Runs on `executor_id`, or sleeps (then there is none) until a wake-up or `expires_at`."""

    status: Literal["running"] = "running"
    executor_id: str | None = None
    error: StoredError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingForChildrenTaskExecution(_Started):
    """Its run has returned; `active_children_count` of its children have not ended."""

    status: Literal["waiting_for_children"] = "waiting_for_children"
    waiting_for_children_started_at: datetime
    children: tuple[TaskExecutionSummary, ...]
    active_children_count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingForFinalizeTaskExecution(_Started):
    """All its children have ended; its finalize task has not."""

    status: Literal["waiting_for_finalize"] = "waiting_for_finalize"
    waiting_for_children_started_at: datetime
    waiting_for_finalize_started_at: datetime
    children: tuple[TaskExecutionSummary, ...]
    active_children_count: int
    finalize: TaskExecutionSummary


@dataclass(frozen=True, kw_only=True, slots=True)
class _Finished(_Execution):
    """What executions show that will never change again. Children only if the run spawned some."""

    finished_at: datetime
    started_at: datetime | None = None
    expires_at: datetime | None = None
    waiting_for_children_started_at: datetime | None = None
    waiting_for_finalize_started_at: datetime | None = None
    children: tuple[TaskExecutionSummary, ...] = ()
    active_children_count: int = 0
    finalize: TaskExecutionSummary | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CompletedTaskExecution(_Finished, Generic[OutputT]):
    """Ended well, with its output."""

    status: Literal["completed"] = "completed"
    output: OutputT


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedTaskExecution(_Finished):
    """Its last attempt raised, or its executors kept crashing."""

    status: Literal["failed"] = "failed"
    error: StoredError


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedOutTaskExecution(_Finished):
    """Its last attempt ran into its timeout, or nobody woke it."""

    status: Literal["timed_out"] = "timed_out"
    error: StoredError


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalizeFailedTaskExecution(_Finished):
    """Its finalize task, a step of its sequence or a turn of its loop failed."""

    status: Literal["finalize_failed"] = "finalize_failed"
    error: StoredError


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelledTaskExecution(_Finished):
    """Somebody cancelled it, or one of its ancestors."""

    status: Literal["cancelled"] = "cancelled"
    error: StoredError
    executor_id: str | None = None


FinishedTaskExecution: TypeAlias = (
    CompletedTaskExecution[OutputT]
    | FailedTaskExecution
    | TimedOutTaskExecution
    | FinalizeFailedTaskExecution
    | CancelledTaskExecution
)
TaskExecution: TypeAlias = (
    ReadyTaskExecution
    | RunningTaskExecution
    | WaitingForChildrenTaskExecution
    | WaitingForFinalizeTaskExecution
    | CompletedTaskExecution[OutputT]
    | FailedTaskExecution
    | TimedOutTaskExecution
    | FinalizeFailedTaskExecution
    | CancelledTaskExecution
)
