"""What the database is, asked of itself: for those who look after it."""

from __future__ import annotations

from typing import Final, NamedTuple

from durable_execution.storage.sql.driver import SqlDialect, Statement, Transaction
from durable_execution.storage.sql.schema import INDEXES, SQLITE_ONLY

_NAMES: Final = {"mysql": "MySQL", "postgresql": "PostgreSQL", "sqlite": "SQLite"}
_VERSION: Final = {
    "mysql": "SELECT VERSION()",
    "postgresql": "SHOW server_version",
    "sqlite": "SELECT sqlite_version()",
}
_INDEXES: Final = {
    "mysql": "SELECT DISTINCT index_name FROM information_schema.statistics "
    "WHERE table_schema = DATABASE()",
    "postgresql": "SELECT indexname::text FROM pg_indexes "
    "WHERE schemaname = ANY(current_schemas(false))",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
}
_CONNECTIONS: Final = {
    "mysql": "SELECT (SELECT COUNT(*) FROM information_schema.processlist), @@max_connections",
    "postgresql": "SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity "
    "WHERE backend_type = 'client backend'",
}


class ServerFacts(NamedTuple):
    """A database as it describes itself. Connections are None where there are none to run out."""

    name: str
    version: str
    missing_indexes: tuple[str, ...]
    connections: int | None
    max_connections: int | None


async def server_facts(transaction: Transaction, dialect: SqlDialect) -> ServerFacts:
    """Ask the database what it is, and which of our indexes it lacks."""

    async def ask(text: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in await transaction.fetch(Statement(text, ()))]

    version = str((await ask(_VERSION[dialect.name]))[0][0])
    there = {str(row[0]) for row in await ask(_INDEXES[dialect.name])}
    wanted = [str(index.name) for index in INDEXES]
    if dialect.name != "sqlite":
        wanted = [name for name in wanted if name not in SQLITE_ONLY]
    missing = [name for name in map(dialect.tables.named, wanted) if name not in there]
    taken: tuple[int | None, int | None] = (None, None)
    if dialect.name in _CONNECTIONS:
        ((number, limit),) = await ask(_CONNECTIONS[dialect.name])
        taken = int(str(number)), int(str(limit))
    name = "MariaDB" if "MariaDB" in version else _NAMES[dialect.name]
    return ServerFacts(name, version, tuple(missing), *taken)
