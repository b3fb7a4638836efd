"""One task of an executor server, for code without an event loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Generic, Literal, TypeVar, cast, overload

from durable_execution._codec import UNDEFINED
from durable_execution._core.changes import TaskExecutionChange
from durable_execution._core.found import SearchOrder, TaskExecutionPage
from durable_execution._core.retry import RetryOptions
from durable_execution._core.status import Status
from durable_execution._core.views import FinishedTaskExecution, TaskExecution
from durable_execution.orpc import EventStream, SyncEventStream, SyncLink
from durable_execution.remote.calls.enqueue import MAX_TASKS
from durable_execution.remote.calls.listing import DEFAULT_LIMIT
from durable_execution.remote.polling import DEFAULT_INTERVAL
from durable_execution.remote.task_handle import DEFAULT_WAIT, Ids, TaskClientHandle

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


class SyncTaskClientHandle(Generic[InputT, OutputT]):
    """A `TaskClientHandle` whose methods block; they do and raise what those of that one do."""

    def __init__(self, link: SyncLink, handle: TaskClientHandle[InputT, OutputT]) -> None:
        self._link = link
        self._handle: TaskClientHandle[Any, OutputT] = handle

    @property
    def task_key(self) -> str:
        """What the server calls the task."""
        return self._handle.task_key

    @overload
    def enqueue(
        self: SyncTaskClientHandle[None, OutputT],
        input: None = None,
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
        key: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str: ...
    @overload
    def enqueue(
        self,
        input: InputT,
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
        key: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str: ...
    def enqueue(self, input: Any = UNDEFINED, **options: Any) -> str:
        """See `TaskClientHandle.enqueue`."""
        return cast("str", self._link.complete(lambda: self._handle.enqueue(input, **options)))

    def enqueue_many(
        self,
        inputs: Iterable[InputT],
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
        keys: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Ids:
        """See `TaskClientHandle.enqueue_many`."""
        each = [*islice(inputs, MAX_TASKS + 1)]  # a generator runs in the caller's thread
        ids = self._link.complete(
            lambda: self._handle.enqueue_many(
                each,
                timeout=timeout,
                retry=retry,
                sleep_before_run=sleep_before_run,
                keys=keys,
                tags=tags,
            )
        )
        return cast("Ids", ids)

    def get_execution(self, execution_id: str) -> TaskExecution[OutputT]:
        """See `TaskClientHandle.get_execution`."""
        execution = self._link.complete(lambda: self._handle.get_execution(execution_id))
        return cast("TaskExecution[OutputT]", execution)

    def wait(
        self, execution_id: str, *, timeout: float | timedelta = DEFAULT_WAIT
    ) -> TaskExecution[OutputT]:
        """See `TaskClientHandle.wait`."""
        execution = self._link.complete(lambda: self._handle.wait(execution_id, timeout=timeout))
        return cast("TaskExecution[OutputT]", execution)

    def wait_and_get_finished_execution(
        self,
        execution_id: str,
        *,
        timeout: float | timedelta | None = None,
        polling_interval: float | timedelta = DEFAULT_INTERVAL,
    ) -> FinishedTaskExecution[OutputT]:
        """See `TaskClientHandle.wait_and_get_finished_execution`."""
        execution = self._link.complete(
            lambda: self._handle.wait_and_get_finished_execution(
                execution_id, timeout=timeout, polling_interval=polling_interval
            )
        )
        return cast("FinishedTaskExecution[OutputT]", execution)

    def result(self, execution_id: str, *, timeout: float | timedelta | None = None) -> OutputT:
        """See `TaskClientHandle.result`."""
        output = self._link.complete(lambda: self._handle.result(execution_id, timeout=timeout))
        return cast("OutputT", output)

    def watch(
        self, execution_id: str, *, after: str | None = None
    ) -> SyncEventStream[TaskExecutionChange[OutputT]]:
        """See `TaskClientHandle.watch`; a plain `with` and `for`."""

        async def watch() -> EventStream[TaskExecutionChange[OutputT]]:
            return self._handle.watch(execution_id, after=after)

        changes = self._link.complete(watch)
        return cast("SyncEventStream[TaskExecutionChange[OutputT]]", changes)

    def cancel(self, execution_id: str) -> FinishedTaskExecution[OutputT]:
        """See `TaskClientHandle.cancel`."""
        execution = self._link.complete(lambda: self._handle.cancel(execution_id))
        return cast("FinishedTaskExecution[OutputT]", execution)

    def retry(self, execution_id: str) -> TaskExecution[OutputT]:
        """See `TaskClientHandle.retry`."""
        execution = self._link.complete(lambda: self._handle.retry(execution_id))
        return cast("TaskExecution[OutputT]", execution)

    def list(
        self,
        *,
        statuses: Iterable[Status] | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        finished_from: datetime | None = None,
        finished_before: datetime | None = None,
        parent_execution_id: str | None = None,
        root_execution_id: str | None = None,
        is_root: bool | None = None,
        tags: Mapping[str, str] | None = None,
        id_prefix: str | None = None,
        order: SearchOrder = "newest_first",
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> TaskExecutionPage:
        """See `TaskClientHandle.list`."""
        page = self._link.complete(
            lambda: self._handle.list(
                statuses=statuses,
                created_from=created_from,
                created_before=created_before,
                finished_from=finished_from,
                finished_before=finished_before,
                parent_execution_id=parent_execution_id,
                root_execution_id=root_execution_id,
                is_root=is_root,
                tags=tags,
                id_prefix=id_prefix,
                order=order,
                cursor=cursor,
                limit=limit,
            )
        )
        return cast("TaskExecutionPage", page)

    @overload
    def wakeup(
        self,
        sleeping_task_unique_id: str,
        *,
        status: Literal["completed"] = "completed",
        output: OutputT,
    ) -> FinishedTaskExecution[OutputT]: ...
    @overload
    def wakeup(
        self, sleeping_task_unique_id: str, *, status: Literal["failed"], error: str
    ) -> FinishedTaskExecution[OutputT]: ...
    def wakeup(self, sleeping_task_unique_id: str, **ending: Any) -> FinishedTaskExecution[OutputT]:
        """See `TaskClientHandle.wakeup`."""
        execution = self._link.complete(
            lambda: self._handle.wakeup(sleeping_task_unique_id, **ending)
        )
        return cast("FinishedTaskExecution[OutputT]", execution)

    def __repr__(self) -> str:
        return f"Sync{self._handle!r}"
