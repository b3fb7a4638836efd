"""SQLite: one connection that writes, one that reads, each in its thread, and one for small reads.

The file is in WAL mode, so that readers and the writer do not wait for each other, and several
processes may share it. A writing transaction takes the lock when it begins (`BEGIN IMMEDIATE`):
one that began by reading could be refused the lock later, whatever the timeout.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, TypeVar, get_args

from durable_execution.errors import StorageError
from durable_execution.storage.sql.driver import Work
from durable_execution.storage.sql.sqlite import SqliteDialect
from durable_execution.storage.sql.sqlite_connection import OnStatement, SqliteConnection
from durable_execution.storage.sql.sqlite_lock import BUSY_TIMEOUT
from durable_execution.storage.sql.sqlite_near import NearReader, NotNearError
from durable_execution.storage.sql.sqlite_watch import FileWatch
from durable_execution.storage.table_names import DEFAULT_TABLES, TaskExecutionTables

T = TypeVar("T")
Synchronous = Literal["FULL", "NORMAL"]
SYNCHRONOUS: Final[tuple[str, ...]] = get_args(Synchronous)
_WAL_RETRY: Final = 0.005
"""Seconds between tries to switch to WAL, which does not wait for locks by itself."""
_CACHE_KIB: Final = 4 * 1024
_CACHE_TO_READ_KIB: Final = 1024


class SqliteDriver:
    """A way to an SQLite file, or to a database in memory that its siblings share.

    Args:
        path: The file, created when it does not exist; None for a database in memory.
        clock: Returns the milliseconds since the epoch.
        synchronous: FULL (the default) makes every commit survive a power loss. NORMAL is faster;
            it keeps every commit when a process dies, but the last ones may be lost with the power.
        on_statement: Hears the text of every statement, in a thread of the driver.
        tables: What the tables are called.
        must_exist: Whether a file that does not exist is refused instead of created.
    """

    can_notify = True
    is_deaf = False

    def __init__(
        self,
        path: Path | None,
        *,
        clock: Callable[[], int],
        synchronous: Synchronous = "FULL",
        on_statement: OnStatement | None = None,
        tables: TaskExecutionTables = DEFAULT_TABLES,
        must_exist: bool = False,
    ) -> None:
        self.dialect = SqliteDialect(tables)
        self._must_exist = must_exist
        self.clock = clock
        self._path = path
        self._synchronous = synchronous
        self._on_statement = on_statement
        name = ":memory:" if path is None else str(path)
        self._writer = SqliteConnection(self._connect_writer, name, on_statement)
        self._reader = (
            self._writer
            if path is None
            else SqliteConnection(self._connect_readers, name, on_statement)
        )
        # What reads long has a thread of its own, so that the executor's short reads do not queue.
        self._scanner = (
            self._writer
            if path is None
            else SqliteConnection(self._connect_reader, name, on_statement)
        )
        self._near = NearReader(self._connect_near, on_statement)
        self._users = 0
        self._switching = asyncio.Lock()

    async def open(self) -> None:  # noqa: D102
        async with self._switching:
            if self._users == 0:
                await self._connect_all()
            self._users += 1

    async def close(self) -> None:  # noqa: D102
        async with self._switching:
            self._users -= 1
            if self._users == 0:
                await self._disconnect_all()

    def sibling(self) -> SqliteDriver:
        """Return the driver itself: its threads serve any event loop.

        A second connection would wait for the same lock of the file, and its commits would look
        like those of another process.
        """
        return self

    async def now(self) -> int:  # noqa: D102
        return self.clock()

    async def write(self, work: Work[T], *, is_single: bool = False) -> T:  # noqa: D102
        return await self._writer.run(work, "BEGIN IMMEDIATE")

    async def read(self, work: Work[T], *, is_single: bool = False) -> T:  # noqa: D102
        return await self._reader.run(work, "BEGIN")

    async def look_up(self, work: Work[T]) -> T:  # noqa: D102
        try:
            return self._near.run(work)
        except NotNearError:
            return await self.read(work, is_single=True)

    async def scan(self, work: Work[T], *, is_led: bool = True) -> T:  # noqa: D102
        return await self._scanner.run(work, "BEGIN")

    def listen(self, on_change: Callable[[], None]) -> Callable[[], None]:  # noqa: D102
        if self._path is None:
            return _do_nothing
        log = self._path.with_name(f"{self._path.name}-wal")
        watch = FileWatch((log, self._path), lambda: self._writer.ask("data_version"), on_change)
        return watch.stop

    async def _connect_all(self) -> None:
        try:
            for connection in self._connections():
                await connection.open()
        except BaseException:
            await self._disconnect_all()
            raise

    async def _disconnect_all(self) -> None:
        self._near.close()
        # The writer last: the last connection that closes empties the log, which readers cannot.
        for connection in reversed(self._connections()):
            await connection.close()

    def _connections(self) -> list[SqliteConnection]:
        return list(dict.fromkeys((self._writer, self._reader, self._scanner)))

    def _connect_writer(self) -> sqlite3.Connection:
        connection = self._connect(cache_kib=_CACHE_KIB)
        try:
            if self._path is not None:
                _switch_to_wal(connection, self._path)
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            # Who begins a transaction waits for the lock, by `begin_transaction`.
            connection.execute("PRAGMA busy_timeout = 0")
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect_readers(self) -> sqlite3.Connection:
        self._near.open()
        return self._connect_reader()

    def _connect_reader(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _connect_near(self) -> sqlite3.Connection:
        connection = self._connect(is_shared=True)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA busy_timeout = 0")
        return connection

    def _connect(
        self, *, cache_kib: int = _CACHE_TO_READ_KIB, is_shared: bool = False
    ) -> sqlite3.Connection:
        if self._must_exist and self._path is not None and not self._path.exists():
            raise StorageError(f"SQLite, {self._path}: there is no such file")
        name = ":memory:" if self._path is None else str(self._path)
        connection = sqlite3.connect(
            name, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=not is_shared
        )
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection


def _switch_to_wal(connection: sqlite3.Connection, path: Path) -> None:
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_WAL_RETRY)
            continue
        if mode != "wal":
            raise StorageError(
                f"SQLite, {path}: the file system does not allow a write-ahead log; "
                "use a local disk"
            )
        return


def _do_nothing() -> None:
    return
