"""Which schema a database has, found out without changing anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import literal_column, select
from sqlalchemy.schema import CreateTable

from durable_execution.errors import StorageError
from durable_execution.storage.sql.driver import SqlDialect, Statement, Transaction
from durable_execution.storage.sql.migrations import STEPS, unknown_version
from durable_execution.storage.sql.schema import (
    executions,
    executors,
    progress,
    schema_version,
    tags,
)
from durable_execution.storage.sql.statements import Statements, compiled

_EXISTS: Final = {
    "mysql": "SELECT count(*) FROM information_schema.tables "
    "WHERE table_schema = DATABASE() AND table_name = '{}'",
    "postgresql": "SELECT count(*) WHERE to_regclass('{}') IS NOT NULL",
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '{}'",
}
"""Whether a table exists, by dialect. Its name is one of ours, or was checked."""


class SchemaState(NamedTuple):
    """The version that a database has, None without one, and that of this release."""

    found: int | None
    newest: int
    has_tables: bool
    """Whether there are tables, be it without a version because somebody else migrates them."""

    @property
    def is_current(self) -> bool:
        """Whether the version is that of this release."""
        return self.found == self.newest


async def state_of(
    transaction: Transaction,
    dialect: SqlDialect,
    statements: Statements,
    steps: Sequence[Mapping[str, Sequence[str]]] = STEPS,
) -> SchemaState:
    """Tell which schema there is."""
    found = None
    if await _exists(transaction, dialect, schema_version.name):
        rows = await transaction.fetch(statements.read_version)
        found = rows[0][0] if rows else None
    return SchemaState(
        found=found if isinstance(found, int) else None,
        newest=len(steps) + 1,
        has_tables=await _exists(transaction, dialect, executions.name),
    )


async def check_schema(
    transaction: Transaction, dialect: SqlDialect, statements: Statements
) -> None:
    """Make sure that the tables are those of this release.

    Where there is no version, because the tables are another's to migrate, all columns are asked
    for instead.

    Raises:
        StorageError: They are not, or there are none.
    """
    state = await state_of(transaction, dialect, statements)
    if state.is_current:
        return
    if not state.has_tables:
        raise StorageError(
            f"the database has no table {dialect.tables.name}, and this storage may not create it: "
            "run durable-execution db upgrade, or the migrations that make it"
        )
    if state.found is None:
        for probe in _probes(dialect):
            await transaction.fetch(probe)
        return
    if state.found > state.newest:
        raise unknown_version(state.found, state.newest)
    raise StorageError(
        f"the database has schema version {state.found}, this release needs {state.newest}, and "
        "this storage may not migrate: run durable-execution db upgrade"
    )


async def _exists(transaction: Transaction, dialect: SqlDialect, table: str) -> bool:
    query = _EXISTS[dialect.name].format(dialect.tables.named(table))
    return (await transaction.fetch(Statement(query, ())))[0][0] == 1


def _probes(dialect: SqlDialect) -> list[Statement]:
    """Return for each table a statement that fails unless it has every column."""
    return [
        compiled(select(*element.element.c).limit(literal_column("0")), dialect)
        for element in dialect.ddl((executions, tags, progress, executors), ())
        if isinstance(element, CreateTable)
    ]
