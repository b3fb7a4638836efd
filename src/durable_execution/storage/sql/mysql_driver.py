"""MySQL and MariaDB: a few connections for one event loop.

The servers cannot tell of changes. Whoever made some rings for others, as well as that goes, and
those look all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from durable_execution.errors import StorageError
from durable_execution.storage.sql.conflicts import past_conflicts
from durable_execution.storage.sql.driver import Work
from durable_execution.storage.sql.mysql import MySqlDialect
from durable_execution.storage.sql.mysql_bells import Ringer, bells_of, is_news
from durable_execution.storage.sql.mysql_clock import CLOCK, SET_NOW
from durable_execution.storage.sql.mysql_connection import (
    MySqlConnection,
    Place,
    connect,
)
from durable_execution.storage.sql.mysql_errors import (
    DRIVER_ERRORS,
    is_conflict,
    leaves_doubt,
    to_storage_error,
)
from durable_execution.storage.sql.mysql_listener import Listener
from durable_execution.storage.sql.mysql_transaction import MySqlTransaction, UnknownMatchError
from durable_execution.storage.sql.pool import ConnectionPool
from durable_execution.storage.table_names import DEFAULT_TABLES, TaskExecutionTables

if TYPE_CHECKING:
    from durable_execution.storage.sql.mysql_connection import OnStatement

T = TypeVar("T")
_NOW: Final = f"SELECT {CLOCK}"
_TO_WRITE: Final = ("START TRANSACTION", SET_NOW)
_TO_READ: Final = (
    SET_NOW,
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)


class MySqlDriver:
    """A way to a database of MySQL or MariaDB.

    Args:
        place: Where the database is.
        pool_size: Connections at most.
        clock: Returns the milliseconds since the epoch, instead of the database's clock.
        on_statement: Hears the text of every statement.
        tables: What the tables are called.
    """

    can_notify = False
    is_deaf = False

    def __init__(
        self,
        place: Place,
        *,
        pool_size: int,
        clock: Callable[[], int] | None = None,
        on_statement: OnStatement | None = None,
        tables: TaskExecutionTables = DEFAULT_TABLES,
    ) -> None:
        self.dialect = MySqlDialect(has_clock=clock is not None, tables=tables)
        self._place = place
        self._pool_size = pool_size
        self._clock = clock
        self._on_statement = on_statement
        self._pool: ConnectionPool[MySqlConnection] | None = None
        self._bells = bells_of(str(place.options.get("database")), tables.name)
        self._ringer: Ringer | None = None
        self._listeners: set[Listener] = set()

    async def open(self) -> None:  # noqa: D102
        if self._pool is not None:
            return
        pool = ConnectionPool(self._connect, self._pool_size, leaves_doubt)
        try:
            async with pool.lent():
                pass  # that there is a server shows here, not at the first use
        except DRIVER_ERRORS as error:
            await pool.close()
            raise to_storage_error(error, self._place.name) from error
        self._pool = pool
        self._ringer = Ringer(pool.lent, self._bells, self._is_own)

    async def close(self) -> None:  # noqa: D102
        listeners, self._listeners = self._listeners, set()
        for listener in listeners:
            await listener.close()
        ringer, self._ringer = self._ringer, None
        if ringer is not None:
            await ringer.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    def sibling(self) -> MySqlDriver:  # noqa: D102
        return MySqlDriver(
            self._place,
            pool_size=self._pool_size,
            clock=self._clock,
            on_statement=self._on_statement,
            tables=self.dialect.tables,
        )

    def clock(self) -> int:  # noqa: D102
        return 0 if self._clock is None else self._clock()

    async def now(self) -> int:  # noqa: D102
        if self._clock is not None:
            return self._clock()
        try:
            async with self._opened().lent() as connection:
                (answer,) = await connection.run([_NOW])
        except DRIVER_ERRORS as error:
            raise to_storage_error(error, self._place.name) from error
        return int(str(answer.rows[0][0]))

    async def write(self, work: Work[T], *, is_single: bool = False) -> T:
        """Run work in a transaction.

        With `is_single` it has none where one statement, here, too, does all that a call asks for.
        """
        return await self._run(work, _TO_WRITE, is_single=is_single)

    async def read(self, work: Work[T], *, is_single: bool = False) -> T:  # noqa: D102
        return await self._run(work, () if is_single else _TO_READ)

    async def look_up(self, work: Work[T]) -> T:  # noqa: D102
        return await self.read(work, is_single=True)

    async def scan(self, work: Work[T], *, is_led: bool = True) -> T:  # noqa: D102
        return await self.read(work)

    def listen(self, on_change: Callable[[], None]) -> Callable[[], None]:  # noqa: D102
        self._opened()
        listener = Listener(self._connect, self._bells, on_change)
        self._listeners.add(listener)

        def stop() -> None:
            self._listeners.discard(listener)
            listener.stop()

        return stop

    async def _run(self, work: Work[T], begin: Sequence[str], *, is_single: bool = False) -> T:
        pool = self._opened()

        async def attempt() -> T:
            try:
                return await self._attempt(pool, work, begin, is_single=is_single)
            except UnknownMatchError:
                return await self._attempt(pool, work, begin, is_row_by_row=True)

        return await past_conflicts(
            attempt,
            driver_errors=DRIVER_ERRORS,
            is_conflict=is_conflict,
            to_storage_error=lambda error: to_storage_error(error, self._place.name),
        )

    async def _attempt(
        self,
        pool: ConnectionPool[MySqlConnection],
        work: Work[T],
        begin: Sequence[str],
        *,
        is_single: bool = False,
        is_row_by_row: bool = False,
    ) -> T:
        async with pool.lent() as connection:
            transaction = MySqlTransaction(
                connection,
                begin,
                is_single=is_single,
                is_row_by_row=is_row_by_row,
                tell=self._on_statement,
                is_news=self._is_news,
            )
            try:
                result = await work(transaction)
                await transaction.commit()
            except Exception as error:
                if not leaves_doubt(error) and not connection.is_closed():
                    await transaction.roll_back(self.dialect.schema_unlock)
                raise
        if transaction.has_news and self._ringer is not None:
            self._ringer.ring()
        return result

    async def _connect(self) -> MySqlConnection:
        return await connect(self._place)

    def _opened(self) -> ConnectionPool[MySqlConnection]:
        if self._pool is None:
            raise StorageError("the storage is not open: await storage.open() first")
        return self._pool

    def _is_news(self, text: str) -> bool:
        return is_news(text, self.dialect.tables.name)

    def _is_own(self, pid: int) -> bool:
        return any(listener.pid == pid for listener in self._listeners)
