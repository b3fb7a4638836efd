"""Enqueueing without an executor, in a transaction of the caller's: for code without a loop."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, overload

from durable_execution._codec import UNDEFINED
from durable_execution._core.labels import OnConflict, check_same_input, checked_label
from durable_execution._core.limits import MIB
from durable_execution._core.offspring import in_trace
from durable_execution._core.retry import RetryOptions
from durable_execution._core.task import Task
from durable_execution._engine.clock import wall_clock
from durable_execution._engine.compose import new_root
from durable_execution._engine.ids import new_execution_id
from durable_execution._observing import current_trace
from durable_execution.errors import InvalidOptionError
from durable_execution.storage.table_names import DEFAULT_TABLES, TaskExecutionTables

if TYPE_CHECKING:
    from durable_execution.storage.sql.caller import SyncConnection

InputT = TypeVar("InputT")


@overload
def enqueue_in_transaction(
    connection: SyncConnection,
    task: Task[None, Any],
    input: None = None,
    *,
    timeout: float | timedelta | None = None,
    retry: RetryOptions | None = None,
    sleep_before_run: float | timedelta | None = None,
    key: str | None = None,
    on_conflict: OnConflict = "raise",
    tags: Mapping[str, str] | None = None,
    tables: TaskExecutionTables = DEFAULT_TABLES,
) -> str: ...
@overload
def enqueue_in_transaction(
    connection: SyncConnection,
    task: Task[InputT, Any],
    input: InputT,
    *,
    timeout: float | timedelta | None = None,
    retry: RetryOptions | None = None,
    sleep_before_run: float | timedelta | None = None,
    key: str | None = None,
    on_conflict: OnConflict = "raise",
    tags: Mapping[str, str] | None = None,
    tables: TaskExecutionTables = DEFAULT_TABLES,
) -> str: ...
def enqueue_in_transaction(
    connection: SyncConnection,
    task: Task[Any, Any],
    input: Any = UNDEFINED,
    *,
    timeout: float | timedelta | None = None,
    retry: RetryOptions | None = None,
    sleep_before_run: float | timedelta | None = None,
    key: str | None = None,
    on_conflict: OnConflict = "raise",
    tags: Mapping[str, str] | None = None,
    tables: TaskExecutionTables = DEFAULT_TABLES,
) -> str:
    """Enqueue a task as part of a transaction; return the id of its execution.

    The execution exists, and runs on whichever executor has the task, when the transaction is
    committed, and never did if it is rolled back. Needs neither an executor nor an event loop.
    `DurableExecutor.enqueue_task` does the same with `connection=`, for asynchronous connections
    too.

    Args:
        connection: A Connection or a Session of SQLAlchemy, on the database that holds the
            executions: an SQLite file, PostgreSQL, MySQL or MariaDB, through any driver.
        task: A task, as the decorators of `Tasks` and `DurableExecutor` make it.
        input: Its input, at most 1 MiB encoded.
        timeout: As in `DurableExecutor.enqueue_task`, like the following.
        retry: See there.
        sleep_before_run: See there.
        key: See there.
        on_conflict: See there.
        tags: See there.
        tables: What the tables are called, and their schema, unless they are the usual ones and
            the connection finds them.

    Raises:
        InvalidInputError: The input does not fit; the message names the field.
        InvalidOptionError: An option is out of its bounds, or the connection is none of the two.
        IdempotencyConflictError: The key was used with another input.
        DuplicateSleepingIdError: Another sleeping execution has this id.
        StorageError: The database has no tables of ours, or not those of this release.
    """
    # Imported here, so that naming this function loads no SQLAlchemy.
    from durable_execution.storage.sql.caller import clock_of, insert_over, run_with

    if not isinstance(task, Task):
        raise InvalidOptionError(
            "task must be one that a decorator of Tasks or DurableExecutor made, "
            f"got {type(task).__name__}"
        )
    options = task.options.overridden(
        timeout=timeout, retry=retry, sleep_before_run=sleep_before_run
    )
    label = checked_label(key, on_conflict, tags)
    now = run_with(connection, lambda lent: clock_of(lent, wall_clock))
    record, _ = new_root(
        task,
        input,
        options,
        execution_id=new_execution_id(now),
        max_size=MIB,
        now=now,
        label=label,
    )
    record = in_trace(record, current_trace.get())
    holder = run_with(connection, lambda lent: insert_over(lent, tables, record))
    if holder is None:
        return record.execution_id
    if on_conflict == "raise":
        check_same_input(record, holder)
    return holder.execution_id
