"""Storages by URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from durable_execution.errors import InvalidOptionError
from durable_execution.storage.memory import InMemoryStorage, wall_clock
from durable_execution.storage.protocol import Storage
from durable_execution.storage.table_names import DEFAULT_TABLES, TaskExecutionTables

_KNOWN: Final = (
    "memory://, sqlite:///relative/path.db, sqlite:////absolute/path.db, "
    "postgresql://user:password@host/database, mysql://user:password@host/database, "
    "mariadb://user:password@host/database"
)


def open_storage(
    url: str,
    *,
    clock: Callable[[], int] = wall_clock,
    on_statement: Callable[[str], None] | None = None,
    tables: TaskExecutionTables = DEFAULT_TABLES,
    migrate: bool = True,
) -> Storage:
    """Return the storage that a URL names, not yet open. No I/O takes place.

    - `memory://`: in the memory of this process.
    - `sqlite:///relative/path.db`, `sqlite:////absolute/path.db`: a file, which several processes
      may share. `?synchronous=NORMAL` trades the last commits before a power loss for speed.
    - `sqlite://`: an SQLite database in memory, for tests.
    - `postgresql://user:password@host:port/database`: a PostgreSQL database, 12 or later.
      `?schema=name` keeps the tables in that schema; `?pool_size=10` is the most connections, one
      more listens; `?pgbouncer=true` says that a pooler lends connections for one transaction at a
      time, where it is not noticed; `?sslmode=` as libpq has it. Of several hosts, as in
      `host:port,host:port`, it is the one that takes writes, today and after a failover.
    - `mysql://user:password@host:port/database`, `mariadb://…`: MySQL 8.0.16 or later, MariaDB 10.6
      or later. They do not promise to tell of changes, so executors look every second, too.
      `?pool_size=10` is the most connections, besides one that listens; `?ssl=require` encrypts,
      `?ssl=verify-full&ssl_ca=file` checks whom it is talking to, `?unix_socket=` is a path.

    Args:
        url: The URL.
        clock: Returns the milliseconds since the epoch. On servers it is the database's own
            clock that decides unless another one is given.
        on_statement: Hears the text of every SQL statement, in a thread of the storage.
        tables: What the tables are called. A schema may be named here or in the URL.
        migrate: Whether opening creates the tables and brings them up to date. Without, it changes
            nothing and refuses tables that are not those of this release: for tables that your own
            migrations make, and for users of the database who may not create any.

    Raises:
        InvalidOptionError: The URL names no storage that this release has.
    """
    scheme, separator, _ = url.partition("://")
    backend = scheme.partition("+")[0].lower()
    if not separator:
        raise InvalidOptionError(f"storage url has no scheme, expected one of {_KNOWN}")
    if backend == "memory":
        return InMemoryStorage(clock=clock)
    if backend == "sqlite":
        # Imported here, so that storages in memory do not load SQLAlchemy.
        from durable_execution.storage.sql.opening import open_sqlite

        return open_sqlite(
            url, clock=clock, on_statement=on_statement, tables=tables, migrate=migrate
        )
    if backend in ("postgresql", "postgres"):
        from durable_execution.storage.sql.opening import open_postgres

        own_clock = None if clock is wall_clock else clock
        return open_postgres(
            url, clock=own_clock, on_statement=on_statement, tables=tables, migrate=migrate
        )
    if backend in ("mysql", "mariadb"):
        from durable_execution.storage.sql.opening import open_mysql

        own_clock = None if clock is wall_clock else clock
        return open_mysql(
            url, clock=own_clock, on_statement=on_statement, tables=tables, migrate=migrate
        )
    raise InvalidOptionError(f"storage url has unknown scheme {scheme!r}, expected one of {_KNOWN}")
