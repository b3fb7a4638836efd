"""Executions as they are stored, for a server, which passes payloads on undecoded."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from durable_execution._core.limits import wait_seconds
from durable_execution._core.past import NO_PAST, Past, may_have_past
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.task import Task
from durable_execution._core.watching import position_of
from durable_execution._engine.changes import Changes
from durable_execution._engine.engine import Engine
from durable_execution._engine.handle import children_shown, finish_anywhere
from durable_execution._engine.interventions import retried
from durable_execution._engine.trees import Bounds, Grown, tree_below
from durable_execution._engine.viewing import has_children
from durable_execution.errors import DurableExecutionNotFoundError


class StoredTaskExecution(NamedTuple):
    """One execution as it is stored, with the children that its view names, without payloads."""

    record: ExecutionRecord
    children: Sequence[ExecutionRecord]
    past: Past


class StoredStatusChange(NamedTuple):
    """The rows of an execution as they have become; watching `after` this id goes on from here."""

    id: str
    execution: StoredTaskExecution


class StoredExecutions(ABC):
    """The part of an executor that hands out rows."""

    async def get_stored_task_execution(
        self, task: Task[Any, Any], execution_id: str
    ) -> StoredTaskExecution:
        """Return the rows behind an execution: for a server, which passes payloads on undecoded.

        Raises:
            DurableExecutionNotFoundError: The task is not registered here, or it has no such
                execution.
            ExecutorShutDownError: The executor is not running.
            StorageError: The storage cannot be reached.
        """
        engine = self._running_engine()
        self._check_known(task)
        if engine.running.is_settling(execution_id):
            # What is about to be true is the better answer: who polls need not ask again.
            await engine.running.settled(execution_id)
        # No coroutine more than it needs: most is found at once, and has no children.
        record = _of_task(task, execution_id, await engine.commits.get(execution_id))
        if has_children(record) or may_have_past(record):
            return await _stored(engine, record)
        return StoredTaskExecution(record, (), NO_PAST)

    async def find_stored_task_execution(self, execution_id: str) -> ExecutionRecord:
        """Return the row of an execution, of whichever task, known here or not.

        Raises:
            DurableExecutionNotFoundError: There is none.
            ExecutorShutDownError: The executor is not running.
            StorageError: The storage cannot be reached.
        """
        record = await self._running_engine().commits.get(execution_id)
        if record is None:
            raise _not_found(execution_id)
        return record

    async def retry_stored_task_execution(self, record: ExecutionRecord) -> StoredTaskExecution:
        """Run the execution of a row again, as `retry_task_execution` does; return its rows.

        Raises:
            InvalidInputError: As `retry_task_execution`.
            DurableExecutionNotFoundError: It was deleted meanwhile.
            ExecutorShutDownError: The executor is not running.
            StorageError: The storage cannot be reached.
        """
        engine = self._running_engine()
        return await _stored(engine, await retried(engine, record))

    async def read_stored_tree(self, top: ExecutionRecord, bounds: Bounds) -> list[Grown]:
        """Return a row with those below it, as `tree_below` does.

        Raises:
            ExecutorShutDownError: The executor is not running.
            StorageError: The storage cannot be reached.
        """
        return await tree_below(self._running_engine().storage, top, bounds)

    async def wait_stored_task_execution(
        self, task: Task[Any, Any], execution_id: str, *, timeout: float | timedelta
    ) -> StoredTaskExecution:
        """Return the rows behind an execution once it has finished, or as they are at the timeout.

        For a server, which holds a request open for so long. All who wait share one read.

        Raises:
            DurableExecutionNotFoundError: The task is not registered here, it has no such
                execution, or that was deleted meanwhile.
            ExecutorShutDownError: The executor is not running, or shut down meanwhile.
            StorageError: The storage cannot be reached.
        """
        engine = self._running_engine()
        record = await self._record_of(engine, task, execution_id)
        if not record.is_finished:
            try:
                async with asyncio.timeout(wait_seconds(timeout)):
                    record = await finish_anywhere(engine, execution_id)
            except TimeoutError:
                record = await self._record_of(engine, task, execution_id)
        return await _stored(engine, record)

    async def watch_stored_task_execution(
        self, task: Task[Any, Any], execution_id: str, *, after: str | None = None
    ) -> Changes[StoredStatusChange]:
        """Watch an execution as `TaskExecutionHandle.watch` does, with the rows behind it.

        For a server, which passes payloads on undecoded. Yields `StoredStatusChange`s, the finished
        rows last, and `ProgressChange`s. With the id of the last change nothing follows: then
        `get_stored_task_execution` has the finished rows.

        Raises:
            InvalidOptionError: `after` is not the id of a change.
            DurableExecutionNotFoundError: The task is not registered here, or it has no such
                execution; while iterating: it was deleted.
            ExecutorShutDownError: The executor is not running; while iterating: it shut down.
            StorageError: The storage cannot be reached. While iterating, it is waited for.
        """
        engine = self._running_engine()
        at = position_of(after)
        record = await self._record_of(engine, task, execution_id)

        async def of_status(change_id: str, record: ExecutionRecord) -> StoredStatusChange:
            return StoredStatusChange(change_id, await _stored(engine, record))

        return Changes(engine.watches.watch(execution_id, record), at, of_status)

    async def _record_of(
        self, engine: Engine, task: Task[Any, Any], execution_id: str
    ) -> ExecutionRecord:
        self._check_known(task)
        return _of_task(task, execution_id, await engine.commits.get(execution_id))

    @abstractmethod
    def _running_engine(self) -> Engine:
        """Return the engine, or raise ExecutorShutDownError."""

    @abstractmethod
    def _check_known(self, task: Task[Any, Any]) -> None:
        """Raise DurableExecutionNotFoundError unless the task is registered."""


def _of_task(
    task: Task[Any, Any], execution_id: str, record: ExecutionRecord | None
) -> ExecutionRecord:
    """Return what was found, or raise DurableExecutionNotFoundError."""
    if record is None:
        raise _not_found(execution_id)
    if record.task_id != task.id:
        raise DurableExecutionNotFoundError(
            f"Task execution belongs to another task [providedTaskId={task.id}] "
            f"[taskId={record.task_id}] [executionId={execution_id}]"
        )
    return record


def _not_found(execution_id: str) -> DurableExecutionNotFoundError:
    return DurableExecutionNotFoundError(f"Task execution not found [executionId={execution_id}]")


async def _stored(engine: Engine, record: ExecutionRecord) -> StoredTaskExecution:
    children = await children_shown(engine, record)
    return StoredTaskExecution(record, children, await engine.commits.past_of(record))
