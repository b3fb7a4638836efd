"""What is different about inserting over a caller's connection, by the database it leads to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from sqlalchemy import (
    VARBINARY,
    BigInteger,
    Connection,
    Insert,
    String,
    Table,
    Text,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.types import TypeDecorator, TypeEngine

from durable_execution.errors import InvalidOptionError
from durable_execution.storage.sql.mysql_clock import CLOCK
from durable_execution.storage.sql.rows import Value

WallClock = Callable[[], int]


class CallerDatabase(Protocol):
    """A kind of database, reached by whichever driver the caller has."""

    dialect_name: str
    """As storages call it."""
    has_snapshot: bool
    """Whether the caller's transaction may not see what is in its way, unless it locks that."""

    def __hash__(self) -> int: ...

    def now(self, connection: Connection, wall_clock: WallClock) -> int:
        """Return the milliseconds since the epoch by the clock that decides here."""
        ...

    def insert(self, connection: Connection, table: Table, values: Mapping[str, Value]) -> bool:
        """Insert a row unless one is in its way, and tell which; the transaction goes on."""
        ...

    def column_type(self, kind: TypeEngine[Any]) -> TypeEngine[Any]:
        """Return the type that carries a column's values, whatever the caller's connection does."""
        ...

    def is_undefined(self, error: DBAPIError) -> bool:
        """Whether the database lacks our tables or columns, whichever driver says it."""
        ...


def database_of(connection: Connection) -> CallerDatabase:
    """Return the kind of database that a connection leads to.

    Raises:
        InvalidOptionError: It is none that executions are kept in, or has no transactions.
    """
    name = connection.dialect.name
    if name not in _DATABASES:
        raise InvalidOptionError(
            f"connection must be one to {', '.join(_DATABASES)}, got one to {name}"
        )
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        raise InvalidOptionError(
            "connection must be one with transactions, got one with isolation level AUTOCOMMIT"
        )
    return _DATABASES[name]


class _Postgres:
    dialect_name = "postgresql"
    has_snapshot = False
    # Not `now()`, which stands still from the beginning of the caller's transaction.
    _CLOCK: Final = literal_column(
        "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)", BigInteger
    )
    _UNDEFINED: Final = frozenset({"42P01", "42703", "3F000"})
    """A table, a column and a schema that do not exist."""

    def now(self, connection: Connection, wall_clock: WallClock) -> int:
        return int(connection.execute(select(self._CLOCK)).scalar_one())

    def insert(self, connection: Connection, table: Table, values: Mapping[str, Value]) -> bool:
        new = postgresql.insert(table).values(values).on_conflict_do_nothing()
        return _is_new(connection, table, new)

    def column_type(self, kind: TypeEngine[Any]) -> TypeEngine[Any]:
        return kind

    def is_undefined(self, error: DBAPIError) -> bool:
        cause = error.orig
        code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        if code is None and cause is not None and cause.args and isinstance(cause.args[0], dict):
            code = cause.args[0].get("C")
        return code in self._UNDEFINED


class _Sqlite:
    dialect_name = "sqlite"
    has_snapshot = False
    _MISSING: Final = ("no such table", "has no column named")

    def now(self, connection: Connection, wall_clock: WallClock) -> int:
        return wall_clock()

    def insert(self, connection: Connection, table: Table, values: Mapping[str, Value]) -> bool:
        new = sqlite.insert(table).values(values).on_conflict_do_nothing()
        return _is_new(connection, table, new)

    def column_type(self, kind: TypeEngine[Any]) -> TypeEngine[Any]:
        return kind

    def is_undefined(self, error: DBAPIError) -> bool:
        return any(words in str(error.orig) for words in self._MISSING)


class _MySql:
    """A statement that meets a key is taken back alone, and leaves that row locked for reading."""

    dialect_name = "mysql"
    has_snapshot = True
    _DUPLICATE: Final = 1062
    _UNDEFINED: Final = frozenset({1049, 1054, 1146})
    """A database, a column and a table that do not exist."""

    def now(self, connection: Connection, wall_clock: WallClock) -> int:
        return int(connection.execute(select(literal_column(CLOCK, BigInteger))).scalar_one())

    def insert(self, connection: Connection, table: Table, values: Mapping[str, Value]) -> bool:
        try:
            connection.execute(insert(table).values(values))
        except IntegrityError as error:
            if _code_of(error) != self._DUPLICATE:
                raise
            return False
        return True

    def column_type(self, kind: TypeEngine[Any]) -> TypeEngine[Any]:
        is_id = isinstance(kind, String) and not isinstance(kind, Text)
        return _Bytes() if is_id else kind

    def is_undefined(self, error: DBAPIError) -> bool:
        return _code_of(error) in self._UNDEFINED


class _Bytes(TypeDecorator[str]):
    """Ids are bytes on MySQL, whatever character set the caller's connection has."""

    impl = VARBINARY
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> bytes | None:
        return None if value is None else value.encode()

    def process_result_value(self, value: Any, dialect: object) -> str | None:
        return None if value is None else bytes(value).decode()


def _is_new(connection: Connection, table: Table, new: Any) -> bool:
    # No target is named, so that a sleeping id that is taken does not end the transaction.
    returning: Insert = new.returning(table.c[0])
    return connection.execute(returning).first() is not None


def _code_of(error: DBAPIError) -> object:
    cause = error.orig
    code = getattr(cause, "errno", None)
    return code if code is not None or cause is None or not cause.args else cause.args[0]


_DATABASES: Final[Mapping[str, CallerDatabase]] = {
    "postgresql": _Postgres(),
    "sqlite": _Sqlite(),
    "mysql": _MySql(),
    "mariadb": _MySql(),
}
