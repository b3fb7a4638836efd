"""Attempts that another program carries on: what that program answers, and how long it may take.

A turn is what proves that the program's attempt is the one under way: the execution and the fence
of its claim. It holds whether the executor has let go of the row already or not, so that an answer
that overtakes the program's own "accepted" counts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from durable_execution._core import decisions, transitions
from durable_execution._core.decisions import Raised, Returned
from durable_execution._core.patch import patched
from durable_execution._core.progress import check_progress
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.status import Status
from durable_execution._core.task import CallbackPlan, Task
from durable_execution._engine.engine import Engine
from durable_execution._engine.inputs import encode_output
from durable_execution.errors import (
    AttemptOverError,
    DurableExecutionNotFoundError,
    InvalidInputError,
    to_stored_error,
)


class Turn(NamedTuple):
    """The attempt that a program was handed."""

    execution_id: str
    fence: int


class Outside(ABC):
    """The part of an executor that hears from programs it has handed attempts over to.

    For a server, which has checked that the turn is the caller's. Every method raises:
        InvalidInputError: The task is not a callback task.
        DurableExecutionNotFoundError: The task is not registered here, or it has no such execution.
        AttemptOverError: The turn is over: the execution has ended, or another attempt follows.
        ExecutorShutDownError: The executor is not running.
        StorageError: The storage cannot be reached.
    """

    async def complete_attempt(self, task: Task[Any, Any], turn: Turn, output: object) -> Status:
        """Complete an execution from outside; return its status.

        Whoever says again what counted before gets the same answer.

        Raises:
            InvalidInputError: The output does not fit the task's type, or is too large. The attempt
                goes on.
        """
        engine, _ = self._checked(task)
        limit = engine.options.max_serialized_output_size
        outcome = Returned(encode_output(task, output, max_size=limit))
        return await _conclude(engine, task, turn, outcome)

    async def fail_attempt(self, task: Task[Any, Any], turn: Turn, error: BaseException) -> Status:
        """End an attempt with an error; return the status: `ready` where another one follows.

        Whoever says again what counted before gets the same answer, until the next attempt begins.
        """
        engine, _ = self._checked(task)
        return await _conclude(engine, task, turn, Raised(to_stored_error(error)))

    async def extend_attempt(
        self,
        task: Task[Any, Any],
        turn: Turn,
        *,
        fraction: float | None = None,
        message: str | None = None,
    ) -> int:
        """Begin the lease of an attempt anew; return its end, in milliseconds since the epoch.

        It ends with the time of the attempt at the latest. With a fraction it is the progress of
        the attempt, too, as `TaskContext.progress` would report it.

        Raises:
            InvalidOptionError: The fraction is not from 0 to 1, or the message is too long.
        """
        engine, plan = self._checked(task)
        if fraction is not None:
            check_progress(fraction, message)
        record, expires_at = await _extend(engine, task, turn, plan.lease_ms)
        if fraction is not None:
            await engine.reports.report(record, fraction, message)
        return expires_at

    def _checked(self, task: Task[Any, Any]) -> tuple[Engine, CallbackPlan]:
        engine = self._running_engine()
        self._check_known(task)
        if not isinstance(task.plan, CallbackPlan):
            raise InvalidInputError(f"Task is not a callback task [taskId={task.id}]")
        return engine, task.plan

    @abstractmethod
    def _running_engine(self) -> Engine:
        """Return the engine, or raise ExecutorShutDownError."""

    @abstractmethod
    def _check_known(self, task: Task[Any, Any]) -> None:
        """Raise DurableExecutionNotFoundError unless the task is registered."""


async def _conclude(
    engine: Engine, task: Task[Any, Any], turn: Turn, outcome: Returned | Raised
) -> Status:
    while True:
        record = await _record(engine, task, turn)
        if not _is_under_way(record, turn):
            if _ended_so(record, turn, outcome):
                return record.status
            raise _over(record)
        transition = decisions.conclude(record, outcome, now=_now(engine, record))
        if await engine.commits.apply(record, transition):
            return patched(record, transition.patch).status


async def _extend(
    engine: Engine, task: Task[Any, Any], turn: Turn, lease_ms: int
) -> tuple[ExecutionRecord, int]:
    while True:
        record = await _record(engine, task, turn)
        now = _now(engine, record)
        ends_at = record.attempt_ends_at or 0
        if not _is_under_way(record, turn):
            raise _over(record)
        if ends_at <= now:
            raise AttemptOverError(
                f"Time of the attempt is over [executionId={record.execution_id}]"
            )
        if not record.is_parked:
            # Its executor holds it still. The lease begins when that lets go, which is later.
            return record, min(now + lease_ms, ends_at)
        transition = transitions.extend(record, lease_ms=lease_ms, now=now)
        if await engine.commits.apply(record, transition):
            return record, patched(record, transition.patch).expires_at or ends_at


async def _record(engine: Engine, task: Task[Any, Any], turn: Turn) -> ExecutionRecord:
    record = await engine.commits.get(turn.execution_id)
    if record is None or record.task_id != task.id:
        raise DurableExecutionNotFoundError(
            f"Task execution not found [executionId={turn.execution_id}]"
        )
    return record


def _is_under_way(record: ExecutionRecord, turn: Turn) -> bool:
    return record.status == "running" and record.fence == turn.fence


def _ended_so(record: ExecutionRecord, turn: Turn, outcome: Returned | Raised) -> bool:
    """Whether it is this very answer that ended the attempt."""
    if record.fence != turn.fence:
        return False
    if isinstance(outcome, Returned):
        return record.status == "completed" and record.output == outcome.output
    return record.error == outcome.error


def _over(record: ExecutionRecord) -> AttemptOverError:
    what = (
        f"Execution has ended as {record.status}"
        if record.is_finished
        else "Attempt is over, and another one follows"
    )
    return AttemptOverError(f"{what} [executionId={record.execution_id}]")


def _now(engine: Engine, record: ExecutionRecord) -> int:
    """Not before the claim: that has the storage's clock, which ours follows at a distance."""
    return max(engine.clock.now(), record.updated_at)
