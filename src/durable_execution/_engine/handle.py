"""A handle on one execution: look, wait, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Generic, TypeVar

from durable_execution._core.changes import StatusChange, TaskProgress
from durable_execution._core.limits import wait_seconds
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.task import TaskDeclaration
from durable_execution._core.views import FinishedTaskExecution, TaskExecution
from durable_execution._core.watching import position_of
from durable_execution._engine.changes import Changes, progress_view_of
from durable_execution._engine.compose import NOTHING
from durable_execution._engine.engine import Engine
from durable_execution._engine.interventions import cancelled
from durable_execution._engine.services.finishes import Ended
from durable_execution._engine.viewing import (
    UNKNOWN_ERROR,
    finished_view_of,
    has_children,
    view_of,
)
from durable_execution.errors import DurableExecutionNotFoundError

OutputT = TypeVar("OutputT")


class TaskExecutionHandle(Generic[OutputT]):
    """One execution of a task whose output is of type `OutputT`. Made by the executor."""

    def __init__(
        self,
        engine: Engine,
        task: TaskDeclaration[Any, OutputT],
        execution_id: str,
        *,
        is_new: bool = False,
    ) -> None:
        self._engine = engine
        self._task = task
        self.execution_id = execution_id
        # Keeps the finish in mind from now on, so that waiting for it later costs no read.
        self._watch = engine.finishes.watch(execution_id, is_new=is_new)

    @property
    def task_id(self) -> str:
        """The id of the task."""
        return self._task.id

    async def get_execution(self) -> TaskExecution[OutputT]:
        """Return the execution as it is now.

        Raises:
            DurableExecutionNotFoundError: It does not exist any more.
            InvalidInputError: What is stored does not fit the task's types as they are now.
            StorageError: The storage cannot be reached.
        """
        return await self._view_of(await self._record())

    async def wait_and_get_finished_execution(
        self, *, timeout: float | timedelta | None = None
    ) -> FinishedTaskExecution[OutputT]:
        """Wait until the execution has finished, well or not, and return it.

        Args:
            timeout: Seconds or timedelta to wait at most; the execution itself goes on.

        Raises:
            TimeoutError: It had not finished in time.
            InvalidOptionError: The timeout is no duration.
            DurableExecutionNotFoundError: It does not exist, or was deleted meanwhile.
            ExecutorShutDownError: The executor shut down meanwhile.
            InvalidInputError: What is stored does not fit the task's types as they are now.
        """
        limit = None if timeout is None else wait_seconds(timeout)
        ended = self._engine.finishes.end_of(self._watch) or await self._end_within(limit)
        record = ended.row
        children = await children_shown(self._engine, record)
        past = await self._engine.commits.past_of(record)
        return finished_view_of(record, self._task, children, past)

    async def result(self, *, timeout: float | timedelta | None = None) -> OutputT:
        """Wait until the execution has finished and return its output, or raise its error.

        Raises:
            DurableExecutionError: It did not complete: `DurableExecutionTimedOutError` if it timed
                out, `DurableExecutionCancelledError` if it was cancelled, and
                `DurableExecutionNotFoundError` if it was deleted meanwhile.
            TimeoutError: It had not finished within `timeout`; the execution itself goes on.
            InvalidOptionError: The timeout is no duration.
            ExecutorShutDownError: The executor shut down meanwhile.
        """
        limit = None if timeout is None else wait_seconds(timeout)
        ended = self._engine.finishes.end_of(self._watch) or await self._end_within(limit)
        how = ended.how
        if how.status == "completed":
            return self._task.load_output(how.output or NOTHING)
        raise (how.error or UNKNOWN_ERROR).to_exception()

    def watch(self, *, after: str | None = None) -> Changes[StatusChange[OutputT]]:
        """Tell how the execution changes, from what it is now to its finish.

            async for change in handle.watch():
                if change.type == "progress":
                    show(change.progress.fraction)

        Yields a `StatusChange` with the execution as it is, then one for each of its moves, and a
        `ProgressChange` for what its task says with `ctx.progress`; the finished execution comes
        last. No history is kept: what came and went between two looks is folded into the newest
        state. That is never left out, nor told twice. Whoever reads slowly gets the newest, too.

        What happens in this process is told at once, and so is every finish that the storage
        reports; other moves and progress elsewhere are looked for twice a second, all that is
        watched together. While the storage is away nothing is told.

        Args:
            after: The `id` of a change: go on from there, here or in another process. After that
                of a finished execution nothing follows.

        Raises:
            InvalidOptionError: `after` is not the id of a change.
            DurableExecutionNotFoundError: While iterating: it does not exist, or was deleted.
            ExecutorShutDownError: While iterating: the executor shut down.
            InvalidInputError: While iterating: what is stored does not fit the task's types.
        """

        async def of_status(change_id: str, record: ExecutionRecord) -> StatusChange[OutputT]:
            return StatusChange(id=change_id, execution=await self._view_of(record))

        at = position_of(after)
        return Changes(self._engine.watches.watch(self.execution_id), at, of_status)

    async def get_progress(self) -> TaskProgress | None:
        """Return what the task said last of its progress, None if it said nothing.

        Raises:
            DurableExecutionNotFoundError: It does not exist any more.
            StorageError: The storage cannot be reached.
        """
        (glance,) = await self._engine.commits.ask(
            lambda storage: storage.glance([self.execution_id])
        )
        if glance is None:
            raise DurableExecutionNotFoundError(
                f"Task execution not found [executionId={self.execution_id}]"
            )
        return None if glance.progress is None else progress_view_of(glance.progress)

    async def cancel(self) -> None:
        """Cancel the execution and all unfinished executions below it; nothing if it has finished.

        An attempt that runs on this executor is stopped at once, one on another executor with that
        one's next beat, within a quarter of its lease. Plain functions cannot be stopped: they see
        `ctx.cancel_signal`, and whatever they still return is dropped.

        Raises:
            DurableExecutionNotFoundError: It does not exist.
        """
        await cancelled(self._engine, await self._record())

    async def _within(self, timeout: float, end: Coroutine[Any, Any, Ended]) -> Ended:
        try:
            async with asyncio.timeout(timeout):
                return await end
        except TimeoutError as error:
            raise TimeoutError(
                f"Task execution has not finished in time [executionId={self.execution_id}]"
            ) from error

    def _end_within(self, limit: float | None) -> Coroutine[Any, Any, Ended]:
        finishes = self._engine.finishes
        if finishes.may_have_finished_elsewhere(self._watch):
            end = _end_anywhere(self._engine, self.execution_id)
        else:
            end = finishes.wait_for(self.execution_id)
        # A timeout that never comes costs, too.
        return end if limit is None else self._within(limit, end)

    async def _view_of(self, record: ExecutionRecord) -> TaskExecution[OutputT]:
        children = await children_shown(self._engine, record)
        return view_of(record, self._task, children, await self._engine.commits.past_of(record))

    async def _record(self) -> ExecutionRecord:
        return await _record_of(self._engine, self.execution_id)

    def __repr__(self) -> str:
        return f"TaskExecutionHandle({self.task_id!r}, {self.execution_id!r})"


async def finish_anywhere(engine: Engine, execution_id: str) -> ExecutionRecord:
    """Wait until an execution has finished, in whichever process, and return its row.

    Raises:
        DurableExecutionNotFoundError: It does not exist, or was deleted meanwhile.
        ExecutorShutDownError: The executor shut down meanwhile.
    """
    return (await _end_anywhere(engine, execution_id)).row


async def _end_anywhere(engine: Engine, execution_id: str) -> Ended:
    # The waiting place comes before the look, so that no finish falls between them.
    waiting = asyncio.ensure_future(engine.finishes.wait_for(execution_id))
    try:
        record = await _record_of(engine, execution_id)
        return Ended(record) if record.is_finished else await waiting
    finally:
        waiting.cancel()


async def _record_of(engine: Engine, execution_id: str) -> ExecutionRecord:
    record = await engine.commits.get(execution_id)
    if record is None:
        raise DurableExecutionNotFoundError(
            f"Task execution not found [executionId={execution_id}]"
        )
    return record


async def children_shown(engine: Engine, record: ExecutionRecord) -> list[ExecutionRecord]:
    """Return the children that the view of a row names, without payloads."""
    if not has_children(record):
        return []
    return await engine.commits.summaries_of(record.execution_id)
