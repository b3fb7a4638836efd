"""One task of an executor server, for code without an event loop."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Generic, Literal, TypeVar, cast, overload

from durable_execution._codec import UNDEFINED
from durable_execution._core.retry import RetryOptions
from durable_execution._core.views import FinishedTaskExecution, TaskExecution
from durable_execution.orpc import SyncLink
from durable_execution.remote.polling import DEFAULT_INTERVAL
from durable_execution.remote.task_handle import TaskClientHandle

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
    ) -> str: ...
    @overload
    def enqueue(
        self,
        input: InputT,
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
    ) -> str: ...
    def enqueue(self, input: Any = UNDEFINED, **options: Any) -> str:
        """See `TaskClientHandle.enqueue`."""
        return cast("str", self._link.run(lambda: self._handle.enqueue(input, **options)))

    def get_execution(self, execution_id: str) -> TaskExecution[OutputT]:
        """See `TaskClientHandle.get_execution`."""
        execution = self._link.run(lambda: self._handle.get_execution(execution_id))
        return cast("TaskExecution[OutputT]", execution)

    def wait_and_get_finished_execution(
        self,
        execution_id: str,
        *,
        timeout: float | timedelta | None = None,
        polling_interval: float | timedelta = DEFAULT_INTERVAL,
    ) -> FinishedTaskExecution[OutputT]:
        """See `TaskClientHandle.wait_and_get_finished_execution`."""
        execution = self._link.run(
            lambda: self._handle.wait_and_get_finished_execution(
                execution_id, timeout=timeout, polling_interval=polling_interval
            )
        )
        return cast("FinishedTaskExecution[OutputT]", execution)

    def result(self, execution_id: str, *, timeout: float | timedelta | None = None) -> OutputT:
        """See `TaskClientHandle.result`."""
        output = self._link.run(lambda: self._handle.result(execution_id, timeout=timeout))
        return cast("OutputT", output)

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
        execution = self._link.run(lambda: self._handle.wakeup(sleeping_task_unique_id, **ending))
        return cast("FinishedTaskExecution[OutputT]", execution)

    def __repr__(self) -> str:
        return f"Sync{self._handle!r}"
