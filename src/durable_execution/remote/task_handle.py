"""One task of an executor server, as a client sees it: enqueue, look, wait, watch, end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar, overload

from durable_execution._codec import UNDEFINED
from durable_execution._core.changes import TaskExecutionChange
from durable_execution._core.found import SearchOrder, TaskExecutionPage
from durable_execution._core.limits import wait_seconds
from durable_execution._core.retry import RetryOptions
from durable_execution._core.status import Status
from durable_execution._core.views import FinishedTaskExecution, TaskExecution
from durable_execution._waiting import now
from durable_execution.errors import InvalidOptionError
from durable_execution.orpc import EventStream
from durable_execution.remote.calls.enqueue import MAX_TASKS, EnqueueOptions
from durable_execution.remote.calls.execution import write_execution_call
from durable_execution.remote.calls.listing import (
    DEFAULT_LIMIT,
    ListTaskExecutions,
    write_list,
)
from durable_execution.remote.calls.names import (
    CANCEL_TASK_EXECUTION,
    GET_TASK_EXECUTION,
    LIST_TASK_EXECUTIONS,
    RETRY_TASK_EXECUTION,
    WAKEUP_SLEEPING_TASK_EXECUTION,
)
from durable_execution.remote.calls.operating import write_operated
from durable_execution.remote.calls.wakeup import write_wakeup
from durable_execution.remote.enqueue_once import enqueue_all, enqueue_one
from durable_execution.remote.listed import page_from_wire
from durable_execution.remote.long_polling import LONGEST_CALL
from durable_execution.remote.polling import DEFAULT_INTERVAL
from durable_execution.remote.router_calls import read_answer
from durable_execution.remote.task_calls import TaskCalls
from durable_execution.remote.watching import RemoteChanges

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")
Ids: TypeAlias = list[str]

DEFAULT_WAIT: Final = 30.0


class TaskClientHandle(Generic[InputT, OutputT]):
    """One task of a server. Made by `create_task_client_handles`.

    Errors are the ones that an executor in this process would raise. Every method may raise
    `DurableExecutionError`: retryable and internal when there is no answer (no connection, a
    restart) and not retryable when the server refuses the call; its `__cause__` is the
    `ORPCError` or `RPCClientError`.
    """

    def __init__(self, calls: TaskCalls[OutputT]) -> None:
        self._calls = calls

    @property
    def task_key(self) -> str:
        """What the server calls the task."""
        return self._calls.key

    @overload
    async def enqueue(
        self: TaskClientHandle[None, OutputT],
        input: None = None,
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
        key: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str: ...
    @overload
    async def enqueue(
        self,
        input: InputT,
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
        key: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str: ...
    async def enqueue(
        self,
        input: Any = UNDEFINED,
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
        key: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Enqueue the task and return the execution's id. It is durable when this returns.

        When the connection breaks before the answer is there, the call is sent again for about two
        seconds, and there is one execution nevertheless; not so with servers that are too old for
        that: there the failure is raised, and the execution may exist. It may, too, when the call
        timed out: whoever then enqueues again, or does it in another process, gives a key.

        Args:
            input: Its input; checked against the declared type before anything is sent.
            timeout: Seconds or timedelta, in the place of the task's own, like the following.
            retry: See `RetryOptions`. Has no effect on a sleeping task, as the next one.
            sleep_before_run: Seconds or timedelta to pass before the first attempt.
            key: An idempotency key, 1 to 255 characters: a task that is enqueued again with the
                same key, by anybody, is not executed again, and the id is that of the first. Left
                out, one is made, of which nobody else knows.
            tags: What to find the execution by, if the server lets callers set them.

        Raises:
            InvalidInputError: The input does not fit, or the server does not allow an option; the
                message names the field.
            InvalidOptionError: An option is out of its bounds.
            IdempotencyConflictError: The key was used with another input.
            DurableExecutionNotFoundError: The server does not know the task.
        """
        options = EnqueueOptions(timeout, retry, sleep_before_run, key, tags)
        return await enqueue_one(self._calls.router, self._calls.enqueue_call(input, options))

    async def enqueue_many(
        self,
        inputs: Iterable[InputT],
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
        keys: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Ids:
        """Enqueue the task once for each input, in one commit: all of them or none.

        As safe as `enqueue` when the connection breaks.

        Args:
            inputs: 1,000 at most; none is no call.
            timeout: As in `enqueue`, for each, like the following.
            retry: See there.
            sleep_before_run: See there.
            keys: Idempotency keys, one for each input.
            tags: See there.

        Raises:
            InvalidInputError: As `enqueue`; the message names the input by its place.
            InvalidOptionError: An option is out of its bounds, there are too many inputs, or not as
                many keys.
            IdempotencyConflictError: A key was used with another input.
            DurableExecutionNotFoundError: The server does not know the task.
            DurableExecutionError: The server is too old.
        """
        values = list(islice(inputs, MAX_TASKS + 1))
        if len(values) > MAX_TASKS:
            raise InvalidOptionError(f"inputs must be at most {MAX_TASKS} in one call")
        if keys is not None and (isinstance(keys, str) or len(keys) != len(values)):
            raise InvalidOptionError(f"keys must be one for each of the {len(values)} inputs")
        calls: list[Mapping[str, object]] = []
        for place, value in enumerate(values):
            key = None if keys is None else keys[place]
            options = EnqueueOptions(timeout, retry, sleep_before_run, key, tags)
            calls.append(self._calls.enqueue_call(value, options, place=place))
        return list(await enqueue_all(self._calls.router, calls)) if calls else []

    async def get_execution(self, execution_id: str) -> TaskExecution[OutputT]:
        """Return an execution as it is now.

        Raises:
            DurableExecutionNotFoundError: The task has no such execution.
            InvalidInputError: Its input or output does not fit the declared types.
        """
        call = write_execution_call(self._calls.key, execution_id)
        answer = await self._calls.call(GET_TASK_EXECUTION, call)
        return self._calls.execution(GET_TASK_EXECUTION, answer)

    async def wait(
        self, execution_id: str, *, timeout: float | timedelta = DEFAULT_WAIT
    ) -> TaskExecution[OutputT]:
        """Return an execution once it has finished, or as it is when the time is over.

        For answers that have to be given in time, such as those of a web app.

        Args:
            execution_id: What `enqueue` returned.
            timeout: Seconds or timedelta.

        Raises:
            DurableExecutionNotFoundError: The task has no such execution.
            InvalidInputError: Its input or output does not fit the declared types.
        """
        end = now() + wait_seconds(timeout)
        if end - now() <= LONGEST_CALL:
            execution = await self._calls.wait_once(execution_id, end - now())
            if execution is not None:
                return execution
        try:
            left = max(0.0, end - now())
            return await self.wait_and_get_finished_execution(execution_id, timeout=left)
        except TimeoutError:
            return await self.get_execution(execution_id)

    async def wait_and_get_finished_execution(
        self,
        execution_id: str,
        *,
        timeout: float | timedelta | None = None,
        polling_interval: float | timedelta = DEFAULT_INTERVAL,
    ) -> FinishedTaskExecution[OutputT]:
        """Wait until an execution has finished, well or not, and return it.

        The server answers when the execution has finished. One that cannot, being older or the
        TypeScript library's, is asked after 20 ms, then ever more slowly, up to `polling_interval`.
        A server that cannot be reached is waited for, 30 seconds at a time.

        Args:
            execution_id: What `enqueue` returned.
            timeout: Seconds or timedelta to wait at most; the execution itself goes on.
            polling_interval: Seconds or timedelta, the longest pause between two questions to a
                server that has to be asked again, or that cannot be reached.

        Raises:
            TimeoutError: It had not finished in time.
            DurableExecutionNotFoundError: The task has no such execution.
            InvalidInputError: Its input or output does not fit the declared types.
        """
        return await self._calls.waiting(execution_id).until_finished(
            self._calls.finished, timeout=timeout, interval=polling_interval
        )

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

    def watch(
        self, execution_id: str, *, after: str | None = None
    ) -> EventStream[TaskExecutionChange[OutputT]]:
        """Tell how an execution changes, from what it is now to its finish.

            async with handle.watch(execution_id) as changes:
                async for change in changes:
                    if change.type == "progress":
                        show(change.progress.fraction)

        Yields a `StatusChange` with the execution as it is, then one for each of its moves, and a
        `ProgressChange` for what its task says with `ctx.progress`. The finished execution comes
        last, and is the `return_value` too. Where the connection breaks, the server restarts or
        goes away for up to 30 seconds, it goes on by itself behind the last change: the newest
        state is never left out, nor told twice; what came and went meanwhile is.

        The first read connects. Close it, as `async with` does, unless it was read to its end.

        Args:
            execution_id: What `enqueue` returned.
            after: The `id` of a change: go on from there, perhaps in another process.

        Raises:
            DurableExecutionNotFoundError: While reading: the task has no such execution.
            InvalidInputError: While reading: its input or output does not fit the declared types.
            DurableExecutionError: While reading: besides the above, the server is too old.
        """
        call = write_execution_call(self._calls.key, execution_id)
        return EventStream(RemoteChanges(self._calls.router, call, self._calls.declaration, after))

    async def cancel(self, execution_id: str) -> FinishedTaskExecution[OutputT]:
        """Cancel an execution and all below it; return it, or as it has finished before.

        Raises:
            DurableExecutionNotFoundError: The task has no such execution.
            InvalidInputError: Its input or output does not fit the declared types.
            DurableExecutionError: Besides the above: the server is too old.
        """
        call = write_execution_call(self._calls.key, execution_id)
        answer = await self._calls.call_newer(CANCEL_TASK_EXECUTION, call)
        return self._calls.certainly_finished(CANCEL_TASK_EXECUTION, answer)

    async def retry(self, execution_id: str) -> TaskExecution[OutputT]:
        """Run an execution again that has failed, under its old id; return it as it is then.

        For operators, see `create_operator_client`: the server has to offer it, and this client to
        be allowed. One that has not ended, or has completed, is left as it is; so it may be
        called again when its answer got lost.

        Raises:
            DurableExecutionNotFoundError: The task has no such execution.
            InvalidInputError: Its input or output does not fit the declared types.
            DurableExecutionError: Besides the above: it is a child, or the server does not offer
                it.
        """
        call = write_operated(self._calls.key, execution_id)
        answer = await self._calls.call_newer(RETRY_TASK_EXECUTION, call)
        return self._calls.execution(RETRY_TASK_EXECUTION, answer)

    async def list(
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
        """Find executions of the task: all that is given holds. They have no input and no output.

        See `DurableExecutor.search_task_executions` for the filters. `task_id` of what is found is
        what the server calls the task.

        Raises:
            InvalidInputError: A filter is malformed; the message or an issue names it.
            InvalidOptionError: A tag or the limit is out of bounds, or an instant has no time zone.
            DurableExecutionError: Besides the above: the server is too old.
        """
        filters = ListTaskExecutions(
            task_keys=[self._calls.key],
            statuses=None if statuses is None else [*statuses],
            created=(created_from, created_before),
            finished=(finished_from, finished_before),
            parent_execution_id=parent_execution_id,
            root_execution_id=root_execution_id,
            is_root=is_root,
            tags=tags,
            id_prefix=id_prefix,
            order=order,
            cursor=cursor,
            limit=limit,
        )
        answer = await self._calls.call_newer(LIST_TASK_EXECUTIONS, write_list(filters))
        return read_answer(LIST_TASK_EXECUTIONS, page_from_wire, answer)

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
            ending["output"] = self._calls.encoded(output, "output")
        elif error is not None:
            ending["error"] = error
        call = write_wakeup(self._calls.key, sleeping_task_unique_id, ending)
        answer = await self._calls.call(WAKEUP_SLEEPING_TASK_EXECUTION, call)
        return self._calls.certainly_finished(WAKEUP_SLEEPING_TASK_EXECUTION, answer)

    def __repr__(self) -> str:
        return f"TaskClientHandle({self.task_key!r})"
