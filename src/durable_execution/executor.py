"""The executor: define tasks on it, start it, hand it work. The one place where all is wired."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from durable_execution._codec import UNDEFINED
from durable_execution._core.definitions import Definitions
from durable_execution._core.enqueueing import MAX_TASKS_TO_ENQUEUE, TaskToEnqueue
from durable_execution._core.labels import OnConflict, check_same_input, checked_label
from durable_execution._core.making import check_complete
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.retry import RetryOptions
from durable_execution._core.task import SleepingTask, Task, TaskDeclaration
from durable_execution._core.views import FinishedTaskExecution
from durable_execution._engine.compose import new_root, new_roots
from durable_execution._engine.departure import Departure
from durable_execution._engine.engine import Engine
from durable_execution._engine.handle import TaskExecutionHandle
from durable_execution._engine.interventions import Interventions
from durable_execution._engine.options import ExecutorOptions
from durable_execution._engine.outside import Outside
from durable_execution._engine.oversight import Oversight
from durable_execution._engine.storage_metrics import StorageCallMetrics
from durable_execution._engine.stored import (
    StoredExecutions,
    StoredStatusChange,
    StoredTaskExecution,
)
from durable_execution._engine.surroundings import MACHINE
from durable_execution._engine.telling import tell_enqueued
from durable_execution._engine.viewing import finished_view_of
from durable_execution._engine.waking import Ending, wake_up
from durable_execution._observing import TasksEnqueued, current_trace
from durable_execution.errors import (
    DurableExecutionNotFoundError,
    ExecutorShutDownError,
    InvalidOptionError,
    StorageUnavailableError,
)
from durable_execution.storage.protocol import Storage
from durable_execution.storage.transactional import TransactionalStorage

if TYPE_CHECKING:
    from durable_execution.storage.sql.caller import CallerConnection

__all__ = ["DurableExecutor", "StoredStatusChange", "StoredTaskExecution"]

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")

DEFAULT_OPTIONS = ExecutorOptions()

Hearing = Literal["told", "polls", "deaf"]


class DurableExecutor(Definitions, Oversight, Interventions, Outside, StoredExecutions):
    """Runs tasks durably: what was enqueued ends, whatever happens to this process.

    Use it as `async with executor:`, or call `start` and `shutdown`. All calls belong on the event
    loop it was started on. Executors that share a storage share the work.

    Args:
        storage: Where executions are kept, such as `open_storage("sqlite:///tasks.db")`. The
            executor opens and closes it.
        options: How it works; see `ExecutorOptions`.
    """

    _surroundings = MACHINE

    def __init__(self, storage: Storage, options: ExecutorOptions = DEFAULT_OPTIONS) -> None:
        super().__init__()
        if isinstance(storage, str):
            raise InvalidOptionError(
                "storage must be a storage, got str; open_storage makes one of a URL"
            )
        self._storage = storage
        self._options = options
        self._engine: Engine | None = None
        self._has_shut_down = False
        self._departure = Departure()
        self._changing = asyncio.Lock()
        """Held while starting or shutting down: who asks for either meanwhile waits for it."""

    @property
    def tasks(self) -> Mapping[str, Task[Any, Any]]:
        """The tasks that are registered, by id."""
        return MappingProxyType(self._tasks)

    @property
    def options(self) -> ExecutorOptions:
        """How it works."""
        return self._options

    @property
    def storage(self) -> Storage:
        """Where executions are kept."""
        return self._storage

    @property
    def is_healthy(self) -> bool:
        """Whether the executor runs, its services are alive and its lease is held."""
        return self._engine is not None and self._engine.is_alive

    @property
    def hearing(self) -> Hearing:
        """How the executor learns what other processes enqueue and finish on the storage.

        "told": the storage tells. "polls": it never does (PostgreSQL behind a pooler), or does
        not promise to (MySQL, MariaDB), and is looked at every few seconds at the least. "deaf":
        the connection that tells is cut; until it is made again, which is tried all the time, the
        storage is looked at every second.
        """
        if not self._storage.can_notify:
            return "polls"
        return "deaf" if self._storage.is_deaf else "told"

    @property
    def running_task_executions_count(self) -> int:
        """How many executions run on this executor right now."""
        return 0 if self._engine is None else len(self._engine.running)

    @property
    def running_task_execution_ids(self) -> frozenset[str]:
        """Which executions run on this executor right now."""
        if self._engine is None:
            return frozenset()
        return frozenset(each.record.execution_id for each in self._engine.running.attempts())

    def get_storage_metrics(self) -> Mapping[str, StorageCallMetrics]:
        """Return how often the storage was called since the start, and how long it took, by verb.

        Empty unless `ExecutorOptions.enable_storage_metrics` is set and the executor runs.
        """
        if self._engine is None or self._engine.storage_metrics is None:
            return {}
        return self._engine.storage_metrics.by_verb()

    async def start(self) -> None:
        """Open the storage, migrate it if need be, and begin to run tasks.

        Raises:
            InvalidOptionError: A task runs another, such as a step, that is not registered.
            ExecutorShutDownError: It was shut down before; make a new one.
            StorageError: The storage cannot be opened.
        """
        async with self._changing:
            if self._has_shut_down:
                raise ExecutorShutDownError("Executor is shut down; make a new one")
            if self._engine is not None:
                return
            check_complete(self._tasks)
            engine = Engine(self._storage, self._tasks, self._options, self._surroundings)
            try:
                await engine.start()
            except BaseException:
                await self._storage.close()
                raise
            self._engine = engine

    @property
    def departure(self) -> Departure:
        """What bounds the waits of callers from outside: for a server."""
        return self._departure

    def announce_shutdown(self) -> None:
        """Say that the process is about to end: whoever waits from outside is let go at once.

        Calls of a tasks router that wait or watch are answered that another server should be
        asked, which clients do by themselves. All else goes on until `shutdown`. To be called when
        the server gets its signal, on the event loop; `durable-execution serve` does that.
        """
        self._departure.announce()

    async def shutdown(self) -> None:
        """Stop taking work, let what runs end, hand back the rest, and close the storage.

        Running tasks get `shutdown_timeout`; then coroutines are cancelled, and their executions
        are ready for other executors at once, with no retry spent. Threads cannot be stopped:
        executions whose thread does not end are left to the end of the lease.
        """
        self.announce_shutdown()
        async with self._changing:
            self._has_shut_down = True
            engine, self._engine = self._engine, None
            if engine is not None:
                await engine.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shutdown()

    @overload
    async def enqueue_task(
        self,
        task: Task[None, OutputT],
        input: None = None,
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
        key: str | None = None,
        on_conflict: OnConflict = "raise",
        tags: Mapping[str, str] | None = None,
        connection: CallerConnection | None = None,
    ) -> TaskExecutionHandle[OutputT]: ...
    @overload
    async def enqueue_task(
        self,
        task: Task[InputT, OutputT],
        input: InputT,
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
        key: str | None = None,
        on_conflict: OnConflict = "raise",
        tags: Mapping[str, str] | None = None,
        connection: CallerConnection | None = None,
    ) -> TaskExecutionHandle[OutputT]: ...
    async def enqueue_task(
        self,
        task: Task[Any, OutputT],
        input: Any = UNDEFINED,
        *,
        timeout: float | timedelta | None = None,
        retry: RetryOptions | None = None,
        sleep_before_run: float | timedelta | None = None,
        key: str | None = None,
        on_conflict: OnConflict = "raise",
        tags: Mapping[str, str] | None = None,
        connection: CallerConnection | None = None,
    ) -> TaskExecutionHandle[OutputT]:
        """Enqueue a task. When this returns, the execution is durable and will be run.

        Args:
            task: A task that is registered here.
            input: Its input; checked against the task's type before anything is stored.
            timeout: In the place of the task's own, like the following.
            retry: See `RetryOptions`. Has no effect on a sleeping task, as the next one.
            sleep_before_run: Seconds or timedelta to pass before the first attempt.
            key: An idempotency key, 1 to 255 characters: a task that is enqueued again with the
                same key is not executed again, however and wherever it is enqueued; the handle is
                that of the first. Keys of different tasks are apart, and a key is free again when
                its execution is deleted.
            on_conflict: What to do when the key was used with another input: raise, or return
                the handle of the execution that there is.
            tags: What to find the execution by, at most 16: names of 1 to 64 letters, digits,
                underscores, dots or dashes, and values of up to 255 characters. Children have none.
            connection: A Connection, Session, AsyncConnection or AsyncSession of SQLAlchemy, on
                the database that holds the executions (not one in memory). The execution
                becomes part of its transaction: it exists and runs when that is committed, and
                never did if it is rolled back. Until then the handle finds nothing. What is not
                asynchronous blocks the event loop meanwhile.

        Raises:
            InvalidInputError: The input does not fit; the message names the field.
            InvalidOptionError: An option is out of its bounds.
            IdempotencyConflictError: The key was used with another input.
            DurableExecutionNotFoundError: The task is not registered on this executor.
            DuplicateSleepingIdError: Another sleeping execution has this id.
            ExecutorShutDownError: The executor is not running.
            StorageUnavailableError: The storage could not be reached, for about two seconds. The
                execution may exist nevertheless, if only the answer was lost.
        """
        engine = self._running_engine()
        self._check_known(task)
        options = task.options.overridden(
            timeout=timeout, retry=retry, sleep_before_run=sleep_before_run
        )
        label = checked_label(key, on_conflict, tags)
        now = engine.clock.now()
        record, decoded = new_root(
            task,
            input,
            options,
            execution_id=engine.new_id(now),
            max_size=self._options.max_serialized_input_size,
            now=now,
            label=label,
        )
        # What the caller has not committed yet may be finished elsewhere: such a handle must look.
        is_new = connection is None
        handle = TaskExecutionHandle(engine, task, record.execution_id, is_new=is_new)
        if connection is None and engine.tracer is None and current_trace.get() is None:
            try:
                holder = await engine.commits.insert(record, decoded)
            except StorageUnavailableError as error:
                holder = await engine.commits.insert_again(record, decoded, error)
        else:
            holder = await self._insert_traced(engine, record, decoded, connection)
        if holder is None:
            if engine.tell is not None:
                engine.tell(TasksEnqueued(task.id, 1))
            return handle
        if on_conflict == "raise":
            check_same_input(record, holder)
        return TaskExecutionHandle(engine, task, holder.execution_id)

    async def enqueue_tasks(
        self,
        tasks: Iterable[TaskToEnqueue[OutputT]],
        *,
        connection: CallerConnection | None = None,
    ) -> list[TaskExecutionHandle[OutputT]]:
        """Enqueue up to 1,000 tasks in one transaction: all of them, or none.

            await executor.enqueue_tasks([task_to_enqueue(send_email, each) for each in emails])

        When this returns, all executions are durable and will be run. Every input is checked
        before anything is stored. A key that was used before, or earlier among these, gives the
        handle of the execution that has it, as with `enqueue_task`.

        Args:
            tasks: What to enqueue, each made by `task_to_enqueue`; of one task or of several.
            connection: As in `enqueue_task`: the executions become part of its transaction. What
                the database refuses, such as a key, is raised after those before it were added:
                roll back, to a savepoint at least.

        Returns:
            A handle for each, in their order.

        Raises:
            InvalidInputError: An input does not fit; the message names its index and the field.
            InvalidOptionError: There are too many, or one is not made by `task_to_enqueue`.
            IdempotencyConflictError: A key was used with another input.
            DurableExecutionNotFoundError: A task is not registered on this executor.
            DuplicateSleepingIdError: Another sleeping execution has the id of one of these.
            ExecutorShutDownError: The executor is not running.
            StorageUnavailableError: The storage could not be reached, for about two seconds. All
                executions may exist nevertheless, if only the answer was lost.
        """
        engine = self._running_engine()
        wanted = list(islice(tasks, MAX_TASKS_TO_ENQUEUE + 1))
        records = new_roots(
            wanted,
            self._tasks,
            new_id=engine.new_id,
            max_size=self._options.max_serialized_input_size,
            now=engine.clock.now(),
        )
        if not records:
            return []
        handles = [
            TaskExecutionHandle(engine, each.task, record.execution_id, is_new=connection is None)
            for each, record in zip(wanted, records, strict=True)
        ]
        strict_ids = {
            record.execution_id
            for each, record in zip(wanted, records, strict=True)
            if each.label.idempotency_key is not None and each.on_conflict == "raise"
        }
        with engine.enqueuing(records) as records:
            if connection is None:
                holders = await engine.commits.insert_all(records, strict_ids)
            else:
                holders = await self._insert_with(connection, records, strict_ids)
        if engine.tell is not None:
            tell_enqueued(engine.tell, records, holders)
        return [
            handle
            if holder is None
            else TaskExecutionHandle(engine, each.task, holder.execution_id)
            for each, handle, holder in zip(wanted, handles, holders, strict=True)
        ]

    async def get_task_execution_handle(
        self, task: Task[Any, OutputT], execution_id: str
    ) -> TaskExecutionHandle[OutputT]:
        """Return a handle on an execution that was enqueued before, here or elsewhere.

        Raises:
            DurableExecutionNotFoundError: The task is not registered here, or it has no such
                execution.
            ExecutorShutDownError: The executor is not running.
        """
        engine = self._running_engine()
        await self._record_of(engine, task, execution_id)
        return TaskExecutionHandle(engine, task, execution_id)

    @overload
    async def wakeup_sleeping_task_execution(
        self,
        task: SleepingTask[OutputT],
        sleeping_task_unique_id: str,
        *,
        status: Literal["completed"] = "completed",
        output: OutputT,
    ) -> FinishedTaskExecution[OutputT]: ...
    @overload
    async def wakeup_sleeping_task_execution(
        self,
        task: SleepingTask[OutputT],
        sleeping_task_unique_id: str,
        *,
        status: Literal["failed"],
        error: str | BaseException,
    ) -> FinishedTaskExecution[OutputT]: ...
    async def wakeup_sleeping_task_execution(
        self,
        task: SleepingTask[OutputT],
        sleeping_task_unique_id: str,
        *,
        status: Literal["completed", "failed"] = "completed",
        output: Any = None,
        error: str | BaseException | None = None,
    ) -> FinishedTaskExecution[OutputT]:
        """End a sleeping execution from outside. The first call wins; later ones return its result.

        Args:
            task: The sleeping task.
            sleeping_task_unique_id: The id that the execution was enqueued with.
            status: How it ends.
            output: With `completed`: the output of the execution.
            error: With `failed`: why.

        Raises:
            DurableExecutionNotFoundError: There is no such sleeping execution of this task.
            InvalidInputError: The task is not a sleeping one, the status is neither of the two, or
                the output does not fit the task's type.
            ExecutorShutDownError: The executor is not running.
        """
        engine = self._running_engine()
        self._check_known(task)
        limit = self._options.max_serialized_output_size
        ending = Ending(task, status, output, error, max_output_size=limit)
        record = await wake_up(engine, task, sleeping_task_unique_id, ending)
        return finished_view_of(record, task)

    async def _insert_traced(
        self,
        engine: Engine,
        record: ExecutionRecord,
        decoded: object,
        connection: CallerConnection | None,
    ) -> ExecutionRecord | None:
        with engine.enqueuing((record,)) as (record,):
            if connection is not None:
                return await self._transactional_storage().insert_with(connection, record)
            try:
                return await engine.commits.insert(record, decoded)
            except StorageUnavailableError as error:
                return await engine.commits.insert_again(record, decoded, error)

    async def _insert_with(
        self,
        connection: CallerConnection,
        records: Sequence[ExecutionRecord],
        strict_ids: Collection[str],
    ) -> list[ExecutionRecord | None]:
        storage = self._transactional_storage()
        holders: list[ExecutionRecord | None] = []
        for record in records:
            holder = await storage.insert_with(connection, record)
            if holder is not None and record.execution_id in strict_ids:
                check_same_input(record, holder)
            holders.append(holder)
        return holders

    def _transactional_storage(self) -> TransactionalStorage:
        if not isinstance(self._storage, TransactionalStorage):
            raise InvalidOptionError(
                "connection needs executions in an SQL database, this executor "
                f"keeps them in {type(self._storage).__name__}"
            )
        return self._storage

    def _added(self) -> None:
        if self._engine is not None:
            self._engine.look_for_new_tasks()

    def _running_engine(self) -> Engine:
        if self._engine is None:
            if self._has_shut_down:
                raise ExecutorShutDownError("Executor is shut down")
            raise ExecutorShutDownError("Executor is not started: 'async with executor' does")
        return self._engine

    def _check_known(self, task: Task[Any, Any]) -> None:
        if not isinstance(task, TaskDeclaration):
            raise InvalidOptionError(
                "task must be one that a decorator of Tasks or DurableExecutor made, "
                f"got {type(task).__name__}"
            )
        if self._tasks.get(task.id) is not task:
            raise DurableExecutionNotFoundError(f"Task not found [taskId={task.id}]")
