"""PostgreSQL: a few connections for one event loop, and one more that listens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

import asyncpg  # type: ignore[import-untyped]  # has no types

from durable_execution.errors import StorageError
from durable_execution.storage.sql.conflicts import past_conflicts
from durable_execution.storage.sql.driver import Statement, Transaction, Work
from durable_execution.storage.sql.pool import ConnectionPool
from durable_execution.storage.sql.postgres import PostgresDialect
from durable_execution.storage.sql.postgres_connection import (
    NO_SETTINGS,
    SETTINGS,
    UNLED_SETTINGS,
    Begin,
    Place,
    PostgresTransaction,
    opening_of,
    quoted,
)
from durable_execution.storage.sql.postgres_errors import (
    DRIVER_ERRORS,
    is_conflict,
    leaves_doubt,
    to_storage_error,
)
from durable_execution.storage.sql.postgres_listener import Listener
from durable_execution.storage.sql.postgres_schema import LOCK_SCHEMA
from durable_execution.storage.sql.postgres_servers import Servers
from durable_execution.storage.table_names import DEFAULT_TABLES, TaskExecutionTables

if TYPE_CHECKING:
    from durable_execution.storage.sql.postgres_connection import Connection, OnStatement

logger = logging.getLogger(__name__)

T = TypeVar("T")
_NOW: Final = Statement(
    "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)", ()
)
_TO_READ: Final[Begin] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_IS_REFUSED_SETTING: Final = "unsupported startup parameter"


class PostgresDriver:
    """A way to a PostgreSQL database.

    Args:
        place: Where the database is.
        pool_size: Connections at most, besides the one that listens.
        clock: Returns the milliseconds since the epoch, instead of the database's clock.
        on_statement: Hears the text of every statement.
        tables: What the tables are called; the schema is that of the place.
        creates_schema: Whether `open` creates that schema where it does not exist.
    """

    def __init__(
        self,
        place: Place,
        *,
        pool_size: int,
        clock: Callable[[], int] | None = None,
        on_statement: OnStatement | None = None,
        tables: TaskExecutionTables = DEFAULT_TABLES,
        creates_schema: bool = True,
    ) -> None:
        self._creates_schema = creates_schema
        self.dialect = PostgresDialect(has_clock=clock is not None, tables=tables)
        self._place = place
        self._servers = Servers(place)
        self._pool_size = pool_size
        self._clock = clock
        self._on_statement = on_statement
        self._is_pooled = bool(place.is_pooled)
        self._pool: ConnectionPool[Connection] | None = None
        self._listeners: set[Listener] = set()

    @property
    def can_notify(self) -> bool:  # noqa: D102
        return not self._is_pooled

    @property
    def is_deaf(self) -> bool:  # noqa: D102
        return any(listener.is_deaf for listener in self._listeners)

    async def open(self) -> None:  # noqa: D102
        if self._pool is not None:
            return
        pool = ConnectionPool(self._connect, self._pool_size, leaves_doubt)
        try:
            async with pool.lent() as connection:
                is_pooled = await self._find_out(connection)
                await self._create_schema(connection)
            if is_pooled != self._is_pooled:
                self._is_pooled = is_pooled
                await pool.close()  # these connections were opened for a server of their own
                pool = ConnectionPool(self._connect, self._pool_size, leaves_doubt)
        except BaseException as error:
            await pool.close()
            if isinstance(error, DRIVER_ERRORS):
                raise to_storage_error(error, self._place.name) from error
            raise
        self._pool = pool

    async def close(self) -> None:  # noqa: D102
        listeners, self._listeners = self._listeners, set()
        for listener in listeners:
            await listener.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    def sibling(self) -> PostgresDriver:  # noqa: D102
        return PostgresDriver(
            self._place,
            pool_size=self._pool_size,
            clock=self._clock,
            on_statement=self._on_statement,
            tables=self.dialect.tables,
            creates_schema=self._creates_schema,
        )

    def clock(self) -> int:  # noqa: D102
        return 0 if self._clock is None else self._clock()

    async def now(self) -> int:  # noqa: D102
        if self._clock is not None:
            return self._clock()

        async def ask(transaction: Transaction) -> int:
            ((now,),) = await transaction.fetch(_NOW)
            return int(now or 0)

        return await self.read(ask, is_single=True)

    async def write(self, work: Work[T], *, is_single: bool = False) -> T:  # noqa: D102
        return await self._run(work, "BEGIN", is_single=is_single)

    async def read(self, work: Work[T], *, is_single: bool = False) -> T:  # noqa: D102
        return await self._run(work, _TO_READ, is_single=is_single)

    async def look_up(self, work: Work[T]) -> T:  # noqa: D102
        return await self.read(work, is_single=True)

    async def scan(self, work: Work[T], *, is_led: bool = True) -> T:  # noqa: D102
        return await self._run(work, _TO_READ, settings=NO_SETTINGS if is_led else UNLED_SETTINGS)

    def listen(self, on_change: Callable[[], None]) -> Callable[[], None]:  # noqa: D102
        pool = self._opened()
        if self._is_pooled:
            logger.info("behind a pooler nobody can listen: changes are found by polling")
            return _do_nothing
        table = self.dialect.tables.name
        listener = Listener(self._connect, pool.is_own, on_change, table=table)
        self._listeners.add(listener)

        def stop() -> None:
            self._listeners.discard(listener)
            listener.stop()

        return stop

    async def _run(
        self,
        work: Work[T],
        begin: Begin,
        *,
        is_single: bool = False,
        settings: Mapping[str, str] = NO_SETTINGS,
    ) -> T:
        pool = self._opened()
        opening = None
        if not is_single or self._is_pooled:
            opening = opening_of(begin, self._place, settings, is_pooled=self._is_pooled)
        return await past_conflicts(
            lambda: self._attempt(pool, work, opening),
            driver_errors=DRIVER_ERRORS,
            is_conflict=is_conflict,
            to_storage_error=lambda error: to_storage_error(error, self._place.name),
        )

    async def _attempt(
        self, pool: ConnectionPool[Connection], work: Work[T], opening: str | None
    ) -> T:
        async with pool.lent() as connection:
            transaction = PostgresTransaction(connection, self._on_statement)
            if opening is None:
                return await work(transaction)
            await self._say(connection, opening)
            try:
                result = await work(transaction)
                await self._say(connection, "COMMIT")
            except Exception as error:
                if not leaves_doubt(error) and not connection.is_closed():
                    await self._say(connection, "ROLLBACK")
                raise
        return result

    async def _say(self, connection: Connection, text: str) -> None:
        if self._on_statement is not None:
            self._on_statement(text)
        await connection.execute(text)

    async def _connect(self) -> Connection:
        if self._is_pooled:
            return await self._servers.connect(is_pooled=True)
        try:
            return await self._servers.connect(is_pooled=False)
        except asyncpg.PostgresError as error:
            if self._place.is_pooled is None and _IS_REFUSED_SETTING in str(error):
                self._is_pooled = True
                return await self._servers.connect(is_pooled=True)
            raise

    async def _find_out(self, connection: Connection) -> bool:
        """Whether a pooler is in between: it may have dropped the settings without a word."""
        if self._place.is_pooled is not None or self._is_pooled:
            return self._is_pooled
        async with connection.transaction():  # to one server, even if there is a pooler
            setting = await connection.fetchval("SHOW plan_cache_mode")
        return bool(setting != SETTINGS["plan_cache_mode"])

    async def _create_schema(self, connection: Connection) -> None:
        schema = self._place.schema
        if schema is None or not self._creates_schema:
            return
        # Asked first, because a user who may not create schemas may use one that exists.
        async with connection.transaction():
            found = await connection.fetchval("SELECT to_regnamespace($1)::text", quoted(schema))
            if found is None:
                await connection.execute(LOCK_SCHEMA)
                await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")

    def _opened(self) -> ConnectionPool[Connection]:
        if self._pool is None:
            raise StorageError("the storage is not open: await storage.open() first")
        return self._pool


def _do_nothing() -> None:
    return
