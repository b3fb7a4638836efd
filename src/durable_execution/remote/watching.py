"""The changes of an execution as a client hears of them, over as many connections as it takes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

from durable_execution._codec import UNDEFINED, Schema
from durable_execution._core.changes import (
    ProgressChange,
    StatusChange,
    TaskExecutionChange,
    TaskProgress,
)
from durable_execution._core.task import TaskDeclaration
from durable_execution._waiting import now, sleep
from durable_execution.orpc import (
    Event,
    EventStream,
    ORPCError,
    Return,
    RPCClientError,
    RPCConnectionError,
)
from durable_execution.remote.calls.names import WATCH_TASK_EXECUTION
from durable_execution.remote.error_map import RETRYABLE_STATUSES, task_error_of
from durable_execution.remote.polling import PATIENCE
from durable_execution.remote.router_calls import (
    MissingProcedureError,
    RouterCalls,
    read_answer,
    unreadable,
    unsupported,
)
from durable_execution.remote.wire import finished_view_from_wire, object_of, view_from_wire

OutputT = TypeVar("OutputT")

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0


class RemoteChanges(Generic[OutputT]):
    """A source of changes that opens the stream again, behind the last change, where it broke.

    The finished execution is the last change, and the return value.

    Args:
        calls: Of the server.
        call: What names the execution.
        task: Its types.
        after: The id of the change to begin behind; None for what there is now.
    """

    def __init__(
        self,
        calls: RouterCalls,
        call: Mapping[str, object],
        task: TaskDeclaration[Any, OutputT],
        after: str | None,
    ) -> None:
        self._calls = calls
        self._call = call
        self._task = task
        self._after = after
        self._stream: EventStream[Any] | None = None
        self._failing_since: float | None = None
        self._failures = 0
        self._pause = 0.0

    async def receive(self) -> Event[TaskExecutionChange[OutputT]] | Return[Any]:
        """Return the next change, or at the end the finished execution.

        Waiting may be given up and done again.

        Raises:
            DurableExecutionError: The server refuses, has no such procedure, or could not be
                reached for 30 seconds.
        """
        while True:
            # Before anything else, so that a pause that was given up is made up for.
            await sleep(self._pause)
            self._pause = 0.0
            try:
                found = await self._next()
            except MissingProcedureError as error:
                raise unsupported(WATCH_TASK_EXECUTION) from error.__cause__
            except (ORPCError, RPCClientError) as error:
                await self.aclose()
                self._back_off(error)
                continue
            self._failing_since, self._failures = None, 0
            if found is not None:
                return found

    async def aclose(self) -> None:
        """Leave; the server notices."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.aclose()

    async def _next(self) -> Event[TaskExecutionChange[OutputT]] | Return[Any] | None:
        if self._stream is None:
            self._stream = await self._calls.stream(
                WATCH_TASK_EXECUTION, self._call, last_event_id=self._after
            )
        stream = self._stream
        try:
            value = await anext(stream)
        except StopAsyncIteration:
            return self._ending(stream.return_value)
        return self._change(value, stream.last_event_id)

    def _back_off(self, error: ORPCError | RPCClientError) -> None:
        told = task_error_of(error)
        if isinstance(error, ORPCError) and error.status not in RETRYABLE_STATUSES:
            raise told from error
        at = now()
        self._failing_since = self._failing_since or at
        if at - self._failing_since > PATIENCE:
            raise told from error
        pause = min(FIRST_PAUSE * 2.0**self._failures, LONGEST_PAUSE)
        self._failures += 1
        # Those who lost the same server must not come back at the same moment.
        self._pause = pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def _change(
        self, value: object, change_id: str | None
    ) -> Event[TaskExecutionChange[OutputT]] | None:
        if change_id is None:
            raise unreadable(WATCH_TASK_EXECUTION, "an event has no id")
        change = read_answer(
            WATCH_TASK_EXECUTION, lambda told: change_from_wire(told, change_id, self._task), value
        )
        self._after = change_id
        return None if change is None else Event(change, id=change_id)

    def _ending(self, value: object) -> Return[Any]:
        if value is UNDEFINED:
            # This is what a proxy looks like that gave up what it passed on.
            raise RPCConnectionError("the stream ended before the execution", was_sent=True)
        finished = read_answer(
            WATCH_TASK_EXECUTION, lambda view: finished_view_from_wire(view, self._task), value
        )
        return Return(finished, id=self._after)


def change_from_wire(
    value: object, change_id: str, task: TaskDeclaration[Any, OutputT]
) -> TaskExecutionChange[OutputT] | None:
    """Read an event of `watchTaskExecution`; None for one of a kind that is not known yet.

    Raises:
        ValidationFailed: It is no such event.
        InvalidInputError: The input or output of the execution does not fit the task's types.
    """
    event = object_of(value, "event")
    match event.get("type"):
        case "status":
            return StatusChange(
                id=change_id, execution=view_from_wire(event.get("execution"), task)
            )
        case "progress":
            progress = object_of(event.get("progress"), "progress")
            facts = {
                "fraction": progress.get("fraction"),
                "message": progress.get("message"),
                "updated_at": progress.get("updatedAt"),
            }
            return ProgressChange(id=change_id, progress=_PROGRESS.convert(facts, root="progress"))
        case _:
            return None


_PROGRESS: Final[Schema[TaskProgress]] = Schema(TaskProgress)
