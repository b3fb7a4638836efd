"""The calls about one task of a server: what is sent fits its types, and what is answered, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

from durable_execution._codec import Encoded, EncodeError, dumps
from durable_execution._core.task import TaskDeclaration
from durable_execution._core.views import FinishedTaskExecution, TaskExecution
from durable_execution.errors import DurableExecutionError, InvalidInputError
from durable_execution.remote.calls.enqueue import EnqueueOptions, write_enqueue_task
from durable_execution.remote.calls.names import WAIT_TASK_EXECUTION
from durable_execution.remote.long_polling import LongPolling
from durable_execution.remote.router_calls import (
    MissingProcedureError,
    RouterCalls,
    read_answer,
    unreadable,
    unsupported,
)
from durable_execution.remote.wire import finished_view_from_wire, view_from_wire

OutputT = TypeVar("OutputT")


class TaskCalls(Generic[OutputT]):
    """What a handle sends and reads.

    Args:
        router: The procedures of the server.
        key: What the server calls the task.
        declaration: The types of the task.
    """

    def __init__(
        self, router: RouterCalls, key: str, declaration: TaskDeclaration[Any, OutputT]
    ) -> None:
        self.router = router
        self.key = key
        self.declaration = declaration

    def enqueue_call(
        self, input: object, options: EnqueueOptions, *, place: int | None = None
    ) -> Mapping[str, object]:
        """Write what enqueues the task, alone or at a place among others.

        Raises:
            InvalidInputError: The input does not fit; the message names the place.
        """
        try:
            encoded = self.encoded(input, "input")
        except InvalidInputError as error:
            if place is None:
                raise
            message = f"Input {place}: {error.message}"
            raise InvalidInputError(message, issues=error.issues) from error
        return write_enqueue_task(self.key, encoded, options)

    def encoded(self, value: object, what: Literal["input", "output"]) -> Encoded:
        """Return an input or an output as it travels.

        Raises:
            InvalidInputError: It has no form on the wire, or does not fit.
        """
        task = self.declaration
        try:
            payload = dumps(value)
        except EncodeError as error:
            raise InvalidInputError(f"Invalid {what} of task {task.id}: {error}") from error
        if what == "input":
            task.load_input(payload)
        else:
            task.load_output(payload)
        return Encoded(payload)

    async def call(self, name: str, call: Mapping[str, object]) -> object:
        """Call a procedure that every server has."""
        return await self.router.call(name, call)

    async def call_newer(self, name: str, call: Mapping[str, object]) -> object:
        """Call a procedure that not every server has.

        Raises:
            DurableExecutionError: This one has not; or whatever else went wrong.
        """
        try:
            return await self.router.call_newer(name, call)
        except MissingProcedureError as error:
            raise unsupported(name) from error.__cause__

    def waiting(self, execution_id: str) -> LongPolling:
        """Return what waits for the finish of an execution."""
        return LongPolling(self.router, self.key, execution_id)

    async def wait_once(self, execution_id: str, seconds: float) -> TaskExecution[OutputT] | None:
        """Have the server wait and answer in time; None if it cannot, or cannot be reached."""
        try:
            answer = await self.waiting(execution_id).ask_waiting(seconds)
            return self.execution(WAIT_TASK_EXECUTION, answer)
        except MissingProcedureError:
            return None
        except DurableExecutionError as error:
            if error.is_retryable:
                return None
            raise

    def execution(self, name: str, answer: object) -> TaskExecution[OutputT]:
        """Read the execution that a procedure answered with."""
        return read_answer(name, lambda view: view_from_wire(view, self.declaration), answer)

    def finished(self, name: str, answer: object) -> FinishedTaskExecution[OutputT] | None:
        """Read it if it has finished."""
        return read_answer(
            name, lambda view: finished_view_from_wire(view, self.declaration), answer
        )

    def certainly_finished(self, name: str, answer: object) -> FinishedTaskExecution[OutputT]:
        """Read it; it has finished, or the server does not do what it should."""
        finished = self.finished(name, answer)
        if finished is None:
            raise unreadable(name, "the execution has not finished")
        return finished
