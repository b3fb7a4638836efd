"""Inserting over a connection of the caller's, inside the transaction that it is in.

The statements are compiled by SQLAlchemy for the caller's own driver, whichever that is. What the
caller's database refuses for other reasons than ours (a lost connection, a serialization failure)
passes unchanged: the caller's own way of trying again sees what it expects.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Insert,
    MetaData,
    Table,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, scoped_session

from durable_execution._core.record import ExecutionRecord
from durable_execution.errors import (
    DuplicateSleepingIdError,
    InvalidOptionError,
    StorageError,
    StorageUnavailableError,
)
from durable_execution.storage.sql.rows import FIELDS, TAG, Value, to_record, to_row
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
NewRow: TypeAlias = Callable[[Table, Mapping[str, Value]], Insert]

# Not `now()`, which stands still from the beginning of the caller's transaction.
_CLOCK: Final = literal_column(
    "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)", BigInteger
)
_UNDEFINED: Final = frozenset({"42P01", "42703", "3F000"})
"""PostgreSQL's codes for a table, a column and a schema that do not exist."""
_MISSING: Final = ("no such table", "has no column named")
"""How SQLite says so."""


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


def insert_over(
    connection: Connection, tables: TaskExecutionTables, record: ExecutionRecord
) -> ExecutionRecord | None:
    """Insert a row and its tags, as `TransactionalStorage.insert_with` says."""
    new_row = _new_row_of(connection)
    try:
        return _insert(connection, new_row, _tables(tables), record)
    except DBAPIError as error:
        if not _is_undefined(error):
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
    _new_row_of(connection)
    if connection.dialect.name == "sqlite":
        return wall_clock()
    return int(connection.execute(select(_CLOCK)).scalar_one())


def _new_row_of(connection: Connection) -> NewRow:
    name = connection.dialect.name
    if name not in _NEW_ROW:
        raise InvalidOptionError(
            f"connection must be one to {' or '.join(_NEW_ROW)}, got one to {name}"
        )
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        raise InvalidOptionError(
            "connection must be one with transactions, got one with isolation level AUTOCOMMIT"
        )
    return _NEW_ROW[name]


def _insert(
    connection: Connection, new_row: NewRow, tables: Tables, record: ExecutionRecord
) -> ExecutionRecord | None:
    row = new_row(tables.executions, dict(zip(FIELDS, to_row(record), strict=True)))
    new = connection.execute(row.returning(tables.executions.c.execution_id)).first()
    if new is None:
        return _in_the_way(connection, tables.executions, record)
    for name, value in record.tags:
        values = dict(zip(TAG, (name, value, record.execution_id), strict=True))
        connection.execute(new_row(tables.tags, values))
    return None


def _in_the_way(
    connection: Connection, table: Table, record: ExecutionRecord
) -> ExecutionRecord | None:
    """Return the row that has the key; look for the sleeping id only after that."""
    columns = table.c
    if record.idempotency_key is not None:
        holder = select(*[columns[name] for name in FIELDS]).where(
            columns.task_id == record.task_id, columns.idempotency_key == record.idempotency_key
        )
        found = connection.execute(holder).first()
        if found is not None:
            return to_record(tuple(found))
    if record.sleeping_unique_id is not None:
        owner = select(columns.execution_id).where(
            columns.sleeping_unique_id == record.sleeping_unique_id
        )
        if connection.execute(owner).first() is not None:
            raise DuplicateSleepingIdError(record.sleeping_unique_id)
    raise StorageUnavailableError(
        "an execution with this key or sleeping id is not in the transaction's snapshot, or was "
        "just deleted: begin the transaction again"
    )


@lru_cache(maxsize=64)
def _tables(names: TaskExecutionTables) -> Tables:
    metadata = MetaData(schema=names.schema)
    return Tables(
        *[
            Table(
                names.named(table.name),
                metadata,
                *[Column(each.name, each.type) for each in table.c],
            )
            for table in (executions, tags)
        ]
    )


# No target is named, so that a sleeping id that is taken does not end the caller's transaction.
def _sqlite_row(table: Table, values: Mapping[str, Value]) -> Insert:
    return sqlite.insert(table).values(values).on_conflict_do_nothing()


def _postgres_row(table: Table, values: Mapping[str, Value]) -> Insert:
    return postgresql.insert(table).values(values).on_conflict_do_nothing()


_NEW_ROW: Final[Mapping[str, NewRow]] = {"postgresql": _postgres_row, "sqlite": _sqlite_row}


def _is_undefined(error: DBAPIError) -> bool:
    """Whether it was the tables that the database does not have, whichever driver says it."""
    cause = error.orig
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if code is None and cause is not None and cause.args and isinstance(cause.args[0], dict):
        code = cause.args[0].get("C")
    return code in _UNDEFINED or any(words in str(cause) for words in _MISSING)
