"""Storages by URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from durable_execution.errors import InvalidOptionError
from durable_execution.storage.memory import InMemoryStorage, wall_clock
from durable_execution.storage.protocol import Storage

_NOT_YET: Final = frozenset({"postgresql", "postgres", "mysql", "mariadb"})
_KNOWN: Final = "memory://, sqlite:///relative/path.db, sqlite:////absolute/path.db"


def open_storage(
    url: str,
    *,
    clock: Callable[[], int] = wall_clock,
    on_statement: Callable[[str], None] | None = None,
) -> Storage:
    """Return the storage that a URL names, not yet open. No I/O takes place.

    - `memory://`: in the memory of this process.
    - `sqlite:///relative/path.db`, `sqlite:////absolute/path.db`: a file, which several processes
      may share. `?synchronous=NORMAL` trades the last commits before a power loss for speed.
    - `sqlite://`: an SQLite database in memory, for tests.

    Args:
        url: The URL.
        clock: Returns the milliseconds since the epoch.
        on_statement: Hears the text of every SQL statement, in a thread of the storage.

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

        return open_sqlite(url, clock=clock, on_statement=on_statement)
    if backend in _NOT_YET:
        raise InvalidOptionError(
            f"storage url has scheme {scheme!r}: its driver is not part of this release, "
            f"which knows {_KNOWN}"
        )
    raise InvalidOptionError(f"storage url has unknown scheme {scheme!r}, expected one of {_KNOWN}")
