"""One task of an executor server, as a client sees it: enqueue, look, wait, wake up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Generic, Literal, TypeVar, overload

from durable_execution._codec import (
    UNDEFINED,
    Encoded,
    EncodeError,
    ValidationFailed,
    dumps,
)
from durable_execution._core.retry import RetryOptions
from durable_execution._core.task import TaskDeclaration
from durable_execution._core.views import FinishedTaskExecution, TaskExecution
from durable_execution.errors import DurableExecutionError, InvalidInputError
from durable_execution.orpc import ORPCClient, ORPCError, RPCClientError
from durable_execution.remote.calls.enqueue import EnqueueOptions, write_enqueue_task
from durable_execution.remote.calls.execution import write_execution_call
from durable_execution.remote.calls.names import (
    ENQUEUE_TASK,
    GET_TASK_EXECUTION,
    WAKEUP_SLEEPING_TASK_EXECUTION,
)
from durable_execution.remote.calls.wakeup import write_wakeup
from durable_execution.remote.error_map import task_error_of
from durable_execution.remote.polling import DEFAULT_INTERVAL, poll
from durable_execution.remote.wire import finished_view_from_wire, view_from_wire

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


class TaskClientHandle(Generic[InputT, OutputT]):
    """One task of a server. Made by `create_task_client_handles`.

    Errors are the ones that an executor in this process would raise. Every method may raise
    `DurableExecutionError`: retryable and internal when there is no answer (no connection, a
    restart) and not retryable when the server refuses the call; its `__cause__` is the
    `ORPCError` or `RPCClientError`.
    """

    def __init__(
        self, client: ORPCClient, key: str, declaration: TaskDeclaration[InputT, OutputT]
    ) -> None:
        self._client = client
        self._key = key
        self._declaration = declaration

    @property
    def task_key(self) -> str:
        """What the server calls the task."""
        return self._key

    @overload
    async def enqueue(
        self: TaskClientHandle[None, OutputT],
        input: None = None,
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
    ) -> str: ...
    @overload
    async def enqueue(
        self,
        input: InputT,
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
    ) -> str: ...
    async def enqueue(
        self,
        input: Any = UNDEFINED,
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
    ) -> str:
        """Enqueue the task and return the execution's id. It is durable when this returns.

        When the answer is lost, the execution may exist nevertheless.

        Args:
            input: Its input; checked against the declared type before anything is sent.
            timeout: Seconds or timedelta, in the place of the task's own, like the following.
            retry: See `RetryOptions`. Has no effect on a sleeping task, as the next one.
            sleep_before_run: Seconds or timedelta to pass before the first attempt.

        Raises:
            InvalidInputError: The input does not fit; the message names the field.
            InvalidOptionError: An option is out of its bounds.
            DurableExecutionNotFoundError: The server does not know the task.
        """
        options = EnqueueOptions(timeout, retry, sleep_before_run)
        call = write_enqueue_task(self._key, self._checked(input, "input"), options)
        answer = await self._call(ENQUEUE_TASK, call)
        if not isinstance(answer, str):
            raise _unreadable(ENQUEUE_TASK, f"expected an id, got {type(answer).__name__}")
        return answer

    async def get_execution(self, execution_id: str) -> TaskExecution[OutputT]:
        """Return an execution as it is now.

        Raises:
            DurableExecutionNotFoundError: The task has no such execution.
            InvalidInputError: Its input or output does not fit the declared types.
        """
        answer = await self._ask(execution_id)
        try:
            return view_from_wire(answer, self._declaration)
        except ValidationFailed as error:
            raise _unreadable(GET_TASK_EXECUTION, str(error)) from error

    async def wait_and_get_finished_execution(
        self,
        execution_id: str,
        *,
        timeout: float | timedelta | None = None,
        polling_interval: float | timedelta = DEFAULT_INTERVAL,
    ) -> FinishedTaskExecution[OutputT]:
        """Wait until an execution has finished, well or not, and return it.

        Asks again after 20 ms, then ever more slowly, up to `polling_interval`. A server that
        cannot be reached is waited for, 30 seconds at a time.

        Args:
            execution_id: What `enqueue` returned.
            timeout: Seconds or timedelta to wait at most; the execution itself goes on.
            polling_interval: Seconds or timedelta, the longest pause between two questions.

        Raises:
            TimeoutError: It had not finished in time.
            DurableExecutionNotFoundError: The task has no such execution.
            InvalidInputError: Its input or output does not fit the declared types.
        """

        async def ask() -> FinishedTaskExecution[OutputT] | None:
            return self._finished(GET_TASK_EXECUTION, await self._ask(execution_id))

        return await poll(ask, timeout=timeout, interval=polling_interval)

    async def result(
        self, execution_id: str, *, timeout: float | timedelta | None = None
    ) -> OutputT:
        """Wait until an execution has finished and return its output, or raise its error.

        Raises:
            DurableExecutionError: It did not complete: `DurableExecutionTimedOutError` if it timed
                out, `DurableExecutionCancelledError` if it was cancelled.
            TimeoutError: It had not finished within `timeout`; the execution itself goes on.
        """
        execution = await self.wait_and_get_finished_execution(execution_id, timeout=timeout)
        if execution.status == "completed":
            return execution.output
        raise execution.error.to_exception()

    @overload
    async def wakeup(
        self,
        sleeping_task_unique_id: str,
        *,
        status: Literal["completed"] = "completed",
        output: OutputT,
    ) -> FinishedTaskExecution[OutputT]: ...
    @overload
    async def wakeup(
        self, sleeping_task_unique_id: str, *, status: Literal["failed"], error: str
    ) -> FinishedTaskExecution[OutputT]: ...
    async def wakeup(
        self,
        sleeping_task_unique_id: str,
        *,
        status: Literal["completed", "failed"] = "completed",
        output: Any = UNDEFINED,
        error: str | None = None,
    ) -> FinishedTaskExecution[OutputT]:
        """End an execution of a sleeping task. The first call wins; later ones return its result.

        Args:
            sleeping_task_unique_id: The id that the execution was enqueued with.
            status: How it ends.
            output: With `completed`: the output of the execution.
            error: With `failed`: why.

        Raises:
            DurableExecutionNotFoundError: There is no such sleeping execution of this task.
            InvalidInputError: The output does not fit the declared type.
            DurableExecutionError: Besides the above: the task is not a sleeping one.
        """
        ending: dict[str, object] = {"status": status}
        if status == "completed":
            ending["output"] = self._checked(output, "output")
        elif error is not None:
            ending["error"] = error
        call = write_wakeup(self._key, sleeping_task_unique_id, ending)
        answer = await self._call(WAKEUP_SLEEPING_TASK_EXECUTION, call)
        finished = self._finished(WAKEUP_SLEEPING_TASK_EXECUTION, answer)
        if finished is None:
            raise _unreadable(WAKEUP_SLEEPING_TASK_EXECUTION, "the execution has not finished")
        return finished

    def __repr__(self) -> str:
        return f"TaskClientHandle({self._key!r})"

    async def _ask(self, execution_id: str) -> object:
        return await self._call(GET_TASK_EXECUTION, write_execution_call(self._key, execution_id))

    async def _call(self, name: str, call: Mapping[str, object]) -> object:
        try:
            answer: object = await self._client[name](call)
        except (ORPCError, RPCClientError) as error:
            raise task_error_of(error) from error
        return answer

    def _finished(self, name: str, answer: object) -> FinishedTaskExecution[OutputT] | None:
        try:
            return finished_view_from_wire(answer, self._declaration)
        except ValidationFailed as error:
            raise _unreadable(name, str(error)) from error

    def _checked(self, value: object, what: Literal["input", "output"]) -> Encoded:
        task = self._declaration
        try:
            payload = dumps(value)
        except EncodeError as error:
            raise InvalidInputError(f"Invalid {what} of task {task.id}: {error}") from error
        if what == "input":
            task.load_input(payload)
        else:
            task.load_output(payload)
        return Encoded(payload)


def _unreadable(name: str, problem: str) -> DurableExecutionError:
    return DurableExecutionError.retryable(
        f"{name}: the server's answer cannot be read: {problem}", is_internal=True
    )
