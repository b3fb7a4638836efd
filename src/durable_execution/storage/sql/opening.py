"""SQL storages by URL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

from durable_execution.errors import InvalidOptionError
from durable_execution.storage.sql.sqlite_connection import OnStatement
from durable_execution.storage.sql.sqlite_driver import SYNCHRONOUS, SqliteDriver, Synchronous
from durable_execution.storage.sql.storage import SqlStorage
from durable_execution.storage.sql.url_options import parsed_url
from durable_execution.storage.table_names import DEFAULT_TABLES, TaskExecutionTables


def open_sqlite(
    url: str,
    *,
    clock: Callable[[], int],
    on_statement: OnStatement | None = None,
    tables: TaskExecutionTables = DEFAULT_TABLES,
    migrate: bool = True,
) -> SqlStorage:
    """Return the storage in the SQLite file that the URL names, not yet open.

    Raises:
        InvalidOptionError: The URL has a host, or options that are not known.
    """
    parsed = parsed_url(url)
    if parsed.get_driver_name() not in ("pysqlite", ""):
        raise InvalidOptionError(
            f"storage url has scheme {parsed.drivername!r}, expected plain 'sqlite'"
        )
    if parsed.host:
        raise InvalidOptionError(
            f"storage url names the host {parsed.host!r}: a relative file takes three slashes "
            "(sqlite:///path.db), an absolute one four (sqlite:////path.db)"
        )
    unknown = sorted(set(parsed.query) - {"synchronous"})
    if unknown:
        raise InvalidOptionError(
            f"storage url has unknown options {', '.join(unknown)}; known is synchronous"
        )
    synchronous = parsed.query.get("synchronous", "FULL")
    if not isinstance(synchronous, str) or synchronous.upper() not in SYNCHRONOUS:
        raise InvalidOptionError(
            f"storage url: synchronous must be one of {', '.join(SYNCHRONOUS)}, got {synchronous!r}"
        )
    if tables.schema is not None:
        raise InvalidOptionError(f"SQLite has no schemas, got the schema {tables.schema!r}")
    name = parsed.database
    path = None if name in (None, "", ":memory:") else Path(str(name))
    driver = SqliteDriver(
        path,
        clock=clock,
        synchronous=cast("Synchronous", synchronous.upper()),
        on_statement=on_statement,
        tables=tables,
        must_exist=not migrate,
    )
    return SqlStorage(driver, migrates=migrate)


def open_postgres(
    url: str,
    *,
    clock: Callable[[], int] | None,
    on_statement: OnStatement | None = None,
    tables: TaskExecutionTables = DEFAULT_TABLES,
    migrate: bool = True,
) -> SqlStorage:
    """Return the storage in the PostgreSQL database that the URL names, not yet open.

    Raises:
        InvalidOptionError: The URL has options that are not known, or the driver is not installed.
    """
    # Imported here, because the driver is an extra.
    try:
        from durable_execution.storage.sql.postgres_driver import PostgresDriver
        from durable_execution.storage.sql.postgres_url import read_url
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise InvalidOptionError(
            "storage url names PostgreSQL, whose driver is not installed: "
            "pip install 'durable-execution[postgres]'"
        ) from error
    place, pool_size = read_url(url)
    schema = tables.schema or place.schema
    if place.schema not in (None, schema):
        raise InvalidOptionError(
            f"storage url names the schema {place.schema!r}, the tables are in {schema!r}"
        )
    driver = PostgresDriver(
        replace(place, schema=schema),
        pool_size=pool_size,
        clock=clock,
        on_statement=on_statement,
        tables=replace(tables, schema=schema),
        creates_schema=migrate,
    )
    return SqlStorage(driver, migrates=migrate)


def open_mysql(
    url: str,
    *,
    clock: Callable[[], int] | None,
    on_statement: OnStatement | None = None,
    tables: TaskExecutionTables = DEFAULT_TABLES,
    migrate: bool = True,
) -> SqlStorage:
    """Return the storage in the MySQL or MariaDB database that the URL names, not yet open.

    Raises:
        InvalidOptionError: The URL has options that are not known, or the driver is not installed.
    """
    # Imported here, because the driver is an extra.
    try:
        from durable_execution.storage.sql.mysql_driver import MySqlDriver
        from durable_execution.storage.sql.mysql_url import read_url
    except ModuleNotFoundError as error:
        if error.name != "asyncmy":
            raise
        raise InvalidOptionError(
            "storage url names MySQL or MariaDB, whose driver is not installed: "
            "pip install 'durable-execution[mysql]'"
        ) from error
    place, pool_size = read_url(url)
    if tables.schema is not None:
        raise InvalidOptionError(
            f"here a schema is a database, which the URL names; got the schema {tables.schema!r}"
        )
    driver = MySqlDriver(
        place, pool_size=pool_size, clock=clock, on_statement=on_statement, tables=tables
    )
    return SqlStorage(driver, migrates=migrate)
