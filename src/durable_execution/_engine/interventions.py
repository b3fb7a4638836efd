"""What who runs the system does to executions from outside: retry what failed, cancel what runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from durable_execution._core import transitions
from durable_execution._core.found import FoundTaskExecution
from durable_execution._core.patch import patched
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.reopening import MAX_REOPENED, Refusal
from durable_execution._core.task import TaskDeclaration
from durable_execution._engine.engine import Engine
from durable_execution._engine.viewing import found_view_of
from durable_execution.errors import (
    DurableExecutionCancelledError,
    DurableExecutionNotFoundError,
    InvalidInputError,
    to_stored_error,
)


class Interventions(ABC):
    """The part of an executor that changes single executions, whether it knows their tasks or not.

    Tasks are named by themselves or by their ids; the execution must be one of that task.
    """

    async def retry_task_execution(
        self, task: TaskDeclaration[Any, Any] | str, execution_id: str
    ) -> FoundTaskExecution:
        """Run an execution again that has failed, timed out or been cancelled, under its old id.

        All its retries are there again. Of a tree only what failed is run again, and what has
        completed is kept: failed children are, and those that were cancelled; a parent waits for
        them and its finalize task sees their new results; a sequence or a loop goes on from the
        step or turn that failed. What failed below a parent that completed stays as it is. A
        sleeping execution sleeps again for its whole timeout.

        An execution that has not ended, or that has completed, is left as it is and returned. So
        of two callers at one moment one retries. All of it happens in one transaction.

        Returns:
            The execution as it is now.

        Raises:
            InvalidInputError: It is a child: retry its root, which the message names. Or its tree
                is being deleted, or more than 100,000 executions of it failed.
            DurableExecutionNotFoundError: The task has no such execution.
            ExecutorShutDownError: The executor is not running.
            StorageUnavailableError: The storage could not be reached, for about two seconds. It
                may have been retried nevertheless, if only the answer was lost.
        """
        engine = self._running_engine()
        record = await _record_of(engine, task, execution_id)
        return found_view_of(await retried(engine, record))

    async def cancel_task_execution(
        self, task: TaskDeclaration[Any, Any] | str, execution_id: str
    ) -> FoundTaskExecution:
        """Cancel an execution and all unfinished ones below it, as `TaskExecutionHandle.cancel`.

        Returns:
            The execution: cancelled, or as it had finished.

        Raises:
            DurableExecutionNotFoundError: The task has no such execution.
            ExecutorShutDownError: The executor is not running.
            StorageUnavailableError: The storage could not be reached, for about two seconds.
        """
        engine = self._running_engine()
        record = await _record_of(engine, task, execution_id)
        return found_view_of(await cancelled(engine, record))

    @abstractmethod
    def _running_engine(self) -> Engine:
        """Return the engine, or raise ExecutorShutDownError."""


async def cancelled(engine: Engine, record: ExecutionRecord) -> ExecutionRecord:
    """Cancel an execution unless it has finished; return it as it has.

    Raises:
        DurableExecutionNotFoundError: It was deleted meanwhile.
    """
    error = to_stored_error(DurableExecutionCancelledError())
    execution_id = record.execution_id
    while not record.is_finished:
        transition = transitions.cancel(record, error=error, now=engine.clock.now())
        if await engine.cancel(record, transition):
            return patched(record, transition.patch)
        found = await engine.commits.get(execution_id)
        if found is None:
            raise _not_found(execution_id)
        record = found
    return record


async def retried(engine: Engine, record: ExecutionRecord) -> ExecutionRecord:
    """Run an execution again that has failed; return it as it is now.

    Raises:
        InvalidInputError: It is a child, or its tree is cut or too large.
        DurableExecutionNotFoundError: It was deleted meanwhile.
    """
    execution_id = record.execution_id
    if record.parent_execution_id is not None:
        raise refusal_of(record, "child")
    now = engine.clock.now()
    reopened = await engine.commits.ask(lambda storage: storage.reopen(execution_id, now))
    if reopened.root is None:
        raise _not_found(execution_id)
    if reopened.refusal is not None:
        raise refusal_of(reopened.root, reopened.refusal)
    engine.reopened(reopened)
    return reopened.root


async def _record_of(
    engine: Engine, task: TaskDeclaration[Any, Any] | str, execution_id: str
) -> ExecutionRecord:
    task_id = task if isinstance(task, str) else task.id
    record = await engine.commits.get(execution_id)
    if record is None:
        raise _not_found(execution_id)
    if record.task_id != task_id:
        raise DurableExecutionNotFoundError(
            f"Task execution belongs to another task [providedTaskId={task_id}] "
            f"[taskId={record.task_id}] [executionId={execution_id}]"
        )
    return record


def _not_found(execution_id: str) -> DurableExecutionNotFoundError:
    return DurableExecutionNotFoundError(f"Task execution not found [executionId={execution_id}]")


def refusal_of(record: ExecutionRecord, refusal: Refusal) -> InvalidInputError:
    """Return the error that says why an execution is not retried."""
    reason = {
        "child": (
            f"it is a child of {record.parent_execution_id}; retry the root of its tree, "
            f"{record.root_execution_id}: what has completed is kept"
        ),
        "cut": "some of its children have been deleted, the rest is about to be",
        "too_large": f"more than {MAX_REOPENED} executions of its tree have failed",
    }[refusal]
    return InvalidInputError(f"Execution {record.execution_id} cannot be retried: {reason}")
