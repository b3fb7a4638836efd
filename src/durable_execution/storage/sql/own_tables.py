"""Our tables among the user's own, so that the user's migrations make and change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Literal, get_args

from sqlalchemy import DDL, CheckConstraint, UniqueConstraint, event
from sqlalchemy.schema import CreateTable

from durable_execution.errors import InvalidOptionError
from durable_execution.storage.sql.driver import SqlDialect
from durable_execution.storage.sql.mysql import MySqlDialect
from durable_execution.storage.sql.mysql_schema import in_order
from durable_execution.storage.sql.postgres import PostgresDialect
from durable_execution.storage.sql.schema import INDEXES, executions, executors, progress, tags
from durable_execution.storage.sql.sqlite import SqliteDialect
from durable_execution.storage.table_names import EXECUTIONS, TaskExecutionTables

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table

DialectName = Literal["mysql", "postgresql", "sqlite"]

_DIALECTS: Final[Mapping[str, Callable[[], SqlDialect]]] = {
    "mysql": MySqlDialect,
    "postgresql": PostgresDialect,
    "sqlite": SqliteDialect,
}
_NO_SCHEMAS: Final = {
    "mysql": "on MySQL a schema is a database, which the URL names",
    "sqlite": "SQLite has no schemas",
}


def create_task_executions_table(
    metadata: MetaData,
    *,
    dialect: DialectName,
    name: str = EXECUTIONS,
    schema: str | None = None,
) -> TaskExecutionTables:
    """Put the table of executions, and those that belong to it, into a MetaData of SQLAlchemy.

    From then on the user's migrations own them: Alembic's `--autogenerate` sees what a new release
    adds. Give what this returns to `open_storage(url, tables=..., migrate=False)`, and to
    `enqueue_in_transaction`. What autogenerating does not see is in `trigger_statements`;
    `metadata.create_all` runs it by itself.

    Args:
        metadata: The user's; its schema counts where none is given.
        dialect: The database that the tables are for: they differ. "mysql" stands for MariaDB, too.
        name: See `TaskExecutionTables`.
        schema: See there.

    Raises:
        InvalidOptionError: An argument is none of these, or the metadata has such tables.
    """
    if dialect not in _DIALECTS:
        known = ", ".join(get_args(DialectName))
        raise InvalidOptionError(f"dialect must be one of {known}, got {dialect!r}")
    names = TaskExecutionTables(name=name, schema=schema or metadata.schema)
    if dialect != "postgresql" and names.schema is not None:
        raise InvalidOptionError(f"{_NO_SCHEMAS[dialect]}, got the schema {names.schema!r}")
    # Indexes come with the tables that they are on.
    elements = _DIALECTS[dialect]().ddl((executions, tags, progress, executors), INDEXES)
    for element in elements:
        if isinstance(element, CreateTable):
            _add(element.element, metadata, names, dialect)
    if dialect == "postgresql":
        table = metadata.tables[".".join(filter(None, (names.schema, names.name)))]
        for statement in trigger_statements(names):
            event.listen(table, "after_create", DDL(statement))  # type: ignore[no-untyped-call]
    return names


def trigger_statements(tables: TaskExecutionTables) -> tuple[str, ...]:
    """Return the statements that PostgreSQL needs besides the tables, for a migration to execute.

    They make the trigger that tells executors of new work; without it they find it by polling.
    """
    place = "" if tables.schema is None else f'"{tables.schema}".'
    texts = [
        element.statement for element in PostgresDialect().ddl((), ()) if isinstance(element, DDL)
    ]
    for ours in ("FUNCTION durable_notify", "ON durable_task_executions"):
        word, _, thing = ours.partition(" ")
        texts = [text.replace(ours, f"{word} {place}{thing}") for text in texts]
    return tuple(map(tables.renamed, texts))


def _add(
    table: Table, metadata: MetaData, names: TaskExecutionTables, dialect: DialectName
) -> None:
    name = names.named(table.name)
    if ".".join(filter(None, (names.schema, name))) in metadata.tables:
        raise InvalidOptionError(f"the metadata has a table {name!r} already")
    if names.schema is None:
        copy = table.to_metadata(metadata, name=name)
    else:
        copy = table.to_metadata(metadata, name=name, schema=names.schema)
    # Those of MySQL are part of the table, in an order that counts there.
    for index in in_order(copy.indexes) if dialect == "mysql" else ():
        if index.unique:
            copy.indexes.remove(index)
            unique = UniqueConstraint(*index.columns, name=names.named(str(index.name)))
            copy.append_constraint(unique)
    for part in [*copy.indexes, *copy.constraints]:
        if isinstance(part, CheckConstraint) or part in copy.indexes:
            part.name = names.named(str(part.name))
