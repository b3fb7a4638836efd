"""Inserting over a connection of the caller's, inside the transaction that it is in.

The statements are compiled by SQLAlchemy for the caller's own driver, whichever that is. What the
caller's database refuses for other reasons than ours (a lost connection, a serialization failure)
passes unchanged: the caller's own way of trying again sees what it expects.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import Column, Connection, MetaData, Select, Table, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, scoped_session

from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import (
    DuplicateSleepingIdError,
    InvalidOptionError,
    StorageError,
    StorageUnavailableError,
)
from durable_execution.storage.sql.caller_databases import CallerDatabase, database_of
from durable_execution.storage.sql.rows import FIELDS, TAG, to_record, to_row
from durable_execution.storage.sql.schema import executions, tags
from durable_execution.storage.table_names import TaskExecutionTables

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session

    SyncConnection: TypeAlias = Connection | Session | scoped_session[Any]
    CallerConnection: TypeAlias = (
        SyncConnection | AsyncConnection | AsyncSession | async_scoped_session[Any]
    )

ResultT = TypeVar("ResultT")
Work: TypeAlias = Callable[[Connection], ResultT]


class Tables(NamedTuple):
    """The tables that an enqueue writes."""

    executions: Table
    tags: Table


def run_with(connection: SyncConnection, work: Work[ResultT]) -> ResultT:
    """Run work on a connection, or on that of a session.

    Raises:
        InvalidOptionError: It is neither, or asynchronous.
    """
    if isinstance(connection, scoped_session):
        connection = connection()
    if isinstance(connection, Session):
        connection = connection.connection()
    if not isinstance(connection, Connection):
        raise InvalidOptionError(
            "connection must be a Connection or a Session of SQLAlchemy, "
            f"got {type(connection).__name__}"
        )
    return work(connection)


async def run_with_any(connection: CallerConnection, work: Work[ResultT]) -> ResultT:
    """Do the same for asynchronous ones, too; others block the event loop meanwhile.

    Raises:
        InvalidOptionError: It is none of the four.
    """
    # Only where it is loaded already: it needs a package that only its users have.
    if "sqlalchemy.ext.asyncio" in sys.modules:
        from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session

        if isinstance(connection, async_scoped_session):
            connection = connection()
        if isinstance(connection, AsyncSession):
            return await connection.run_sync(lambda session: run_with(session, work))
        if isinstance(connection, AsyncConnection):
            return await connection.run_sync(work)
    if isinstance(connection, Connection | Session | scoped_session):
        return run_with(connection, work)
    raise InvalidOptionError(
        "connection must be a Connection, a Session, an AsyncConnection or an AsyncSession of "
        f"SQLAlchemy, got {type(connection).__name__}"
    )


def dialect_of(connection: Connection) -> str:
    """Return the name of the dialect of storages in the database of a connection.

    Raises:
        InvalidOptionError: The database is of no kind that executions are kept in.
    """
    return database_of(connection).dialect_name


def insert_over(
    connection: Connection, tables: TaskExecutionTables, record: ExecutionRecord
) -> ExecutionRecord | None:
    """Insert a row and its tags, as `TransactionalStorage.insert_with` says."""
    database = database_of(connection)
    try:
        return _insert(connection, database, _tables(tables, database), record)
    except DBAPIError as error:
        if not database.is_undefined(error):
            raise
        raise StorageError(
            f"the database of the connection has no table {tables.name} of this release: let an "
            "executor open it, or run durable-execution db upgrade; and see that the schema is "
            f"the same ({error.orig})"
        ) from error


def clock_of(connection: Connection, wall_clock: Callable[[], int]) -> int:
    """Return the milliseconds since the epoch by the clock that decides in this database.

    Raises:
        InvalidOptionError: The database is of no kind that executions are kept in.
    """
    return database_of(connection).now(connection, wall_clock)


def _insert(
    connection: Connection, database: CallerDatabase, tables: Tables, record: ExecutionRecord
) -> ExecutionRecord | None:
    if database.has_snapshot:
        # What can be seen to be in the way is not locked until the caller commits.
        holder = _in_the_way(connection, tables.executions, record)
        if holder is not None:
            return holder
    values = dict(zip(FIELDS, to_row(record), strict=True))
    if not database.insert(connection, tables.executions, values):
        holder = _in_the_way(
            connection, tables.executions, record, has_to_lock=database.has_snapshot
        )
        if holder is None:
            raise StorageUnavailableError(
                "an execution with this key or sleeping id is not in the transaction's snapshot, "
                "or was just deleted: begin the transaction again"
            )
        return holder
    for name, value in record.tags:
        row = dict(zip(TAG, (name, value, record.execution_id), strict=True))
        database.insert(connection, tables.tags, row)
    return None


def _in_the_way(
    connection: Connection, table: Table, record: ExecutionRecord, *, has_to_lock: bool = False
) -> ExecutionRecord | None:
    """Return the row that has the key; look for the sleeping id only after that.

    Raises:
        DuplicateSleepingIdError: Another row has the sleeping id.
    """
    columns = table.c
    if record.idempotency_key is not None:
        holder = select(*[columns[name] for name in FIELDS]).where(
            columns.task_id == record.task_id, columns.idempotency_key == record.idempotency_key
        )
        found = connection.execute(_read(holder, has_to_lock=has_to_lock)).first()
        if found is not None:
            return to_record(tuple(found))
    if record.sleeping_unique_id is not None:
        owner = select(columns.execution_id).where(
            columns.sleeping_unique_id == record.sleeping_unique_id
        )
        if connection.execute(_read(owner, has_to_lock=has_to_lock)).first() is not None:
            raise DuplicateSleepingIdError(record.sleeping_unique_id)
    return None


def _read(query: Select[Any], *, has_to_lock: bool) -> Select[Any]:
    """Return the query; one that locks sees what is there now, not what was in the snapshot."""
    return query.with_for_update(read=True) if has_to_lock else query


@lru_cache(maxsize=64)
def _tables(names: TaskExecutionTables, database: CallerDatabase) -> Tables:
    metadata = MetaData(schema=names.schema)
    return Tables(
        *[
            Table(
                names.named(table.name),
                metadata,
                *[Column(each.name, database.column_type(each.type)) for each in table.c],
            )
            for table in (executions, tags)
        ]
    )
