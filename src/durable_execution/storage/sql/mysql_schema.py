"""The tables as MySQL and MariaDB have them.

What is scanned is found by generated columns, which are NULL for every other row: `ready_at`,
`joinable_at`, `asleep_until`, `failed_id`; there are no partial indexes here. Ids are bytes
(VARBINARY): they compare by bytes, spaces at their end included, which no collation of both servers
does.

DDL ends transactions here. So each table comes with its indexes in one statement that may be
repeated: a creation that was cut short is taken up again by the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    VARBINARY,
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    literal_column,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects.mysql.base import MySQLDDLCompiler
from sqlalchemy.schema import CreateTable, ExecutableDDLElement

from durable_execution._core.limits import TRACE_LENGTH
from durable_execution.storage.sql.rows import PAYLOADS
from durable_execution.storage.sql.schema import (
    HAS_FAILED,
    IS_JOINABLE,
    IS_READY,
    IS_SLEEPING,
    SQLITE_ONLY,
    executions,
)

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

# Locks by name are the server's, whatever the database; a wait without end is ended by the caller.
_LOCK: Final = "CONCAT('durable-execution-', MD5(DATABASE()))"
LOCK_SCHEMA: Final = f"DO GET_LOCK({_LOCK}, 86400)"
UNLOCK_SCHEMA: Final = f"DO RELEASE_LOCK({_LOCK})"

READY_AT: Final = literal_column("durable_task_executions.ready_at", BigInteger)
JOINABLE_AT: Final = literal_column("durable_task_executions.joinable_at", BigInteger)
FAILED_ID: Final = literal_column("durable_task_executions.failed_id", String)
ASLEEP_UNTIL: Final = literal_column("durable_task_executions.asleep_until", BigInteger)

SLEEPING_ID_IS_FREE: Final = "_sleeping_id_is_free"
"""How the constraint ends that breaks when an insert meets the sleeping id of another row."""

_BYTES_PER_CHARACTER: Final = 4
_GENERATED: Final = {
    "ready_at": f"CASE WHEN {IS_READY} THEN start_at END",
    "joinable_at": f"CASE WHEN {IS_JOINABLE} THEN waiting_for_children_at END",
    "asleep_until": f"CASE WHEN {IS_SLEEPING} THEN expires_at END",
    "failed_id": f"CASE WHEN {HAS_FAILED} THEN execution_id END",
}
_INDEXED: Final = {
    "durable_ready": ("ready_at", "task_id"),
    "durable_joinable": ("joinable_at", "task_id"),
    "durable_sleeping": ("asleep_until",),
    "durable_failed": ("failed_id",),
}
# Of the keys that a new row meets, the first one in this order is noticed.
_NOTICED: Final = ("durable_idempotency_key", "durable_sleeping_unique_id")
_STORED: Final[dict[str, Any]] = {
    f"{dialect}_{name}": value
    # SQLAlchemy has a dialect for each of the two names.
    for dialect in ("mysql", "mariadb")
    for name, value in {
        "engine": "InnoDB",
        "default_charset": "utf8mb4",
        "row_format": "DYNAMIC",
    }.items()
}


class DdlCompiler(MySQLDDLCompiler):
    """Writes the indexes of a table into the statement that creates it."""

    def create_table_constraints(self, table: Any, *given: Any, **options: Any) -> str:  # noqa: D102
        constraints = super().create_table_constraints(table, *given, **options)  # type: ignore[no-untyped-call]
        return ", \n\t".join([constraints, *map(self._key, in_order(table.indexes))])

    def _key(self, index: Index) -> str:
        columns = ", ".join(map(self.preparer.format_column, index.columns))
        return f"{'UNIQUE ' if index.unique else ''}KEY {index.name} ({columns})"


def mysql_ddl(tables: Sequence[Table], indexes: Sequence[Index]) -> list[ExecutableDDLElement]:
    """Return the statements that create the tables with their indexes."""
    adapted = [_adapted(table) for table in tables]
    by_name = {table.name: table for table in adapted}
    for index in indexes:
        if index.name in SQLITE_ONLY:
            continue
        table = by_name[str(index.table.name if index.table is not None else "")]
        names = _INDEXED.get(str(index.name)) or tuple(column.name for column in index.columns)
        Index(index.name, *[table.c[name] for name in names], unique=index.unique)
    return [CreateTable(table, if_not_exists=True) for table in adapted]


def in_order(indexes: Iterable[Index]) -> list[Index]:
    """Return indexes in the order in which a table must get them, the unique ones to be noticed."""

    def place(index: Index) -> tuple[int, str]:
        name = str(index.name)
        return _NOTICED.index(name) if name in _NOTICED else len(_NOTICED), name

    return sorted(indexes, key=place)


def _adapted(table: Table) -> Table:
    columns = [
        Column(
            each.name, _type_of_column(each), primary_key=each.primary_key, nullable=each.nullable
        )
        for each in table.columns
    ]
    if table is not executions:
        return Table(table.name, MetaData(), *columns, **_STORED)
    places = [place for place, each in enumerate(columns) if each.name in PAYLOADS]
    columns[places[0] : places[0]] = [
        Column(name, _type_of(name), Computed(expression, persisted=True))
        for name, expression in _GENERATED.items()
    ]
    # Compared with 1: MySQL takes nothing for a condition that does not look like one.
    checks = [
        CheckConstraint(f"({each.sqltext}) = 1", name=each.name)
        for each in sorted(table.constraints, key=lambda each: str(each.name))
        if isinstance(each, CheckConstraint)
    ]
    checks.append(CheckConstraint("fence >= 0", name=f"durable{SLEEPING_ID_IS_FREE}"))
    return Table(table.name, MetaData(), *columns, *checks, **_STORED)


def _type_of(generated: str) -> TypeEngine[Any]:
    return _type(executions.c.execution_id.type) if generated == "failed_id" else BigInteger()


def _type_of_column(column: Column[Any]) -> TypeEngine[Any]:
    return VARBINARY(TRACE_LENGTH) if column.name == "traceparent" else _type(column.type)


def _type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    if isinstance(kind, Text):
        return mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    if isinstance(kind, String):
        return VARBINARY((kind.length or 0) * _BYTES_PER_CHARACTER)
    return mysql.LONGBLOB() if isinstance(kind, LargeBinary) else kind
